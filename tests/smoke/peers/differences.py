"""The smooth models' gradients against finite differences: prints the relative deviations as JSON.

Run by a stack's Python, with envkit on PYTHONPATH. Not for relu and max pool: one kink inside a difference spoils it.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from envkit.smoke.cases import CASES
from envkit.smoke.reference.golden import initial
from envkit.smoke.reference.models import array, gradient

STEP = 1e-5


def deviation(name: str) -> float:
    """The worst of all tensors: the slope along its own gradient, which is the gradient's norm."""
    case = CASES[name](0)
    x, y = map(array, case.batches[0])
    weights = initial(case)
    worst = 0.0
    for key, slope in gradient(name, weights, x, y)[1].items():
        norm = np.linalg.norm(slope)
        after, before = (
            gradient(name, weights | {key: weights[key] + sign * STEP * slope / norm}, x, y)[0] for sign in (1, -1)
        )
        worst = max(worst, abs((after - before) / (2 * STEP) / norm - 1))
    return worst


sys.stdout.write(json.dumps({name: deviation(name) for name in ("cnn-smooth", "lstm", "transformer")}))
