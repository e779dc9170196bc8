"""Check G: loss and gradients of one batch at the initial weights."""

from __future__ import annotations

import math

from envkit.knowledge.smoke import SmokeTable, SmokeTolerance
from envkit.smoke.judging import sketches
from envkit.smoke.judging.layers import between, in_order, named
from envkit.smoke.judging.precision import mismatch
from envkit.smoke.judging.types import Golden, Gradient, Judgement, Measure, Observation, in_bounds


def judge_gradient(observation: Observation, golden: Golden, tolerance: SmokeTolerance, table: SmokeTable) -> Judgement:
    """Loss, whole gradient and worst tensor of the first batch and of the probe, and the precision they show."""
    found = [
        (prefix, seen, expected)
        for prefix, seen, expected in (
            ("probe", observation.probe, golden.probe),
            ("gradient", observation.gradient, golden.gradient),
        )
        if seen and expected
    ]
    if not found:
        return Judgement(check="gradient", status="unknown", words="no gradient was reported")
    measures = [measure for prefix, seen, expected in found for measure in _measures(prefix, seen, expected, tolerance)]
    _, seen, expected = found[0]  # the probe has no kinks, so it tells more
    precision = table.precision(sketches.total(seen.tensors, expected.tensors), smooth=golden.probe is None)
    passed = all(measure.within for measure in measures)
    other = mismatch(observation.dtype, observation.case, precision, admitted=passed)
    if other and (passed or _is_rounding(seen, expected, tolerance)):
        words, confirm, causes = other
    elif passed:
        return in_bounds("gradient", measures, precision)
    else:
        prefix, seen, expected = next(part for part in found if _is_off(part[0], measures))
        words = explain(observation.case, prefix, seen, expected, tolerance)
        confirm, causes = _confirm(observation)
    return Judgement(
        check="gradient",
        status="fail",
        measures=measures,
        precision=precision,
        words=words,
        confirm=confirm,
        causes=causes,
    )


def _measures(prefix: str, seen: Gradient, expected: Gradient, tolerance: SmokeTolerance) -> list[Measure]:
    name, worst = sketches.worst(sketches.by_tensor(seen.tensors, expected.tensors))
    figures = {
        "loss": (relative(seen.loss, expected.loss or 0.0), ""),
        "total": (sketches.total(seen.tensors, expected.tensors), ""),
        "tensor": (worst, name),
    }
    return [
        Measure(
            what=f"{prefix} {what}", deviation=deviation, tolerance=getattr(tolerance, f"{prefix}_{what}"), where=where
        )
        for what, (deviation, where) in figures.items()
    ]


def relative(found: float | None, expected: float) -> float:
    """The relative deviation of a loss; infinite where it is not finite. Losses below 1e-3 count as 1e-3."""
    if found is None or not math.isfinite(found):
        return math.inf
    return abs(found - expected) / max(abs(expected), 1e-3)


def _is_off(prefix: str, measures: list[Measure]) -> bool:
    return any(not measure.within for measure in measures if measure.what.startswith(prefix))


def _is_rounding(seen: Gradient, expected: Gradient, tolerance: SmokeTolerance) -> bool:
    """Whether nearly every tensor is off, and none by much: so rounding spreads, where a fault has a place."""
    deviations = sketches.by_tensor(seen.tensors, expected.tensors).values()
    off = sum(deviation > (tolerance.gradient_total or 0.0) for deviation in deviations)
    return seen.loss is not None and off >= 0.75 * len(deviations) and max(deviations) < 0.5


def explain(case: str, prefix: str, seen: Gradient, expected: Gradient, tolerance: SmokeTolerance) -> str:
    """What a wrong gradient looks like, by which of its tensors are wrong and how."""
    if seen.loss is None or any(not math.isfinite(sketches.norm(sketch)) for sketch in seen.tensors.values()):
        return "a number is not finite"
    zero = sketches.zero(seen.tensors, expected.tensors)
    deviations = in_order(case, sketches.by_tensor(seen.tensors, expected.tensors))
    bound = getattr(tolerance, f"{prefix}_tensor") or 0.0
    wrong = [name for name, deviation in deviations.items() if deviation > bound]
    right = [name for name in deviations if name not in wrong]
    forward = relative(seen.loss, expected.loss or 0.0) <= (getattr(tolerance, f"{prefix}_loss") or math.inf)
    loss = "the loss is right" if forward else "the loss is wrong too"
    lost = [name for name in wrong if name in zero]
    if lost:
        rest = f", and {named(right)} right" if right else ""
        return f"{loss}; the gradient is exactly 0 in {named(lost)}{rest}: lost {between(case, lost, right)}"
    name, worst = sketches.worst(deviations)
    if not wrong:
        return f"{loss}; all tensors deviate a little, {name} most ({worst:.1e}): rounding coarser than it should be"
    if len(wrong) == 1:
        how = _how(seen.tensors[name], expected.tensors[name]) if name in seen.tensors else "missing"
        return f"{loss}; the gradient of {name} alone is wrong ({how}): the kernel that computes it, or its memory"
    if forward and right:
        return f"{loss}; the gradients of {named(wrong)} are wrong, {named(right)} right: {between(case, wrong, right)}"
    scale = sketches.scale_of(seen.tensors, expected.tensors)
    if sketches.total(seen.tensors, expected.tensors, scale) <= (getattr(tolerance, f"{prefix}_total") or 0.0):
        return f"{loss}; the whole gradient is {scale:.7g} times what it should be: a loss averaged over another number"
    if forward:
        return f"{loss}; every gradient is wrong, {name} most ({worst:.1e}): the backward pass, from the loss on"
    whole = sketches.total(seen.tensors, expected.tensors)
    size = "noise or rounding in some operation" if whole < 0.02 else "another formula, layout or data"
    return f"{loss}, and every gradient, {name} most ({worst:.1e}): the forward pass computes otherwise ({size})"


def _how(found: list[float], expected: list[float]) -> str:
    scale = sketches.scale_of({"": found}, {"": expected})
    whole = sketches.deviation(found, expected)
    if abs(scale - 1) > 0.8 * whole and abs(scale - 1) > 3 * sketches.deviation(found, expected, scale):
        return f"{scale:.7g} times what it should be"
    return "unrelated to what it should be" if whole > 0.5 else f"off by {whole:.1e} of its size, without a pattern"


def _confirm(observation: Observation) -> tuple[str, list[str]]:
    """What tells the compiler, the device and the framework apart."""
    if observation.variant != "eager":
        return "the same case eager: if that is right, the compiler is wrong", ["known-bad-combination"]
    if observation.device == "cpu":
        return (
            "the same case in another framework, and with one thread; a memory test if it changes from run to run",
            ["known-bad-combination", "host-memory-errors", "library-mapped-twice"],
        )
    return (
        "the same case on the CPU and on another device: right there, this device or its libraries are wrong",
        [
            "ecc-uncorrected",
            "xid-hardware-fault",
            "cudnn-version-mismatch",
            "library-mapped-twice",
            "known-bad-combination",
        ],
    )
