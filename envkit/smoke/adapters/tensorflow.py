"""Smoke in TensorFlow, with Keras."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

VERSION: str = tf.__version__
FORM: str = "keras"
KINDS = {"cpu": "CPU", "cuda": "GPU", "rocm": "GPU", "mps": "GPU", "xpu": "XPU"}

CLASSES = {"cnn", "cnn-smooth", "transformer"}
"""Cases whose targets are numbers of classes."""
POLICIES = {"float64": "float64", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
LOSS_SCALES = {"float16": 1024.0}
"""The gradients of small losses are 0 in float16 without it. Fixed, so that no step is left out."""


def open_device(kind: str, index: int = 0) -> tuple[Any, str]:
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
    if index >= len(found):
        raise LookupError(f"there is no {kind}:{index}; TensorFlow sees {_names(found)}")
    name = kind if kind == "cpu" else tf.config.experimental.get_device_details(found[index]).get("device_name", kind)
    return f"/{KINDS[kind]}:{index}", name


class Network:
    """One model with its weights and its optimizer on a device."""

    def __init__(self, models: Any, case: Any, device: Any, dtype: str, variant: str) -> None:
        _arithmetic(device, dtype)
        self.device, self.dtype, self.scale = device, _float(dtype), LOSS_SCALES.get(dtype, 1.0)
        self.integers = case.name == "transformer", case.name in CLASSES
        with tf.device(device):
            self.network, layers = models.MODELS[case.name](variant)
            self.batches = [self._batch(*batch) for batch in case.batches]
            self.network(self.batches[0][0])  # makes the variables
            self.variables = {
                name: variable
                for layer, names in layers
                for name, variable in zip(names, layer.weights)  # noqa: B905 - the inspected Python may be 3.9
            }
            for weight in case.weights:
                variable = self.variables[weight.name]
                variable.assign(tf.reshape(self._tensor(weight), variable.shape))
            # The keys have no bias in the case: those of Keras stay 0.
            self.trained = [self.variables[weight.name] for weight in case.weights]
            self.names = [weight.name for weight in case.weights]
            self.optimizer = _optimizer(case.optimizer, self.trained)
        losses = keras.losses
        loss = losses.SparseCategoricalCrossentropy if self.integers[1] else losses.BinaryCrossentropy
        self.loss_function = loss(from_logits=True)
        self.differentiate = _compiled(self._gradient, variant)
        self.train = _compiled(self._train, variant)
        self.seen: list[tuple[str, str, str]] = []

    def gradient(self, x: Any, y: Any) -> tuple[float, dict[str, list[float]]]:
        with tf.device(self.device):
            loss, output, gradients = self.differentiate(*self._batch(x, y))
        named = dict(zip(self.names, gradients))  # noqa: B905 - as above
        self.seen = [_where(f"gradient of {name}", gradient) for name, gradient in named.items()]
        self.seen.append(_where("output", output))
        return float(loss), {name: _list(gradient) for name, gradient in named.items()}

    def step(self, number: int) -> float:
        with tf.device(self.device):
            return float(self.train(*self.batches[number % len(self.batches)]))

    def parameters(self) -> dict[str, list[float]]:
        return {name: _list(_raw(self.variables[name])) for name in self.names}

    def where(self) -> list[tuple[str, str, str]]:
        return [*(_where(name, _raw(self.variables[name])) for name in self.names), *self.seen]

    def _gradient(self, x: Any, y: Any) -> tuple[Any, Any, list[Any]]:
        with tf.GradientTape() as tape:
            output = self.network(x, training=True)
            loss = self.loss_function(y, tf.cast(output, self.dtype))
            scaled = loss * self.scale
        gradients = tape.gradient(scaled, [_raw(variable) for variable in self.trained])
        return loss, output, [tf.convert_to_tensor(gradient) / self.scale for gradient in gradients]

    def _train(self, x: Any, y: Any) -> Any:
        loss, _, gradients = self._gradient(x, y)
        self.optimizer.apply_gradients(zip(gradients, self.trained))  # noqa: B905 - as above
        return loss

    def _batch(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Letters and classes as integers."""
        return self._tensor(x, self.integers[0]), self._tensor(y, self.integers[1])

    def _tensor(self, source: Any, integer: bool = False) -> Any:
        with tf.device("/CPU:0"):  # decoding runs nowhere else
            raw = tf.reshape(tf.io.decode_raw(source.data, tf.uint8), source.shape)
            values = tf.cast(raw, tf.int32 if integer else self.dtype)
            values = values if integer else (values - source.zero) * source.scale
        with tf.device(self.device):
            return tf.identity(values)


