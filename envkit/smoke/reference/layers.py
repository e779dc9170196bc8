"""Layers with hand-written backpropagation: each is a function from its input to (output, back).

`back` takes the gradient of the loss by the output, stores that by each of the layer's weights under its name, and
returns that by the input: for y = f(x, W), dW = dy ∂y/∂W and dx = dy ∂y/∂x. Layouts are those of `envkit.smoke.cases`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
"""A float64 array: NumPy, and so its types, is not there where envkit is checked."""
Arrays = dict[str, Array]
Back = Callable[[Array], Array]
Layer = Callable[[Array], tuple[Array, Back]]


def chain(*layers: Layer) -> Layer:
    """One layer after the other; backwards in reverse order (the chain rule)."""

    def forward(x: Array) -> tuple[Array, Back]:
        backs = []
        for layer in layers:
            x, back = layer(x)
            backs.append(back)

        def all_back(dy: Array) -> Array:
            for back in reversed(backs):
                dy = back(dy)
            return dy

        return x, all_back

    return forward


def residual(layer: Layer) -> Layer:
    """A layer beside its input: y = x + f(x), dx = dy + df."""

    def forward(x: Array) -> tuple[Array, Back]:
        y, back = layer(x)
        return x + y, lambda dy: dy + back(dy)

    return forward


def dense(weights: Arrays, gradients: Arrays, name: str) -> Layer:
    """Over the last axis y = x W + b: dW = x^T dy, db = sum dy, dx = dy W^T; without b where the weights have none."""
    kernel = weights[f"{name}.kernel"]
    bias = weights.get(f"{name}.bias")

    def forward(x: Array) -> tuple[Array, Back]:
        def back(dy: Array) -> Array:
            rows = dy.reshape(-1, dy.shape[-1])
            gradients[f"{name}.kernel"] = x.reshape(-1, x.shape[-1]).T @ rows
            if bias is not None:
                gradients[f"{name}.bias"] = rows.sum(0)
            return dy @ kernel.T

        return x @ kernel + (0 if bias is None else bias), back

    return forward


def conv(weights: Arrays, gradients: Arrays, name: str) -> Layer:
    """Cross-correlation without padding: y[i, j] = b + sum over u, v of x[i + u, j + v] W[u, v]."""
    kernel = weights[f"{name}.kernel"]
    taps = list(np.ndindex(kernel.shape[:2]))

    def forward(x: Array) -> tuple[Array, Back]:
        height, width = (side - tap + 1 for side, tap in zip(x.shape[1:3], kernel.shape[:2], strict=True))

        def back(dy: Array) -> Array:
            gradients[f"{name}.bias"] = dy.sum((0, 1, 2))
            gradients[f"{name}.kernel"] = dkernel = np.empty_like(kernel)
            dx = np.zeros_like(x)
            for u, v in taps:
                dkernel[u, v] = np.tensordot(x[:, u : u + height, v : v + width], dy, ([0, 1, 2], [0, 1, 2]))
                dx[:, u : u + height, v : v + width] += dy @ kernel[u, v].T
            return dx

        parts = (x[:, u : u + height, v : v + width] @ kernel[u, v] for u, v in taps)
        return sum(parts) + weights[f"{name}.bias"], back

    return forward


def relu(x: Array) -> tuple[Array, Back]:
    """max(x, 0), with the slope 0 at 0."""
    return np.maximum(x, 0), lambda dy: dy * (x > 0)


def tanh(x: Array) -> tuple[Array, Back]:
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y * y)


def gelu(x: Array) -> tuple[Array, Back]:
    """Exact GELU, x Φ(x), with the slope Φ(x) + x φ(x); Φ and φ are the normal distribution and its density.

    Source: Hendrycks, Gimpel (2016), Gaussian error linear units.
    """
    erf = np.fromiter(map(math.erf, (x / math.sqrt(2)).ravel().tolist()), float, x.size).reshape(x.shape)
    below = (1 + erf) / 2
    return x * below, lambda dy: dy * (below + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi))


def quarters(x: Array) -> Array:
    """The four pixels of each 2x2 window, stacked along a new first axis."""
    return np.stack([x[:, u::2, v::2] for u, v in np.ndindex(2, 2)])


def max_pool(x: Array) -> tuple[Array, Back]:
    """The largest pixel of each 2x2 window, which alone gets the gradient (the first, where they are equal)."""
    pixels = quarters(x)
    winner = pixels.argmax(0)

    def back(dy: Array) -> Array:
        dx = np.empty_like(x)
        for k, (u, v) in enumerate(np.ndindex(2, 2)):
            dx[:, u::2, v::2] = dy * (winner == k)
        return dx

    return pixels.max(0), back


def average_pool(x: Array) -> tuple[Array, Back]:
    """The mean of each 2x2 window: a quarter of the gradient for each pixel."""
    return quarters(x).mean(0), lambda dy: (dy / 4).repeat(2, 1).repeat(2, 2)


def flatten(x: Array) -> tuple[Array, Back]:
    return x.reshape(len(x), -1), lambda dy: dy.reshape(x.shape)


def layer_norm(weights: Arrays, gradients: Arrays, name: str, epsilon: float) -> Layer:
    """Over the last axis y = s n + b, n = (x - mean) / d, d = sqrt(var + ε): dx = (dn - mean dn - n mean(n dn)) / d.

    Source: Ba, Kiros, Hinton (2016), Layer normalization; the variance is that of the population.
    """
    scale, bias = weights[f"{name}.scale"], weights[f"{name}.bias"]

    def forward(x: Array) -> tuple[Array, Back]:
        deviation = np.sqrt(x.var(-1, keepdims=True) + epsilon)
        normal = (x - x.mean(-1, keepdims=True)) / deviation

        def back(dy: Array) -> Array:
            batch = tuple(range(x.ndim - 1))
            gradients[f"{name}.scale"], gradients[f"{name}.bias"] = (dy * normal).sum(batch), dy.sum(batch)
            dn = dy * scale
            return (dn - dn.mean(-1, keepdims=True) - normal * (dn * normal).mean(-1, keepdims=True)) / deviation

        return scale * normal + bias, back

    return forward
