"""Check T: losses and distances travelled over a training; where a deviation begins and what it looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence

from envkit.knowledge.smoke import SmokeTolerance
from envkit.smoke.judging import sketches
from envkit.smoke.judging.gradients import relative
from envkit.smoke.judging.layers import named
from envkit.smoke.judging.types import Judgement, Measure, Observation, Trajectory, in_bounds

EARLY = 2
"""A wrong update may show in the loss by this step (that of step 0 is from before it)."""

JUMP = 30
"""What deviates so many times more than all steps before it began suddenly; a wrong update grows."""

ALONE = 20
"""A tensor that deviates this many times more than the median one is off by itself."""

EVENT = "one wrong result, as faulty memory or a race leaves it"
PART = "a part of it does not move, or its update is scaled"
UPDATE = "the update, not the gradient: optimizer, learning rate or weights stored in a narrower type"


def judge_trajectory(observation: Observation, golden: Trajectory, tolerance: SmokeTolerance) -> Judgement:
    """Every loss and the distance travelled by all weights, against those of the same optimizer in float64."""
    steps = len(observation.losses)
    broken = next((step for step, loss in enumerate(observation.losses) if not _finite(loss)), None)
    if broken is not None:
        return Judgement(
            check="trajectory",
            status="fail",
            measures=[
                Measure(what="loss", deviation=math.inf, tolerance=tolerance.trajectory_loss, where=f"step {broken}")
            ],
            words=f"the loss of step {broken} is not finite",
            confirm="the gradient of the step before, in float32 on the CPU",
        )
    expected = golden.travel.get(str(steps))
    if not steps or expected is None or steps > len(golden.losses):
        return Judgement(check="trajectory", status="unknown", words=f"nothing to compare {steps} steps with")
    prefix = "trajectory" if steps <= 20 else "long"
    bounds = {what: getattr(tolerance, f"{prefix}_{what}") for what in ("loss", "total", "tensor")}
    deviations = [
        relative(found, right) for found, right in zip(observation.losses, golden.losses[:steps], strict=True)
    ]
    step = max(range(steps), key=deviations.__getitem__)
    name, worst = sketches.worst(sketches.by_tensor(observation.travel, expected))
    measures = [
        Measure(what="loss", deviation=deviations[step], tolerance=bounds["loss"], where=f"step {step}"),
        Measure(what="update", deviation=sketches.total(observation.travel, expected), tolerance=bounds["total"]),
        Measure(what="tensor", deviation=worst, tolerance=bounds["tensor"], where=name),
    ]
    if all(measure.within for measure in measures):
        return in_bounds("trajectory", measures)
    began = _beginning(deviations, bounds["loss"] or 0.0)
    words, confirm, causes = _explain(observation, expected, began, deviations, bounds["total"] or 0.0)
    return Judgement(check="trajectory", status="fail", measures=measures, words=words, confirm=confirm, causes=causes)


def _finite(loss: float | None) -> bool:
    return loss is not None and math.isfinite(loss)


def _beginning(deviations: Sequence[float], bound: float) -> int | None:
    """The first step whose loss is off by a tenth of what is allowed."""
    return next((step for step, deviation in enumerate(deviations) if deviation > bound / 10), None)


def _explain(
    observation: Observation,
    expected: sketches.Sketches,
    began: int | None,
    deviations: Sequence[float],
    bound: float,
) -> tuple[str, str, list[str]]:
    """Words, what would confirm it, causes."""
    travel = observation.travel
    frozen = sketches.zero(travel, expected)
    if frozen:
        return (
            f"{named(frozen)} never moved: frozen, left out of the optimizer, or without a gradient",
            "check G: a gradient of 0 is lost in the backward pass, one that is right does not reach the weight",
            [],
        )
    scale = sketches.scale_of(travel, expected)
    rest = sketches.total(travel, expected, scale)
    if abs(scale - 1) > max(bound, 20 * rest):
        return (
            f"every weight travels {scale:.6g} times its way, in the right direction: learning rate x {scale:.6g}",
            "the learning rate that the optimizer holds, and its schedule",
            [],
        )
    when = "the losses do not show it" if began is None else f"the loss deviates from step {began} on"
    by_tensor = sketches.by_tensor(travel, expected)
    name, worst = sketches.worst(by_tensor)
    typical = sorted(by_tensor.values())[len(by_tensor) // 2]
    if began is not None and began > EARLY and deviations[began] > JUMP * max(deviations[:began]):
        return (
            f"{when}, suddenly, after {began} right steps; {name} is off most ({worst:.1e}): {EVENT}",
            "the same run again: faulty memory errs at another step or not at all; then a memory test",
            ["ecc-uncorrected", "xid-hardware-fault", "host-memory-errors"],
        )
    if worst > ALONE * typical:
        return (
            f"{when}; {name} alone is off ({worst:.1e} of its travel, the median tensor {typical:.1e}): {PART}",
            "the gradient of that tensor (check G), and the optimizer's groups",
            [],
        )
    if began == 0:
        return f"{when}: the forward pass is off already, see check G", "check G", []
    return (
        f"{when}, in all tensors ({name} most, {worst:.1e}): {UPDATE}",
        "check O says which convention; check D, in which type the weights are",
        [],
    )
