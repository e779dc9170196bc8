"""The reference models of Keras layers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

KERAS_3 = not hasattr(keras, "__version__") or not keras.__version__.startswith("2.")


def _mlp(_variant: str) -> tuple[Any, Any]:
    layers = keras.layers
    network = keras.Sequential([layers.Dense(10, activation="relu"), layers.Dense(1)])
    return network, _named(network, "dense1", "dense2")


def _cnn(activation: str, pool: Any) -> tuple[Any, Any]:
    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Conv2D(8, 3, activation=activation),
            layers.Conv2D(16, 3, activation=activation),
            pool(2),
            layers.Flatten(),
            layers.Dense(32, activation=activation),
            layers.Dense(10),
        ]
    )
    return network, _named(network, "conv1", "conv2", "", "", "dense1", "dense2")


def _lstm(variant: str) -> tuple[Any, Any]:
    # XLA has no cuDNN; Keras chooses by itself only where it compiles the model.
    options = {"use_cudnn": False} if KERAS_3 and variant == "compiled" else {}
    layers = [keras.layers.LSTM(16, return_sequences=True, **options), keras.layers.Dense(1)]
    names = ["lstm.kernel", "lstm.recurrent", "lstm.bias"], ["dense.kernel", "dense.bias"]
    return keras.Sequential(layers), list(zip(layers, names))  # noqa: B905 - as above


class Block(keras.layers.Layer):  # type: ignore[misc,unused-ignore]
    def __init__(self) -> None:
        super().__init__()
        layers = keras.layers
        self.norm1, self.norm2 = (layers.LayerNormalization(epsilon=1e-5) for _ in range(2))
        self.attention = layers.MultiHeadAttention(4, 16)
        self.up, self.down = layers.Dense(256, activation="gelu"), layers.Dense(64)

    def call(self, x: Any) -> Any:
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, use_causal_mask=True)
        return x + self.down(self.up(self.norm2(x)))

    def named(self, block: str) -> list[tuple[Any, list[str]]]:
        kinds = [f"{block}.{part}.{kind}" for part in ("query", "key", "value", "out") for kind in ("kernel", "bias")]
        norms = _named([self.norm1, self.norm2], f"{block}.norm1", f"{block}.norm2", kind="scale")
        return [*norms, (self.attention, kinds), *_named([self.up, self.down], f"{block}.up", f"{block}.down")]


class Transformer(keras.Model):  # type: ignore[misc,unused-ignore]
    def __init__(self) -> None:
        super().__init__()
        layers = keras.layers
        self.tokens, self.places = layers.Embedding(27, 64), layers.Embedding(32, 64)
        self.block1, self.block2 = Block(), Block()
        self.norm, self.head = layers.LayerNormalization(epsilon=1e-5), layers.Dense(27)

    def call(self, x: Any) -> Any:
        hidden = self.tokens(x) + self.places(tf.range(32))
        return self.head(self.norm(self.block2(self.block1(hidden))))


def _transformer(_variant: str) -> tuple[Any, Any]:
    network = Transformer()
    embeddings = [(network.tokens, ["embedding.tokens"]), (network.places, ["embedding.places"])]
    blocks = [*network.block1.named("block1"), *network.block2.named("block2")]
    return network, [
        *embeddings,
        *blocks,
        *_named([network.norm], "norm", kind="scale"),
        *_named([network.head], "head"),
    ]


MODELS = {
    "mlp": _mlp,
    "cnn": lambda _: _cnn("relu", keras.layers.MaxPooling2D),
    "cnn-smooth": lambda _: _cnn("tanh", keras.layers.AveragePooling2D),
    "lstm": _lstm,
    "transformer": _transformer,
}
"""Case to network, and the names of the weights of its layers in the case."""


def _named(layers: Any, *names: str, kind: str = "kernel") -> list[tuple[Any, list[str]]]:
    layers = getattr(layers, "layers", layers)
    return [(layer, [f"{name}.{kind}", f"{name}.bias"]) for layer, name in zip(layers, names)]  # noqa: B905 - as above
