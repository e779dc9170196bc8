"""Training in NumPy, and what is reported of it: an observation like those of the frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from benchmarks.smoke_faults.faults import Fault, rounded
from benchmarks.smoke_faults.maths import Array, Maths
from benchmarks.smoke_faults.models import MODELS, Weights
from envkit.smoke.cases import OPTIMIZERS, Case, Optimizer, Tensor, _signs, prescribed


def array(tensor: Tensor, dtype: Any) -> Array:
    values = (np.frombuffer(tensor.data, np.uint8).astype(np.float64) - tensor.zero) * tensor.scale
    return values.astype(dtype).reshape(tensor.shape)


class Update:
    """The optimizer's update, with what a fault sets in it."""

    def __init__(self, optimizer: Optimizer, faulty: Mapping[str, Any], dtype: Any) -> None:
        numbers = {name: value for name, value in faulty.items() if name in Optimizer._fields}
        self.optimizer = optimizer._replace(**numbers)
        self.optimizer = self.optimizer._replace(learning_rate=optimizer.learning_rate * faulty.get("rate", 1.0))
        self.faulty = faulty
        self.type = np.dtype(dtype).type
        self.moments: dict[str, tuple[Array, Array]] = {}
        self.last: Weights = {}
        self.count = 0

    def __call__(self, weights: Weights, gradients: Weights) -> Weights:
        self.count += 1
        given = self.last or gradients if self.faulty.get("late") else gradients
        self.last = gradients
        names = sorted(weights)
        target, kernel = (next((n for n in names if n.endswith(kind)), names[0]) for kind in ("bias", "kernel"))
        result = {}
        for name in names:
            new = self._one(name, weights[name], given[name])
            if self.faulty.get("twice") == name:
                new = new + (new - weights[name])
            if name == target and "more" in self.faulty:
                new = weights[name] + (new - weights[name]) * self.type(self.faulty["more"])
            if name == target and self.faulty.get("frozen"):
                new = weights[name]
            if name == kernel and self.faulty.get("stuck"):
                new.flat[0] = weights[name].flat[0]
            result[name] = rounded(new, self.faulty["bits"]) if "bits" in self.faulty else new
        return result

    def _one(self, name: str, w: Array, g: Array) -> Array:
        o, f = self.optimizer, self.faulty
        one = self.type
        m, v = self.moments.get(name, (np.zeros_like(w), np.zeros_like(w)))
        rate = one(o.learning_rate)
        if o.name == "sgd":
            m = one(o.momentum) * m + (one(1 - f.get("dampening", 0.0)) if self.count > 1 else one(1)) * g
            self.moments[name] = m, v
            return w - rate * (g + one(o.momentum) * m if f.get("nesterov") else m)
        decay = one(o.weight_decay if o.name == "adamw" else 0.0)
        kind = f.get("decay", "decoupled")
        if kind == "l2":
            g = g + decay * w
        elif kind == "decoupled" or (kind == "matrices" and w.ndim > 1):
            w = w * (1 - rate * decay)
        elif kind == "unscaled":
            w = w * (1 - decay)
        m = one(o.beta1) * m + one(1 - o.beta1) * g
        v = one(o.beta2) * v + one(1 - o.beta2) * g * g
        self.moments[name] = m, v
        t = self.count + f.get("ahead", 0)
        c1, c2 = (one(1 - o.beta1**t), one(1 - o.beta2**t)) if f.get("corrected", True) else (one(1), one(1))
        if f.get("root"):
            below = np.sqrt(v / c2 + one(o.epsilon))
        elif f.get("keras"):
            below = (np.sqrt(v) + one(o.epsilon)) / np.sqrt(c2)
        else:
            below = np.sqrt(v) / np.sqrt(c2) + one(o.epsilon)
        w = w - rate / c1 * m / below
        return w * (1 - rate * decay) if kind == "after" else w


def observe(case: Case, fault: Fault | None, dtype: str, steps: int) -> dict[str, Any]:
    """Gradients of the first batch and the probe, and a trajectory, with a fault in it."""
    maths = Maths(dtype)
    if fault and fault.operation:
        fault.operation(maths)
    shift = fault.data if fault and fault.data else lambda y: y
    model = MODELS[case.name]
    first = weights = {tensor.name: array(tensor, dtype) for tensor in case.weights}
    batches = [(array(x, dtype), shift(array(y, dtype))) for x, y in case.batches]

    def gradient(batch: tuple[Array, Array]) -> dict[str, Any]:
        loss, gradients = model(maths, weights, *batch)
        return {"loss": finite(loss), "tensors": {name: sketch(g, name) for name, g in gradients.items()}}

    probe = (array(case.probe[0], dtype), shift(array(case.probe[1], dtype))) if case.probe else None
    observation = {"gradient": gradient(batches[0]), "probe": gradient(probe) if probe else None}
    update = Update(case.optimizer, fault.update if fault else {}, dtype)
    losses = []
    for step in range(steps):
        maths.step = step
        loss, gradients = model(maths, weights, *batches[step % len(batches)])
        losses.append(finite(loss))
        weights = update(weights, gradients)
    travel = {name: sketch(w.astype(float) - first[name], name) for name, w in weights.items()} if steps else {}
    still = [name for name, w in weights.items() if np.array_equal(w, first[name])] if steps else []
    described = {"case": case.name, "framework": "numpy", "device": "cpu", "dtype": dtype, "unchanged": still}
    tensors = [[name, "cpu", str(w.dtype)] for name, w in weights.items()]
    return {**described, **observation, "losses": losses, "travel": travel, "tensors": tensors}


def optimize(name: str, seed: int, fault: Fault | None, dtype: str) -> list[float]:
    """The prescribed gradients through the update, with a fault in it."""
    start, gradients = prescribed(seed)
    update = Update(OPTIMIZERS[name], fault.update if fault else {}, dtype)
    weights = {"values": np.array(start, dtype)}
    for gradient in gradients:
        weights = update(weights, {"values": np.array(gradient, dtype)})
    values: list[float] = weights["values"].astype(float).tolist()
    return values


def sketch(values: Array, name: str) -> list[float]:
    """As `cases.sketch`, to rounding."""
    flat = values.astype(float).ravel()
    return [float(flat @ flat), *(signs(name, flat.size) @ flat).tolist()]


def lists(tensors: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: sketch(np.array(values), name) for name, values in tensors.items()}


def difference(after: dict[str, list[float]], before: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: sketch(np.array(after[name]) - np.array(before[name]), name) for name in after}


@cache
def signs(name: str, size: int) -> Array:
    return np.array([np.frombuffer(row, np.uint8) for row in _signs(name, size)]) * 2.0 - 1.0


def finite(loss: float) -> float | None:
    return loss if np.isfinite(loss) else None
