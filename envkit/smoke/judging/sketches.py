"""What two sketches tell of the tensors they were made of.

Projections p_j on random signs keep distances: the mean of (p_j(a) - p_j(b))^2 estimates ||a - b||^2 (Alon, Matias and
Szegedy, 1996), for one tensor with a relative standard deviation of sqrt(2/16) = 0.35, so 0.18 of the distance. The
norm, first number of a sketch, is exact; so is the distance of tensors that differ in one element.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from envkit.smoke.judging.types import Sketch

Sketches = Mapping[str, Sketch]


def norm(sketch: Sketch) -> float:
    return math.sqrt(sketch[0])


def distance(a: Sketch, b: Sketch, scale: float = 1.0) -> float:
    """||a - scale * b||; infinite where a number is missing."""
    if not _finite(a):
        return math.inf
    return math.sqrt(sum((p - scale * q) ** 2 for p, q in zip(a[1:], b[1:], strict=True)) / (len(b) - 1))


def deviation(a: Sketch, b: Sketch, scale: float = 1.0) -> float:
    """||a - scale * b|| / ||b||."""
    return _ratio(distance(a, b, scale), norm(b))


def total(found: Sketches, expected: Sketches, scale: float = 1.0) -> float:
    """The deviation of all tensors together; infinite where one is missing."""
    if not found.keys() >= expected.keys():
        return math.inf
    apart = math.hypot(*(distance(found[name], sketch, scale) for name, sketch in expected.items()))
    return _ratio(apart, math.sqrt(sum(sketch[0] for sketch in expected.values())))


def by_tensor(found: Sketches, expected: Sketches) -> dict[str, float]:
    """The deviation of each tensor by its own norm, in the order of the model."""
    return {name: deviation(found[name], sketch) if name in found else math.inf for name, sketch in expected.items()}


def worst(deviations: Mapping[str, float]) -> tuple[str, float]:
    name = max(deviations, key=lambda tensor: deviations[tensor])
    return name, deviations[name]


def zero(found: Sketches, expected: Sketches) -> list[str]:
    """Tensors that are exactly 0 and should not be."""
    return [name for name, sketch in expected.items() if sketch[0] and name in found and found[name][0] == 0]


def scale_of(found: Sketches, expected: Sketches) -> float:
    """The k for which found is nearest to k * expected; 0 where nothing is expected."""
    pairs = [
        (p, q)
        for name, sketch in expected.items()
        if name in found
        for p, q in zip(found[name][1:], sketch[1:], strict=True)
    ]
    return _ratio(math.fsum(p * q for p, q in pairs), math.fsum(q * q for _, q in pairs))


def _ratio(part: float, whole: float) -> float:
    if part == 0:
        return 0.0
    return part / whole if whole else math.inf


def _finite(sketch: Sketch) -> bool:
    return all(map(math.isfinite, sketch))
