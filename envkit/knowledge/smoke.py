"""How far a right training may be from the float64 reference, and what rounding looks like from its distance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from envkit.knowledge.tables import Row, Table


class SmokeTolerance(Row, frozen=True, kw_only=True):
    """Bounds on relative deviations; what has none is not judged by a number.

    gradient_*: of one batch at the initial weights (loss, all tensors together, the worst tensor by its own norm);
    probe_*: the same of the batch without kinks. optimizer_*: of prescribed gradients (all values by the distance
    they travelled, the worst one by its own). trajectory_*: of training (losses, weights by the distance they
    travelled, the worst tensor by its own) after 20 steps, long_*: after 200.
    """

    gradient_loss: float | None = None
    gradient_total: float | None = None
    gradient_tensor: float | None = None
    probe_loss: float | None = None
    probe_total: float | None = None
    probe_tensor: float | None = None
    optimizer_total: float | None = None
    optimizer_element: float | None = None
    trajectory_loss: float | None = None
    trajectory_total: float | None = None
    trajectory_tensor: float | None = None
    long_loss: float | None = None
    long_total: float | None = None
    long_tensor: float | None = None


class SmokePrecision(Row, frozen=True, kw_only=True):
    """Deviations of the whole gradient, [from, below), that computing in this precision leaves.

    smooth: of models without kinks alone, since one that is crossed is a finite jump.
    """

    start: float = msgspec.field(name="from")
    below: float
    smooth: bool = False


class SmokeTable(Table, frozen=True, kw_only=True):
    """tolerances: by the words of a run ("float64 tensorflow transformer"); precisions: by name, finest first."""

    tolerances: dict[str, SmokeTolerance]
    precisions: dict[str, SmokePrecision]

    def tolerance(self, words: Iterable[str]) -> SmokeTolerance:
        """The bounds for a run that these words describe; a row counts if it has all its words, the one with more wins.

        Args:
            words: precision, framework, form of the optimizer, device, variant, case: {"float32", "torch", "mlp", ...}.
        """
        described = set(words)
        bounds: dict[str, Any] = {}
        for name, row in sorted(self.tolerances.items(), key=lambda item: len(item[0].split())):
            if described.issuperset(name.split()):
                bounds |= {field: value for field, value in msgspec.structs.asdict(row).items() if value is not None}
        return SmokeTolerance(**bounds)

    def precision(self, deviation: float, *, smooth: bool) -> str | None:
        """What precision a gradient's deviation looks like; None between two, and where it is wrong by any."""
        for name, row in self.precisions.items():
            if row.start <= deviation < row.below and (smooth or not row.smooth):
                return name
        return None
