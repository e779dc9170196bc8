"""What several runs of one case say together: frameworks that agree or not, and a gradient that is repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envkit.smoke.judging import sketches
from envkit.smoke.judging.types import Gradient, Judgement

SAME = 0.2
"""Gradients that lie this much nearer to each other than to the reference are wrong in the same way."""


def agreement(gradients: Mapping[str, Gradient], wrong: Sequence[str], golden: Gradient) -> str:
    """Where to look, from which frameworks are wrong on one device, and whether in the same way.

    Args:
        gradients: by framework, of one case, device and precision.
        wrong: the frameworks whose gradients fail check G.
        golden: what they should be.
    """
    right = [name for name in gradients if name not in wrong]
    if not wrong or len(gradients) < 2:
        return ""
    if len(wrong) == 1:
        return f"{wrong[0]} alone is wrong, {_and(right)} right here: look at {wrong[0]} and its libraries first"
    first, *others = wrong
    error = sketches.total(gradients[first].tensors, golden.tensors)
    apart = [_apart(gradients[first], gradients[other], golden) for other in others]
    if max(apart) <= SAME * error:
        return f"{_and(wrong)} are wrong in the same way: look at what they share, the device, its driver and BLAS"
    return f"{_and(wrong)} are wrong, each in its own way: look at the device and its memory first"


def _apart(a: Gradient, b: Gradient, golden: Gradient) -> float:
    """The distance of two gradients by the norm of the right one."""
    apart = sum(sketches.distance(a.tensors[name], b.tensors[name]) ** 2 for name in golden.tensors)
    return float((apart / sum(sketch[0] for sketch in golden.tensors.values())) ** 0.5)


def judge_repetition(differing: Sequence[str]) -> Judgement:
    """Whether two equal gradients, of which determinism is promised, were equal bit for bit; what was not."""
    if not differing:
        return Judgement(check="repetition", status="pass", words="a gradient computed twice, equal bit for bit")
    return Judgement(
        check="repetition",
        status="fail",
        words=f"the same gradient, computed twice, differs in {_and(differing)}, though determinism is promised",
        confirm="the same with one thread, and on another machine: a kernel without a fixed order, a race or memory",
        causes=["ecc-uncorrected", "host-memory-errors"],
    )


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
