"""Smoke in JAX; the optimizers are written as optax writes them."""

from __future__ import annotations

import math
from array import array
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp

VERSION: str = jax.__version__
FORM: str = "torch"
KINDS = ("cpu", "cuda", "rocm", "tpu")

LOSS_SCALES = {"float16": 1024.0}
"""The gradients of small losses are 0 in float16 without it."""


def open_device(kind: str, index: int = 0) -> tuple[Any, str]:
    if kind not in KINDS:
        raise LookupError(f"JAX's adapter knows no device {kind!r}")
    try:
        devices = jax.local_devices(backend=kind)
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        raise LookupError(str(error).partition("\n")[0]) from error
    if index >= len(devices):
        raise LookupError(f"there is no {kind}:{index}; JAX sees {len(devices)}")
    return devices[index], kind if kind == "cpu" else devices[index].device_kind


class Network:
    """One model with its weights and the state of its optimizer on a device."""

    def __init__(self, models: Any, case: Any, device: Any, dtype: str, variant: str) -> None:
        self.dtype = _arithmetic(device, dtype)
        self.model, self.case, self.device = models.MODELS[case.name], case, device
        self.loss_function = _binary_cross_entropy if case.name in {"mlp", "lstm"} else _cross_entropy
        self.low = jnp.dtype(dtype) if dtype in {"bfloat16", "float16"} else self.dtype
        self.scale = LOSS_SCALES.get(dtype, 1.0)
        self.differentiate, self.train = _compiled(self._differentiate, variant), _compiled(self._train, variant)
        self.weights = {weight.name: self._put(weight, self.dtype) for weight in case.weights}
        self.state = _state(self.weights)
        self.batches = [self._batch(*batch) for batch in case.batches]
        self.seen: list[tuple[str, str, str]] = []

    def gradient(self, x: Any, y: Any) -> tuple[float, dict[str, list[float]]]:
        loss, output, gradients = self.differentiate(self.weights, *self._batch(x, y))
        self.seen = [_where(f"gradient of {name}", gradients[name]) for name in self.weights]
        self.seen.append(_where("output", output))
        return float(loss), {name: _list(gradients[name]) for name in self.weights}

    def step(self, number: int) -> float:
        batch = self.batches[number % len(self.batches)]
        self.weights, self.state, loss = jax.block_until_ready(self.train(self.weights, self.state, *batch))
        return float(loss)

    def parameters(self) -> dict[str, list[float]]:
        return {name: _list(weight) for name, weight in self.weights.items()}

    def where(self) -> list[tuple[str, str, str]]:
        return [*(_where(name, weight) for name, weight in self.weights.items()), *self.seen]

    def _differentiate(self, weights: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        """Loss, output and gradients; computed in the narrow type, if there is one, from weights that are not."""

        def scaled_loss(weights: Any) -> tuple[Any, tuple[Any, Any]]:
            narrow = {name: weight.astype(self.low) for name, weight in weights.items()}
            output = self.model(narrow, x if x.dtype == jnp.int32 else x.astype(self.low))
            loss = self.loss_function(output.astype(self.dtype), y)
            return loss * self.scale, (loss, output)

        gradients, (loss, output) = jax.grad(scaled_loss, has_aux=True)(weights)
        return loss, output, {name: gradient / self.scale for name, gradient in gradients.items()}

    def _train(self, weights: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        loss, _, gradients = self._differentiate(weights, x, y)
        return (*_update(self.case.optimizer, weights, state, gradients), loss)

    def _batch(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Letters and classes as integers."""
        inputs = self._put(x, jnp.int32 if self.case.name == "transformer" else self.dtype)
        return inputs, self._put(y, jnp.int32 if self.loss_function is _cross_entropy else self.dtype)

    def _put(self, source: Any, dtype: Any) -> Any:
        values = [(byte - source.zero) * source.scale for byte in source.data]
        return _array(values, dtype, self.device, source.shape)


build = Network


def optimize(optimizer: Any, prescribed: Any, device: Any, dtype: str, variant: str) -> list[float]:
    number = _arithmetic(device, dtype)
    start, gradients = prescribed
    weights = {"values": _array(start, number, device, (len(start),))}
    steps = [_array(gradient, number, device, (len(start),)) for gradient in gradients]
    state = _state(weights)
    update = _compiled(partial(_update, optimizer), variant)
    for step in steps:
        weights, state = update(weights, state, {"values": step})
    return _list(weights["values"])


def out_of_memory(error: BaseException) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()


def determinism(_device: Any) -> None:
    """XLA promises it for GPUs alone, by flags (xla_gpu_exclude_nondeterministic_ops) that change what is computed."""


def memory(device: Any) -> tuple[int, int] | None:
    counts = device.memory_stats() or {}
    if device.platform == "cpu" or "bytes_in_use" not in counts:
        return None
    return int(counts["bytes_in_use"]), int(counts.get("peak_bytes_in_use", counts["bytes_in_use"]))


def _cross_entropy(logits: Any, classes: Any) -> Any:
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), classes[..., None], -1)
    return -picked.mean()


def _binary_cross_entropy(logits: Any, labels: Any) -> Any:
    return (jax.nn.softplus(logits) - logits * labels).mean()


def _state(weights: Any) -> Any:
    """Number of steps, first and second moments; the first is the velocity of SGD."""

    def zeros(like: Any, *shape: int) -> Any:
        (device,) = like.devices()
        return _array([0.0] * math.prod(shape), like.dtype, device, shape)

    moments = {name: zeros(weight, *weight.shape) for name, weight in weights.items()}
    return zeros(next(iter(weights.values()))), moments, moments


def _update(wanted: Any, weights: Any, state: Any, gradients: Any) -> tuple[Any, Any]:
    steps, first, second = state
    steps, rate = steps + 1, wanted.learning_rate
    if wanted.name == "sgd":
        first = jax.tree.map(lambda v, g: wanted.momentum * v + g, first, gradients)
        return jax.tree.map(lambda w, v: w - rate * v, weights, first), (steps, first, second)
    first = jax.tree.map(lambda m, g: wanted.beta1 * m + (1 - wanted.beta1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: wanted.beta2 * v + (1 - wanted.beta2) * g * g, second, gradients)
    correction1, correction2 = 1 - wanted.beta1**steps, 1 - wanted.beta2**steps
    decay = wanted.weight_decay if wanted.name == "adamw" else 0.0

    def moved(w: Any, m: Any, v: Any) -> Any:
        return w - rate * (m / correction1 / (jnp.sqrt(v / correction2) + wanted.epsilon) + decay * w)

    return jax.tree.map(moved, weights, first, second), (steps, first, second)


def _compiled(function: Any, variant: str) -> Any:
    return jax.jit(function) if variant == "compiled" else function


def _arithmetic(device: Any, dtype: str) -> Any:
    """Set how JAX computes from here on; the type of the weights."""
    if dtype == "tf32" and _kind(device) != "cuda":
        raise LookupError(f"{_kind(device)} has no TF32 in JAX")
    jax.config.update("jax_enable_x64", dtype == "float64")
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if dtype == "tf32" else "highest")
    return jnp.float64 if dtype == "float64" else jnp.float32


def _array(values: list[float], dtype: Any, device: Any, shape: tuple[int, ...]) -> Any:
    """Shaped before JAX has it: each operation on a new shape would be compiled."""
    name = jnp.dtype(dtype).name
    code: Any = {"int32": "i", "float32": "f", "float64": "d"}[name]
    raw = memoryview(array(code, map(int, values) if name == "int32" else values)).cast("B").cast(code, shape)
    with jax.default_device(device):  # else it would go by way of the first GPU, even to the CPU
        return jax.device_put(jnp.asarray(raw), device)


def _list(tensor: Any) -> list[float]:
    values: list[float] = jax.device_get(tensor).astype("float64").ravel().tolist()
    return values


def _where(name: str, tensor: Any) -> tuple[str, str, str]:
    (device,) = tensor.devices()
    kind = _kind(device)
    return name, kind if kind == "cpu" else f"{kind}:{_local(kind).index(device)}", str(tensor.dtype)


@lru_cache(None)
def _local(kind: str) -> list[Any]:
    return list(jax.local_devices(backend=kind))


def _kind(device: Any) -> str:
    """Its name among the backends: `platform` is "gpu" for CUDA and ROCm both (py_client.h of jaxlib)."""
    client = device.client
    kind = getattr(client, "_raw_platform", client.platform)
    if kind != "gpu":
        return str(kind)
    return "rocm" if "rocm" in client.platform_version.lower() else "cuda"
