"""Operations of the models in NumPy, in any dtype, each open to a fault. Written apart from envkit's reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

GRID = np.arange(-6.0, 6.0 + 2**-8, 2**-8)
ERF = np.array([math.erf(x) for x in GRID])
SLOPE = 2 / math.sqrt(math.pi) * np.exp(-GRID * GRID) * 2**-8


class Maths:
    """The right operations. A fault replaces one, or sets something of `how`."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.step = -1
        self.how: dict[str, Any] = {}
        self.matmul: Callable[[Array, Array, str], Array] = lambda a, b, _where: a @ b
        self.weight_gradient: Callable[[Array, Array, str], Array] = lambda a, b, where: self.matmul(
            a.reshape(-1, a.shape[-1]).T, b.reshape(-1, b.shape[-1]), f"{where} wgrad"
        )
        self.exp: Callable[[Array], Array] = np.exp
        self.tanh: Callable[[Array], Array] = np.tanh
        self.rsqrt: Callable[[Array], Array] = lambda x: 1 / np.sqrt(x)

    def sigmoid(self, x: Array) -> Array:
        return 1 / (1 + self.exp(-x))

    def dense(self, x: Array, weights: dict[str, Array], name: str) -> Array:
        y = self.matmul(x, weights[f"{name}.kernel"], name)
        bias = weights.get(f"{name}.bias")
        return y if bias is None else y + bias

    def dense_back(self, x: Array, dy: Array, weights: dict[str, Array], grads: dict[str, Array], name: str) -> Array:
        grads[f"{name}.kernel"] = self.weight_gradient(x, dy, name)
        if f"{name}.bias" in weights:
            grads[f"{name}.bias"] = dy.reshape(-1, dy.shape[-1]).sum(axis=0)
        return self.matmul(dy, weights[f"{name}.kernel"].T, f"{name} dgrad")

    def patches(self, x: Array) -> Array:
        """(n, h - 2, w - 2, 9 * channels): what each place of a 3x3 kernel sees."""
        if self.how.get("edge row"):
            x = np.concatenate([x[:, :-1], np.zeros_like(x[:, -1:])], axis=1)
        if self.how.get("window"):
            x = np.concatenate([x[:, 1:], np.zeros_like(x[:, :1])], axis=1)
        h, w = x.shape[1] - 2, x.shape[2] - 2
        return np.concatenate([x[:, i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=-1)

    def kernel(self, weights: dict[str, Array], name: str) -> Array:
        kernel = weights[f"{name}.kernel"]
        return kernel[::-1, ::-1] if self.how.get("flip") else kernel

    def conv(self, x: Array, weights: dict[str, Array], name: str) -> tuple[Array, Array]:
        columns = self.patches(x)
        kernel = self.kernel(weights, name)
        y = self.matmul(columns, kernel.reshape(-1, kernel.shape[-1]), name)
        return y + weights[f"{name}.bias"], columns

    def conv_back(
        self, columns: Array, dy: Array, weights: dict[str, Array], grads: dict[str, Array], name: str
    ) -> Array:
        kernel = self.kernel(weights, name)
        grad = self.weight_gradient(columns, dy, name).reshape(kernel.shape)
        grads[f"{name}.kernel"] = grad[::-1, ::-1] if self.how.get("flip") else grad
        grads[f"{name}.bias"] = dy.sum(axis=(0, 1, 2))
        back = self.matmul(dy, kernel.reshape(-1, kernel.shape[-1]).T, f"{name} dgrad")
        n, h, w, _ = dy.shape
        channels = kernel.shape[2]
        dx = np.zeros((n, h + 2, w + 2, channels), dy.dtype)
        for place in range(9):
            i, j = divmod(place, 3)
            dx[:, i : i + h, j : j + w] += back[..., place * channels : (place + 1) * channels]
        return dx

    def norm(self, x: Array, weights: dict[str, Array], name: str) -> tuple[Array, Array, Array]:
        centred = x - x.mean(axis=-1, keepdims=True)
        width = x.shape[-1]
        variance = (centred * centred).sum(axis=-1, keepdims=True) / (width - 1 if self.how.get("unbiased") else width)
        inverse = self.rsqrt(variance + self.dtype.type(self.how.get("epsilon", 1e-5)))
        normal = centred * inverse
        return normal * weights[f"{name}.scale"] + weights[f"{name}.bias"], normal, inverse

    def norm_back(
        self, kept: tuple[Array, Array], dy: Array, weights: dict[str, Array], grads: dict[str, Array], name: str
    ) -> Array:
        normal, inverse = kept
        width = dy.shape[-1]
        grads[f"{name}.scale"] = (dy * normal).reshape(-1, width).sum(axis=0)
        grads[f"{name}.bias"] = dy.reshape(-1, width).sum(axis=0)
        dn = dy * weights[f"{name}.scale"]
        along = (dn * normal).sum(axis=-1, keepdims=True) / (width - 1 if self.how.get("unbiased") else width)
        return inverse * (dn - dn.mean(axis=-1, keepdims=True) - normal * along)

    def gelu(self, x: Array) -> tuple[Array, Array]:
        """The value and the slope."""
        if self.how.get("gelu") == "tanh":
            c = math.sqrt(2 / math.pi)
            t = np.tanh(c * (x + 0.044715 * x**3))
            slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)
            return (0.5 * x * (1 + t)).astype(x.dtype), slope.astype(x.dtype)
        phi = 0.5 * (1 + erf(x / math.sqrt(2)))
        density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return (x * phi).astype(x.dtype), (phi + x * density).astype(x.dtype)

    def cross_entropy(self, logits: Array, labels: Array) -> tuple[float, Array]:
        """The mean over all outputs, and its gradient."""
        shifted = logits - logits.max(axis=-1, keepdims=True)
        power = self.exp(shifted)
        whole = power.sum(axis=-1, keepdims=True)
        flat = labels.astype(int).reshape(-1)
        rows = np.arange(flat.size)
        losses = np.log(whole).reshape(-1) - shifted.reshape(flat.size, -1)[rows, flat]
        grad = (power / whole).reshape(flat.size, -1)
        grad[rows, flat] -= 1
        return float(losses.mean(dtype=losses.dtype)), (grad / grad.dtype.type(flat.size)).reshape(logits.shape)

    def binary_cross_entropy(self, logits: Array, labels: Array) -> tuple[float, Array]:
        losses = np.maximum(logits, 0) - logits * labels + np.log1p(self.exp(-np.abs(logits)))
        return float(losses.mean(dtype=losses.dtype)), (self.sigmoid(logits) - labels) / logits.dtype.type(logits.size)


def erf(x: Array) -> Array:
    """By cubic interpolation between exact values: to 3e-12, or one by one in float64."""
    if x.dtype == np.float64:
        return np.frompyfunc(math.erf, 1, 1)(x).astype(float)
    place = (np.clip(x, -5.99, 5.99).astype(np.float64) + 6.0) * 2**8
    i = place.astype(np.int64)
    t = place - i
    a, b, da, db = ERF[i], ERF[i + 1], SLOPE[i], SLOPE[i + 1]
    value = a + t * (da + t * (3 * (b - a) - 2 * da - db + t * (2 * (a - b) + da + db)))
    return value.astype(x.dtype)
