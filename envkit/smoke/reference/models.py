"""The reference models as chains of layers, their losses, and the gradient of the one by the weights of the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envkit.smoke.cases import LAYER_NORM_EPSILON, Tensor
from envkit.smoke.reference.layers import (
    Array,
    Arrays,
    Layer,
    average_pool,
    chain,
    conv,
    dense,
    flatten,
    gelu,
    layer_norm,
    max_pool,
    relu,
    residual,
    tanh,
)
from envkit.smoke.reference.sequences import attention, embedding, lstm, sigmoid


def mlp(weights: Arrays, gradients: Arrays) -> Layer:
    return chain(dense(weights, gradients, "dense1"), relu, dense(weights, gradients, "dense2"))


def cnn(activation: Layer, pool: Layer) -> Callable[[Arrays, Arrays], Layer]:
    def model(weights: Arrays, gradients: Arrays) -> Layer:
        first, second = (conv(weights, gradients, name) for name in ("conv1", "conv2"))
        third, last = (dense(weights, gradients, name) for name in ("dense1", "dense2"))
        return chain(first, activation, second, activation, pool, flatten, third, activation, last)

    return model


def recurrent(weights: Arrays, gradients: Arrays) -> Layer:
    return chain(lstm(weights, gradients, "lstm"), dense(weights, gradients, "dense"))


def transformer(weights: Arrays, gradients: Arrays) -> Layer:
    def norm(name: str) -> Layer:
        return layer_norm(weights, gradients, name, LAYER_NORM_EPSILON)

    def block(name: str) -> Layer:
        up, down = (dense(weights, gradients, f"{name}.{part}") for part in ("up", "down"))
        mix = chain(norm(f"{name}.norm1"), attention(weights, gradients, name, heads=4))
        return chain(residual(mix), residual(chain(norm(f"{name}.norm2"), up, gelu, down)))

    first = embedding(weights, gradients, "embedding")
    return chain(first, block("block1"), block("block2"), norm("norm"), dense(weights, gradients, "head"))


MODELS: dict[str, Callable[[Arrays, Arrays], Layer]] = {
    "mlp": mlp,
    "cnn": cnn(relu, max_pool),
    "cnn-smooth": cnn(tanh, average_pool),
    "lstm": recurrent,
    "transformer": transformer,
}


def binary_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """The mean of log(1 + exp z) - y z = max(z, 0) - y z + log(1 + exp -|z|); its gradient is (sigmoid z - y) / n."""
    losses = np.maximum(logits, 0) - labels * logits + np.log1p(np.exp(-np.abs(logits)))
    return float(losses.mean()), (sigmoid(logits) - labels) / logits.size


def cross_entropy(logits: Array, classes: Array) -> tuple[float, Array]:
    """The mean of log(sum exp z) - z[class]; its gradient is (softmax z - 1[class]) / n."""
    shifted = logits - logits.max(-1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(-1, keepdims=True)
    one_hot = np.arange(logits.shape[-1]) == classes[..., None]
    losses = np.log(total[..., 0]) - shifted[one_hot].reshape(classes.shape)
    return float(losses.mean()), (exponentials / total - one_hot) / classes.size


def gradient(name: str, weights: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """The loss of a case's model on a batch, and its gradient by each weight."""
    gradients: Arrays = {}
    logits, back = MODELS[name](weights, gradients)(x)
    loss, dlogits = (binary_cross_entropy if name in {"mlp", "lstm"} else cross_entropy)(logits, y)
    back(dlogits)
    return loss, gradients


def array(tensor: Tensor) -> Array:
    """The values that a tensor's bytes stand for."""
    return ((np.frombuffer(tensor.data, np.uint8) - tensor.zero) * tensor.scale).reshape(tensor.shape)