build = Network


def optimize(optimizer: Any, prescribed: Any, device: Any, dtype: str, variant: str) -> list[float]:
    _arithmetic(device, dtype)
    start, gradients = prescribed
    with tf.device(device):
        values = tf.Variable(start, dtype=_float(dtype))
        steps = [tf.constant(gradient, _float(dtype)) for gradient in gradients]
        optimizer = _optimizer(optimizer, [values])
        update = _compiled(lambda gradient: optimizer.apply_gradients([(gradient, values)]), variant)
        for step in steps:
            update(step)
    return _list(_raw(values))


def out_of_memory(error: BaseException) -> bool:
    return isinstance(error, tf.errors.ResourceExhaustedError)


def determinism(_device: Any) -> None:
    """Promised only where enable_op_determinism() was called before all else, and then not what users run."""


def memory(device: Any) -> tuple[int, int] | None:
    if device == "/CPU:0":
        return None
    try:
        counts = tf.config.experimental.get_memory_info(device.strip("/"))
    except (ValueError, tf.errors.OpError):  # a plugin's device need not count it
        return None
    return int(counts["current"]), int(counts["peak"])


def _optimizer(wanted: Any, variables: list[Any]) -> Any:
    optimizers = keras.optimizers
    if wanted.name == "sgd":
        optimizer = optimizers.SGD(wanted.learning_rate, momentum=wanted.momentum)
    else:
        kind, options = optimizers.Adam, {}
        if wanted.name == "adamw":
            kind, options = optimizers.AdamW, {"weight_decay": wanted.weight_decay}
        optimizer = kind(
            wanted.learning_rate, beta_1=wanted.beta1, beta_2=wanted.beta2, epsilon=wanted.epsilon, **options
        )
    optimizer.build(variables)
    return optimizer


def _compiled(function: Any, variant: str) -> Any:
    return tf.function(function, jit_compile=True, autograph=False) if variant == "compiled" else function


def _arithmetic(device: str, dtype: str) -> None:
    """Set how Keras and TensorFlow compute from here on."""
    if dtype == "tf32" and "GPU" not in device:
        raise LookupError(f"{device.strip('/')} has no TF32 in TensorFlow")
    keras.backend.set_floatx(_float(dtype).name)  # without it the learning rate stays float32 beside float64
    keras.mixed_precision.set_global_policy(POLICIES.get(dtype, "float32"))
    tf.config.experimental.enable_tensor_float_32_execution(dtype == "tf32")


def _float(dtype: str) -> Any:
    return tf.float64 if dtype == "float64" else tf.float32


def _raw(variable: Any) -> Any:
    """The tf.Variable: what a variable of Keras 3 wraps, and a variable of Keras 2 is."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def _list(tensor: Any) -> list[float]:
    values: list[float] = tf.reshape(tensor, [-1]).numpy().tolist()
    return values


def _where(name: str, tensor: Any) -> tuple[str, str, str]:
    """Device and dtype of a tensor, from "/job:localhost/replica:0/task:0/device:GPU:0"."""
    kind, _, index = tensor.device.rpartition("device:")[2].lower().partition(":")
    if kind == "gpu":
        kind = "rocm" if tf.test.is_built_with_rocm() else "cuda" if tf.test.is_built_with_cuda() else "mps"
    return name, kind if kind == "cpu" else f"{kind}:{index}", tensor.dtype.name


def _names(devices: list[Any]) -> str:
    return ", ".join(device.name.removeprefix("/physical_device:") for device in devices) or "no device at all"
