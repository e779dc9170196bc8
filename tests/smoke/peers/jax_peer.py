"""The reference models by JAX's own functions, for `compare.py`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import lax, nn
from jax import numpy as jnp

jax.config.update("jax_enable_x64", True)
Weights = dict[str, Any]


def gradient(name: str, weights: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> tuple[float, Weights]:
    def loss(w: Weights) -> Any:
        logits = MODELS[name](w, jnp.asarray(x))
        if name in {"mlp", "lstm"}:
            return -(y * nn.log_sigmoid(logits) + (1 - y) * nn.log_sigmoid(-logits)).mean()
        return -(nn.log_softmax(logits) * nn.one_hot(y.astype(int), logits.shape[-1], dtype=float)).sum(-1).mean()

    value, gradients = jax.jit(jax.value_and_grad(loss))({key: jnp.asarray(weight) for key, weight in weights.items()})
    return float(value), {key: np.asarray(part) for key, part in gradients.items()}


def dense(w: Weights, name: str, x: Any) -> Any:
    return x @ w[f"{name}.kernel"] + w.get(f"{name}.bias", 0.0)


def mlp(w: Weights, x: Any) -> Any:
    return dense(w, "dense2", nn.relu(dense(w, "dense1", x)))


def max_pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def average_pool(x: Any) -> Any:
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4


def cnn(w: Weights, x: Any, activation: Any = nn.relu, pool: Any = max_pool) -> Any:
    for name in ("conv1", "conv2"):
        layouts = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, w[f"{name}.kernel"], (1, 1), "VALID", dimension_numbers=layouts)
        x = activation(x + w[f"{name}.bias"])
    x = pool(x).reshape(len(x), -1)
    return dense(w, "dense2", activation(dense(w, "dense1", x)))


def cnn_smooth(w: Weights, x: Any) -> Any:
    return cnn(w, x, jnp.tanh, average_pool)


def lstm(w: Weights, x: Any) -> Any:
    def step(state: Any, x: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(x @ w["lstm.kernel"] + h @ w["lstm.recurrent"] + w["lstm.bias"], 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    rest = jnp.zeros((len(x), 16))
    return dense(w, "dense", lax.scan(step, (rest, rest), x.swapaxes(0, 1))[1].swapaxes(0, 1))


def transformer(w: Weights, x: Any) -> Any:
    def norm(name: str, x: Any) -> Any:
        return nn.standardize(x, epsilon=1e-5) * w[f"{name}.scale"] + w[f"{name}.bias"]

    x = w["embedding.tokens"][x.astype(int)] + w["embedding.places"]
    earlier = jnp.tril(jnp.ones((32, 32), bool))
    for block in ("block1", "block2"):
        normal = norm(f"{block}.norm1", x)
        q, k, v = (dense(w, f"{block}.{part}", normal).reshape(-1, 32, 4, 16) for part in ("query", "key", "value"))
        # Not jax.nn.dot_product_attention: in 0.10.2 its softmax is in float32, whatever the inputs.
        share = nn.softmax(jnp.where(earlier, jnp.einsum("bihd,bjhd->bhij", q, k) / 4, -jnp.inf))
        x = x + dense(w, f"{block}.out", jnp.einsum("bhij,bjhd->bihd", share, v).reshape(x.shape))
        up = nn.gelu(dense(w, f"{block}.up", norm(f"{block}.norm2", x)), approximate=False)
        x = x + dense(w, f"{block}.down", up)
    return dense(w, "head", norm("norm", x))


MODELS = {"mlp": mlp, "cnn": cnn, "cnn-smooth": cnn_smooth, "lstm": lstm, "transformer": transformer}
