"""The verdict on a world: its ranks, its collectives, and its training by that of one process in float64."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from envkit.knowledge import Knowledge
from envkit.smoke import judging
from envkit.smoke.distributed import blame
from envkit.smoke.distributed.types import Check, Framework, RankEnd, RankReport, Status, Task, World

GOLDEN = Path(__file__).parents[1] / "golden"
AFTER = {"build", "train", "agree"}
"""Stages after those of the collectives."""
COLLECTIVES = ("all-reduce", "all-reduce-pairs", "broadcast", "all-gather")
FORMS: dict[Framework, Any] = {"torch": "torch", "tensorflow": "keras", "jax": "torch"}


def judge_world(task: Task, ends: Mapping[int, RankEnd], seconds: float) -> World:
    """The verdict.

    Args:
        task: what was to be done.
        ends: by rank, what is known of it.
        seconds: that all of it took.
    """
    blamed = blame.culprits(ends)
    ranks = [blame.report(ends[rank], blamed, task.deadline_seconds) for rank in sorted(ends)]
    if task.framework == "torch":
        ranks += [
            RankReport(rank=rank, status="unknown", message="not heard of")
            for rank in range(task.size)
            if rank not in ends
        ]
    checks = _collectives(ends) if task.framework == "torch" and ends else []
    for case in task.cases:
        checks += _trained(task, case, {rank: ends[rank] for rank in ends if case in ends[rank].trained})
    return World(
        framework=task.framework,
        backend=task.backend,
        size=task.size,
        deadline_seconds=task.deadline_seconds,
        status=_worst([*(rank.status for rank in ranks), *(check.status for check in checks)]),
        message=_headline(ranks, checks),
        version=next((end.version for end in ends.values() if end.version), None),
        ranks=ranks,
        checks=checks,
        seconds=seconds,
    )


def _worst(statuses: Sequence[str]) -> Any:
    """A rank that was ended because of another says nothing of its own."""
    return next((status for status in ("crash", "fail", "unknown", "pass") if status in statuses), "unknown")


def _headline(ranks: Sequence[RankReport], checks: Sequence[Check]) -> str:
    blamed = [rank for rank in ranks if rank.status in {"fail", "crash"}]
    wrong = [f"rank {rank.rank} on {rank.host or '?'}: {rank.message}" for rank in blamed]
    witness = next((rank for rank in ranks if rank.status == "skip" and rank.words), None)
    if witness and any(rank.cause in {"hang", "lost"} for rank in blamed):
        wrong.append(f"rank {witness.rank} on {witness.host or '?'} says: {witness.words}")
    wrong += [
        f"{' '.join(filter(None, (check.name, check.case)))}: {check.message}"
        for check in checks
        if check.status == "fail"
    ]
    return "; ".join(wrong)


def _collectives(ends: Mapping[int, RankEnd]) -> list[Check]:
    found: dict[str, dict[tuple[int, ...], str]] = {name: {} for name in COLLECTIVES}
    for end in ends.values():
        for wrong in end.wrong:
            found[wrong["check"]].setdefault(tuple(wrong["ranks"]), wrong["message"])
    passed = all(end.done or end.stage.get("stage") in AFTER for end in ends.values())
    return [
        Check(
            name=name,  # type: ignore[arg-type]
            status="fail" if wrong else "pass" if passed else "unknown",
            message="; ".join(f"of rank {' and '.join(map(str, ranks))}: {text}" for ranks, text in wrong.items()),
            wrong=[list(ranks) for ranks in wrong],
        )
        for name, wrong in found.items()
    ]


def _trained(task: Task, case: str, ends: Mapping[int, RankEnd]) -> list[Check]:
    """The trajectory, which rank 0 reports, and the weights, which every rank must have."""
    if 0 not in ends:
        return [Check(name="trajectory", case=case, status="unknown", message="rank 0 did not come to its end")]
    found = ends[0].trained[case]
    observation = judging.Observation(
        case=case,
        framework=task.framework,
        device="cuda" if task.backend == "nccl" else "cpu",
        dtype="float32",
        losses=found["losses"],
        travel=found["travel"],
    )
    form = FORMS[task.framework]
    golden = (_golden(case).trajectory or {})[form]
    tolerance = judging.tolerance_of(observation, form, Knowledge().smoke)
    judgement = judging.judge_trajectory(observation, golden, tolerance)
    bounded = [(measure.what, measure.deviation, measure.tolerance) for measure in judgement.measures]
    measures = [(what, deviation, tolerance) for what, deviation, tolerance in bounded if tolerance is not None]
    equal = _equal(case, ends) if "digests" in found else None
    words = judgement.words
    if judgement.status == "fail" and equal:
        exchanged = (
            "are exchanged, but not averaged as they should be" if equal.status == "pass" else "are not exchanged"
        )
        words += f"; unless one process computes wrongly too, the gradients {exchanged}"
    trajectory = Check(
        name="trajectory",
        case=case,
        status=judgement.status,
        message=words,
        measures=measures,
        losses=found["losses"],
        losses_expected=golden.losses[: len(found["losses"])],
    )
    return [trajectory, equal] if equal else [trajectory]


def _equal(case: str, ends: Mapping[int, RankEnd]) -> Check:
    """Whether all ranks end with the same weights, bit by bit; between unlike devices the bits may differ."""
    digests = {rank: end.trained[case]["digests"] for rank, end in ends.items()}
    ((usual, _),) = Counter(tuple(digest.items()) for digest in digests.values()).most_common(1)
    apart = {
        rank: next(name for name, value in usual if digest[name] != value)
        for rank, digest in digests.items()
        if tuple(digest.items()) != usual
    }
    message = "; ".join(f"rank {rank} has other weights, {name} first" for rank, name in apart.items())
    unlike = len({end.device for end in ends.values()}) > 1
    status: Status = "fail" if apart and not unlike else "pass"
    wrong = [[rank] for rank in apart]
    return Check(name="equal-weights", case=case, status=status, message=message, wrong=wrong)


@cache
def _golden(case: str) -> judging.Golden:
    return msgspec.json.decode((GOLDEN / f"{case}.json").read_bytes(), type=judging.Golden)
