"""The reference models in JAX, with jax.numpy and jax.lax: whoever has JAX need not have a library of layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def _mlp(w: Any, x: Any) -> Any:
    return _dense(w, "dense2", jax.nn.relu(_dense(w, "dense1", x)))


def _cnn(activation: Any, pool: Any, w: Any, x: Any) -> Any:
    for name in ("conv1", "conv2"):
        x = activation(_convolve(x, w[f"{name}.kernel"]) + w[f"{name}.bias"])
    x = pool(x).reshape(len(x), -1)
    return _dense(w, "dense2", activation(_dense(w, "dense1", x)))


def _convolve(x: Any, kernel: Any) -> Any:
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _max_pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _average_pool(x: Any) -> Any:
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4


def _lstm(w: Any, x: Any) -> Any:
    def step(carry: Any, inputs: Any) -> Any:
        hidden, cell = carry
        gates = inputs @ w["lstm.kernel"] + hidden @ w["lstm.recurrent"] + w["lstm.bias"]
        i, f, g, o = jnp.split(gates, 4, -1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    zero = jnp.zeros((len(x), 16), x.dtype)
    with jax.disable_jit(not isinstance(x, jax.core.Tracer)):  # scan would be compiled again in every eager step
        _, hidden = lax.scan(step, (zero, zero), x.swapaxes(0, 1))
    return _dense(w, "dense", hidden.swapaxes(0, 1))


def _transformer(w: Any, x: Any) -> Any:
    hidden = w["embedding.tokens"][x] + w["embedding.places"]
    for block in ("block1", "block2"):
        hidden = hidden + _attention(w, block, _norm(w, f"{block}.norm1", hidden))
        up = _dense(w, f"{block}.up", _norm(w, f"{block}.norm2", hidden))
        hidden = hidden + _dense(w, f"{block}.down", jax.nn.gelu(up, approximate=False))
    return _dense(w, "head", _norm(w, "norm", hidden))


def _attention(w: Any, block: str, x: Any) -> Any:
    """By hand: the softmax of jax.nn.dot_product_attention is float32 even where all else is float64."""
    batch, places, width = x.shape
    query, value = _dense(w, f"{block}.query", x), _dense(w, f"{block}.value", x)
    heads = [part.reshape(batch, places, 4, 16) for part in (query, x @ w[f"{block}.key.kernel"], value)]
    scores = jnp.einsum("bqhd,bkhd->bhqk", heads[0], heads[1]) / 4
    past = jnp.tril(jnp.ones((places, places), bool))
    shares = jax.nn.softmax(jnp.where(past, scores, -jnp.inf))
    mixed = jnp.einsum("bhqk,bkhd->bqhd", shares, heads[2])
    return _dense(w, f"{block}.out", mixed.reshape(batch, places, width))


def _dense(w: Any, name: str, x: Any) -> Any:
    return x @ w[f"{name}.kernel"] + w[f"{name}.bias"]


def _norm(w: Any, name: str, x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.scale"] + w[f"{name}.bias"]


MODELS: dict[str, Callable[[Any, Any], Any]] = {
    "mlp": _mlp,
    "cnn": partial(_cnn, jax.nn.relu, _max_pool),
    "cnn-smooth": partial(_cnn, jnp.tanh, _average_pool),
    "lstm": _lstm,
    "transformer": _transformer,
}
"""Weights and inputs to logits."""
