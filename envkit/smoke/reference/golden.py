"""What a right implementation computes from a case, as far as envkit compares it: the golden data."""

from __future__ import annotations

from typing import Any

from envkit.smoke.cases import CASES, Case, Tensor, sketch
from envkit.smoke.reference.layers import Arrays
from envkit.smoke.reference.models import array, gradient
from envkit.smoke.reference.optimizers import AT_REST, FORMS, update

SCHEMA = "envkit.golden/1"
TRAVELS = (20, 200)
"""The steps after which the weights are compared."""


def golden(name: str, seed: int = 0, steps: int = 200) -> dict[str, Any]:
    """The gradients of a case at its start and its trajectory over so many steps, by the form of the optimiser."""
    case = CASES[name](seed)
    return {
        "schema": SCHEMA,
        "case": name,
        "seed": seed,
        "gradient": start(case, case.batches[0]),
        "probe": start(case, case.probe) if case.probe else None,
        "trajectory": {form: trajectory(case, form, steps) for form in FORMS if case.steps},
    }


def start(case: Case, batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """The loss at the initial weights, and the sketch of its gradient by each."""
    loss, gradients = gradient(case.name, initial(case), *map(array, batch))
    return {"loss": loss, "tensors": sketches(gradients)}


def trajectory(case: Case, form: str, steps: int) -> dict[str, Any]:
    """The loss before each step and after the last, and how far the weights have come by then."""
    batches = [(array(x), array(y)) for x, y in case.batches]
    first = weights = initial(case)
    moments = dict.fromkeys(weights, AT_REST)
    losses, travel = [], {}
    for step in range(1, steps + 1):
        loss, gradients = gradient(case.name, weights, *batches[(step - 1) % len(batches)])
        losses.append(loss)
        weights = dict(weights)
        for name, weight in weights.items():
            weights[name], moments[name] = update(case.optimizer, form, step, weight, gradients[name], moments[name])
        if step in TRAVELS:
            travel[str(step)] = sketches({name: weight - first[name] for name, weight in weights.items()})
    losses.append(gradient(case.name, weights, *batches[steps % len(batches)])[0])
    return {"losses": losses, "travel": travel}


def initial(case: Case) -> Arrays:
    return {tensor.name: array(tensor) for tensor in case.weights}


def sketches(tensors: Arrays) -> dict[str, list[float]]:
    return {name: sketch(tensors[name].ravel().tolist(), name) for name in sorted(tensors)}
