"""SGD with momentum, Adam and AdamW, each in the form in which the frameworks compute it."""

from __future__ import annotations

import numpy as np

from envkit.smoke.cases import Optimizer
from envkit.smoke.reference.layers import Array

FORMS = ("torch", "keras")
"""torch: PyTorch and optax. keras: Keras, whose epsilon stands beside sqrt(v) before v is corrected for its start at 0
(it acts 1 / sqrt(1 - beta2^t) times as large: 31.6 times in the first step), and which rounds the momentum, the decay,
and the betas of beta^t to float32, whatever it trains in."""


Moments = tuple[Array, Array]
"""The running means m of the gradient and v of its square."""
AT_REST: Moments = (0.0, 0.0)


def update(  # noqa: PLR0917 - the formula's variables
    optimizer: Optimizer, form: str, step: int, weight: Array, gradient: Array, moments: Moments
) -> tuple[Array, Moments]:
    """A weight and its moments after step 1, 2, ... of an optimiser.

    sgd    m = mu m + g;  w = w - lr m
    adam   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  c1 = 1 - b1^t;  c2 = 1 - b2^t;
           torch: w = w - lr / c1 * m / (sqrt(v) / sqrt(c2) + eps)
           keras: w = w - lr sqrt(c2) / c1 * m / (sqrt(v) + eps)
    adamw  w = (1 - lr decay) w, then as adam

    Sources: Kingma, Ba (2015), Adam: algorithm 1, and the end of section 2 for Keras' form; Loshchilov, Hutter (2019),
    Decoupled weight decay regularization; torch/optim/{sgd,adam,adamw}.py; keras/src/optimizers/{sgd,adam,adamw}.py.
    """
    constants = [optimizer.momentum, optimizer.weight_decay, optimizer.beta1, optimizer.beta2]
    momentum, decay, beta1, beta2 = np.float64(np.float32(constants)) if form == "keras" else constants
    rate, (m, v) = optimizer.learning_rate, moments
    if optimizer.name == "sgd":
        m = momentum * m + gradient
        return weight - rate * m, (m, v)
    weight = weight * (1 - rate * decay)
    m = optimizer.beta1 * m + (1 - optimizer.beta1) * gradient
    v = optimizer.beta2 * v + (1 - optimizer.beta2) * gradient**2
    correction1, correction2 = 1 - beta1**step, np.sqrt(1 - beta2**step)
    if form == "keras":
        return weight - rate * correction2 / correction1 * m / (np.sqrt(v) + optimizer.epsilon), (m, v)
    return weight - rate / correction1 * m / (np.sqrt(v) / correction2 + optimizer.epsilon), (m, v)
