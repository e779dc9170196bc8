"""What is judged, and what is said of it."""

from __future__ import annotations

from typing import Literal

import msgspec

Sketch = list[float]
"""The sum of squares of a tensor, then its projections on random signs; see `envkit.smoke.cases.sketch`."""

Kind = Literal["gradient", "optimizer", "trajectory", "device", "repetition"]


class Gradient(msgspec.Struct, frozen=True, kw_only=True):
    """Loss and gradients of one batch at the initial weights; loss None: not finite."""

    loss: float | None
    tensors: dict[str, Sketch]


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver itself says of a run on its device; saw None: it could not be asked."""

    what: str
    saw: bool | None
    words: str = ""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What a framework computed of one case. Steps count from 0; a loss that is None is not finite.

    dtype: as asked for: "float64", "float32", "tf32", "bfloat16", "float16" (the last two: autocast).
    differing: tensors in which the same gradient came out otherwise the second time; None: determinism is not promised.
    tensors: name, kind of device and dtype of parameters, gradients and output.
    """

    case: str
    framework: str
    device: str
    dtype: str
    variant: str = "eager"
    gradient: Gradient | None = None
    probe: Gradient | None = None
    losses: list[float | None] = []
    travel: dict[str, Sketch] = {}
    unchanged: list[str] = []
    differing: list[str] | None = None
    tensors: list[tuple[str, str, str]] = []
    finite: bool = True
    witness: list[Witness] = []


class Trajectory(msgspec.Struct, frozen=True, kw_only=True):
    """Losses, and by the number of steps the sketches of the distance travelled."""

    losses: list[float]
    travel: dict[str, dict[str, Sketch]]


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """What float64 gives for a case (schema envkit.golden/1)."""

    case: str
    seed: int
    gradient: Gradient
    probe: Gradient | None = None
    trajectory: dict[str, Trajectory] | None = None


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A relative deviation and its bound (None: reported, not judged). where: the tensor, step or element."""

    what: str
    deviation: float
    tolerance: float | None
    where: str = ""

    @property
    def within(self) -> bool:
        return self.tolerance is None or self.deviation <= self.tolerance

    @property
    def margin(self) -> float:
        """How many times the tolerance; 0 where there is none."""
        return self.deviation / self.tolerance if self.tolerance else 0.0


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one run.

    words: where a deviation begins and what it looks like. confirm: what would tell. causes: ids of checks of the
    doctor and of causes of explain that fit. precision: what the numbers look like; None: not known.
    """

    check: Kind
    status: Literal["pass", "fail", "unknown"]
    measures: list[Measure] = []
    precision: str | None = None
    words: str = ""
    confirm: str = ""
    causes: list[str] = []


def in_bounds(check: Kind, measures: list[Measure], precision: str | None = None) -> Judgement:
    """The judgement where no measure exceeds its bound: pass, but unknown where none has one."""
    if any(measure.tolerance is not None for measure in measures):
        return Judgement(check=check, status="pass", measures=measures, precision=precision)
    words = f"the {check} was computed, but no tolerance is known for this framework, device and precision"
    return Judgement(check=check, status="unknown", measures=measures, precision=precision, words=words)
