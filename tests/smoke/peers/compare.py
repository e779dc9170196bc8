"""How far a framework's gradients and optimisers in float64 are from the reference: `compare.py PEER` prints JSON.

Run by a stack's Python in this folder, with envkit on PYTHONPATH.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from envkit.smoke.cases import CASES, OPTIMIZERS, prescribed
from envkit.smoke.reference.golden import initial
from envkit.smoke.reference.models import array, gradient
from envkit.smoke.reference.optimizers import AT_REST, update

peer: Any = importlib.import_module(f"{sys.argv[1]}_peer")


def gradients() -> Iterator[tuple[str, float]]:
    """For each case and batch the largest relative deviation, of the loss and of the gradient by each tensor."""
    for name, make in CASES.items():
        case = make(0)
        weights = initial(case)
        for what, batch in (("batch", case.batches[0]), ("probe", case.probe)):
            if batch:
                loss, found = peer.gradient(name, weights, *map(array, batch))
                right_loss, right = gradient(name, weights, *map(array, batch))
                assert found.keys() == right.keys() == weights.keys()
                worst = max(np.linalg.norm(found[key] - right[key]) / np.linalg.norm(right[key]) for key in right)
                yield f"{name} {what}", max(worst, abs(loss / right_loss - 1))


def optimizers() -> Iterator[tuple[str, float]]:
    """For each optimiser the largest deviation of an element, relative to how far it travels."""
    form = "keras" if sys.argv[1] == "keras" else "torch"
    for name, optimizer in OPTIMIZERS.items():
        start, steps = prescribed(0)
        weight, moments = np.array(start), AT_REST
        for step, values in enumerate(steps, 1):
            weight, moments = update(optimizer, form, step, weight, np.array(values), moments)
        found = np.array(peer.optimize(optimizer, start, steps))
        yield name, float(np.max(np.abs(found - weight) / np.abs(weight - start)))


found = {
    "gradients": dict(gradients()) if hasattr(peer, "gradient") else {},
    "optimizers": dict(optimizers()) if hasattr(peer, "optimize") else {},
}
sys.stdout.write(json.dumps(found))
