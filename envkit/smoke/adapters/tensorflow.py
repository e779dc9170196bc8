"""The reference models in TensorFlow, with Keras layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow import keras

VERSION: str = tf.__version__

KINDS = {"cpu": "CPU", "cuda": "GPU", "rocm": "GPU", "mps": "GPU", "xpu": "XPU"}


def open_device(kind: str) -> tuple[Any, str]:
    rocm = tf.test.is_built_with_rocm()
    if kind == "cuda" and rocm:
        raise LookupError("this TensorFlow is built for ROCm, not for CUDA")
    if kind == "rocm" and not rocm:
        raise LookupError("this TensorFlow is not built for ROCm")
    if kind == "cuda" and not tf.test.is_built_with_cuda():
        raise LookupError("this TensorFlow is not built with CUDA")
    if kind not in KINDS:
        raise LookupError(f"TensorFlow's adapter knows no device {kind!r}")
    found = tf.config.list_physical_devices(KINDS[kind])
    if not found:
        raise LookupError(f"TensorFlow lists no {KINDS[kind]}; it sees {_names(tf.config.list_physical_devices())}")
    if kind == "cpu":
        return "/CPU:0", "cpu"
    name = tf.config.experimental.get_device_details(found[0]).get("device_name", kind)
    return f"/{KINDS[kind]}:0", name


def build(model: str, reference: Any, device: Any) -> tuple[Callable[[int], float], Callable[[], list[Any]]]:
    with tf.device(device):
        network, loss_function = (_mlp if model == "mlp" else _cnn)()
        initial = [_tensor(weight) for weight in reference.weights]
        variables = network.trainable_variables
        for variable, value in zip(variables, initial):  # noqa: B905 - the inspected Python may be 3.9
            variable.assign(value)
        if reference.optimizer == "adam":
            optimizer = keras.optimizers.Adam(reference.learning_rate)
        else:
            optimizer = keras.optimizers.SGD(reference.learning_rate, momentum=reference.momentum)
        optimizer.build(variables)
        batches = [(_tensor(x), _labels(y)) for x, y in reference.batches]
    last: dict[str, Any] = {}

    @tf.function  # type: ignore[untyped-decorator,unused-ignore]
    def train_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            output = network(x, training=True)
            loss = loss_function(y, output)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))  # noqa: B905 - as above
        return loss, output

    def step(number: int) -> float:
        with tf.device(device):
            loss, last["output"] = train_step(*batches[number % len(batches)])
        return float(loss)

    def state() -> list[Any]:
        tensors = [
            (getattr(variable, "path", variable.name), *_where(_raw(variable)), _differs(_raw(variable), value))
            for variable, value in zip(variables, initial)  # noqa: B905 - as above
        ]
        return [*tensors, ("output", *_where(last["output"]), None)]

    return step, state


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError)


def peak_memory(device: Any) -> int | None:
    if device == "/CPU:0":
        return None
    try:
        return int(tf.config.experimental.get_memory_info(device.strip("/"))["peak"])
    except (ValueError, tf.errors.OpError):  # a plugin's device need not count it
        return None


def _mlp() -> tuple[Any, Any]:
    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((10,)), layers.Dense(10, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    return network, keras.losses.BinaryCrossentropy()


def _cnn() -> tuple[Any, Any]:
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    return network, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _tensor(source: Any) -> Any:
    with tf.device("/CPU:0"):  # decoding runs nowhere else
        raw = tf.cast(tf.io.decode_raw(source.data, tf.uint8), tf.float32)
    return tf.reshape((raw - source.zero) * source.scale, source.shape)


def _labels(source: Any) -> Any:
    y = _tensor(source)
    return tf.cast(y, tf.int64) if len(source.shape) == 1 else y


def _raw(variable: Any) -> Any:
    """The tf.Variable: what a variable of Keras 3 wraps, and a variable of Keras 2 is."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def _differs(variable: Any, value: Any) -> bool:
    return bool(tf.reduce_any(tf.not_equal(variable, value)))


def _where(tensor: Any) -> tuple[str, str]:
    """Device kind and dtype of a tensor, from "/job:localhost/replica:0/task:0/device:GPU:0"."""
    kind = tensor.device.rpartition("device:")[2].partition(":")[0].lower()
    if kind == "gpu":
        kind = "rocm" if tf.test.is_built_with_rocm() else "cuda" if tf.test.is_built_with_cuda() else "mps"
    return kind, tensor.dtype.name


def _names(devices: list[Any]) -> str:
    return ", ".join(device.name.removeprefix("/physical_device:") for device in devices) or "no device at all"
