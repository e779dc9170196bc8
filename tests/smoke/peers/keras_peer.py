"""Keras' optimisers, for `compare.py`."""

from __future__ import annotations

import math
from typing import Any

import keras

keras.backend.set_floatx("float64")


def optimize(optimizer: Any, start: list[float], gradients: list[list[float]]) -> list[float]:
    """Where Keras' own optimiser goes from a start on given gradients."""
    betas = {"beta_1": optimizer.beta1, "beta_2": optimizer.beta2, "epsilon": optimizer.epsilon}
    descent = {
        "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=optimizer.momentum),
        "adam": lambda rate: keras.optimizers.Adam(rate, **betas),
        "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=optimizer.weight_decay, **betas),
    }[optimizer.name](optimizer.learning_rate)
    weight = keras.Variable(start, dtype="float64")
    for values in gradients:
        descent.apply([keras.ops.convert_to_tensor(values, dtype="float64")], [weight])
    found = [float(value) for value in weight.numpy()]
    assert all(map(math.isfinite, found))
    return found
