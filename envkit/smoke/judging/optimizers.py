"""What an optimizer makes of prescribed gradients, in Python's float64: each framework's convention, and others.

Sources: Kingma and Ba (2015), algorithm 1 and the end of section 2 (the form with epsilon outside of the bias
correction, which Keras has); Loshchilov and Hutter (2019), algorithm 2; torch.optim, optax, Keras.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Literal, NamedTuple

from envkit.smoke.cases import Optimizer

Form = Literal["torch", "keras"]
Values = Sequence[float]


class Convention(NamedTuple):
    """How an update is written; the defaults are what torch, optax and Keras do.

    form: what Adam's epsilon is added to: sqrt(v) with its bias corrected ("torch", and optax) or not ("keras", which
    also rounds the momentum, the decay, and the betas in beta^t, to float32, whatever it trains in).
    first_step: what the bias correction counts from. decay: of AdamW: "decoupled" (times the learning rate, before the
    update), "l2" (added to the gradient), "unscaled" (not times the learning rate), "after" the update.
    """

    form: Form = "torch"
    epsilon_in_root: bool = False
    bias_correction: bool = True
    first_step: int = 1
    nesterov: bool = False
    dampening: float = 0.0
    decay: Literal["decoupled", "l2", "unscaled", "after"] = "decoupled"


def updated(optimizer: Optimizer, how: Convention, start: Values, gradients: Sequence[Values]) -> list[float]:
    """The values after one update for each of the gradients."""
    rule = _sgd if optimizer.name == "sgd" else _adam
    return [rule(optimizer, how, value, [gradient[i] for gradient in gradients]) for i, value in enumerate(start)]


def compare(found: Values, expected: Values, start: Values) -> tuple[float, float, int]:
    """How far values are from the expected: all by the distance travelled, the worst by its own, and which that is."""
    if len(found) != len(expected) or not all(map(math.isfinite, found)):
        return math.inf, math.inf, 0
    apart = [abs(a - b) for a, b in zip(found, expected, strict=True)]
    travel = [abs(b - c) for b, c in zip(expected, start, strict=True)]
    by_own = [a / b if b else math.inf if a else 0.0 for a, b in zip(apart, travel, strict=True)]
    worst = max(range(len(by_own)), key=by_own.__getitem__)
    return math.hypot(*apart) / math.hypot(*travel), by_own[worst], worst


def _sgd(optimizer: Optimizer, how: Convention, value: float, gradients: Values) -> float:
    velocity = 0.0
    momentum = _float32(optimizer.momentum) if how.form == "keras" else optimizer.momentum
    for step, gradient in enumerate(gradients):
        velocity = momentum * velocity + (1 - how.dampening if step else 1.0) * gradient
        ahead = gradient + momentum * velocity if how.nesterov else velocity
        value -= optimizer.learning_rate * ahead
    return value


def _adam(optimizer: Optimizer, how: Convention, value: float, gradients: Values) -> float:
    rate, beta1, beta2 = optimizer.learning_rate, optimizer.beta1, optimizer.beta2
    decay = optimizer.weight_decay if optimizer.name == "adamw" else 0.0
    decay = _float32(decay) if how.form == "keras" else decay
    first = second = 0.0
    power1, power2 = (_float32(beta1), _float32(beta2)) if how.form == "keras" else (beta1, beta2)
    for step, given in enumerate(gradients, how.first_step):
        gradient = given + decay * value if how.decay == "l2" else given
        if how.decay == "decoupled":
            value *= 1 - rate * decay
        elif how.decay == "unscaled":
            value *= 1 - decay
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient * gradient
        c1, c2 = (1 - power1**step, 1 - power2**step) if how.bias_correction else (1.0, 1.0)
        if how.epsilon_in_root:
            below = math.sqrt(second / c2 + optimizer.epsilon)
        elif how.form == "torch":
            below = math.sqrt(second) / math.sqrt(c2) + optimizer.epsilon
        else:
            below = (math.sqrt(second) + optimizer.epsilon) / math.sqrt(c2)
        value -= rate / c1 * first / below
        if how.decay == "after":
            value *= 1 - rate * decay
    return value


def _float32(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded
