"""From the numbers of a child to the result of a run: compared with the float64 reference, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from envkit import knowledge
from envkit.smoke import cases
from envkit.smoke.judging import (
    Golden,
    Gradient,
    Judgement,
    Observation,
    agreement,
    judge,
    judge_optimizer,
    tolerance_of,
)
from envkit.smoke.judging.optimizers import Form
from envkit.smoke.types import Check, RunResult, Status

FOLDER = Path(__file__).parent / "golden"
SEED = 0
"""Of the golden data that ship."""


class Said(msgspec.Struct):
    """What a child said of one run before its result."""

    observations: list[Observation] = []
    optimizer: tuple[str, list[float | None]] | None = None
    """Its name, and the values after prescribed gradients."""


class Outcome(msgspec.Struct, frozen=True):
    """The result of a run, and the numbers it was concluded from."""

    result: RunResult
    said: Said


def conclude(facts: dict[str, Any], said: Said) -> RunResult:
    """The result of a run.

    Args:
        facts: of the run, from the child: fields of RunResult, with `cause` where it failed by itself, and the `form`
            of its optimizer.
        said: its observations.
    """
    form: Form = facts.pop("form")
    judged = [
        (observation, judgement)
        for observation in said.observations
        for judgement in judge(observation, golden(observation.case), form, knowledge.load().smoke)
    ]
    if said.optimizer and said.observations:
        judged.append((said.observations[-1], _judge_optimizer(*said.optimizer, said.observations[-1], form)))
    cause, message = facts.pop("cause", None), facts.pop("message", "")
    if not cause:
        cause, message = _cause(judged)
    known = {
        **_seen(said.observations, form),
        **facts,
        "status": _status(cause, [judgement for _, judgement in judged]),
        "cause": cause,
        "message": message,
        "precision_seen": next((judgement.precision for _, judgement in judged if judgement.precision), None),
    }
    return msgspec.structs.replace(
        msgspec.convert(known, RunResult),
        checks=[_check(observation.case, judgement) for observation, judgement in judged],
    )


def agree(outcomes: Iterable[Outcome]) -> list[str]:
    """Where to look when frameworks, or variants of one, do not agree: a sentence for each case that some got wrong."""
    cases_of: dict[tuple[str, str, str], tuple[dict[str, Gradient], list[str]]] = {}
    for outcome in outcomes:
        for observation in outcome.said.observations:
            if observation.gradient:
                key = observation.case, observation.device, observation.dtype
                gradients, wrong = cases_of.setdefault(key, ({}, []))
                name = f"{observation.framework} ({observation.variant})"
                gradients[name] = observation.gradient
                checks = [check for check in outcome.result.checks if check.case == observation.case]
                if any((check.check, check.status) == ("gradient", "fail") for check in checks):
                    wrong.append(name)
    return [
        f"{case} on {device} in {dtype}: {words}"
        for (case, device, dtype), (gradients, wrong) in cases_of.items()
        if (words := agreement(gradients, wrong, golden(case).gradient))
    ]


@cache
def golden(case: str) -> Golden:
    """What float64 gives for a case."""
    return msgspec.json.decode((FOLDER / f"{case}.json").read_bytes(), type=Golden)


def _judge_optimizer(name: str, values: list[float | None], observation: Observation, form: Form) -> Judgement:
    found = [math.nan if value is None else value for value in values]
    tolerance = tolerance_of(observation, form, knowledge.load().smoke)
    return judge_optimizer(cases.OPTIMIZERS[name], form, found, cases.prescribed(SEED), tolerance)


def _check(case: str, judgement: Judgement) -> Check:
    bounded = [measure for measure in judgement.measures if measure.tolerance is not None]
    measure = max(bounded or judgement.measures, key=lambda measure: measure.margin, default=None)
    return Check(
        check=judgement.check,
        case=case,
        status=judgement.status,
        deviation=measure.deviation if measure else None,
        tolerance=measure.tolerance if measure else None,
        worst=f"{measure.what} {measure.where}".strip() if measure else "",
        message=judgement.words,
        confirm=judgement.confirm,
        causes=judgement.causes,
        measures=judgement.measures,
    )


def _seen(observations: list[Observation], form: Form) -> dict[str, Any]:
    """Where the tensors lay, and the losses of the case that was trained."""
    tensors = [tensor for observation in observations for tensor in observation.tensors]
    seen: dict[str, Any] = {}
    if tensors:
        seen["device_used"] = next(
            (used for o in observations for _, used, _ in o.tensors if used != o.device), tensors[-1][1]
        )
        seen["dtype"] = tensors[-1][2]
    for observation in observations:
        trajectory = (golden(observation.case).trajectory or {}).get(form)
        if observation.losses and trajectory:
            losses = observation.losses
            seen.update(steps=len(losses), loss_first=losses[0], loss_last=losses[-1], losses=losses)
            seen["losses_expected"] = trajectory.losses[: len(losses)]
    return seen


def _cause(judged: list[tuple[Observation, Judgement]]) -> tuple[str | None, str]:
    """The cause that explains the others, in words; or why nothing can be said; or what was reached."""
    failed = [(observation, judgement) for observation, judgement in judged if judgement.status == "fail"]
    causes = [(_named(observation, judgement), observation, judgement) for observation, judgement in failed]
    # A gradient that is lost leaves its parameter unchanged, and the trajectory is off by both.
    last = ("wrong-trajectory", "parameters-unchanged")
    for cause, observation, judgement in sorted(
        causes, key=lambda found: last.index(found[0]) if found[0] in last else -1
    ):
        return cause, f"{observation.case}: {judgement.words}"
    for observation, judgement in judged:
        if judgement.status == "unknown":
            return None, f"{observation.case}: {judgement.words}"
    return None, ", ".join(_figures(judgement for _, judgement in judged))


def _named(observation: Observation, judgement: Judgement) -> str:
    if judgement.check == "repetition":
        return "not-repeatable"
    if judgement.check != "device":
        return f"wrong-{judgement.check}"
    elsewhere = [used for _, used, _ in observation.tensors if used != observation.device]
    if elsewhere:
        return "silent-cpu-fallback" if elsewhere[0] == "cpu" else "wrong-device"
    if any(witness.saw is False for witness in observation.witness):
        return "silent-cpu-fallback"
    if not observation.finite:
        return "loss-not-finite"
    return "parameters-unchanged" if observation.unchanged else "wrong-dtype"


def _figures(judgements: Iterable[Judgement]) -> Iterator[str]:
    """The deviation of each check: "gradient 1.2e-07"."""
    worst: dict[str, float] = {}
    for judgement in judgements:
        for measure in judgement.measures:
            if measure.tolerance is not None:
                worst[judgement.check] = max(worst.get(judgement.check, 0.0), measure.deviation)
    return (f"{check} {deviation:.1e}" for check, deviation in worst.items())


def _status(cause: str | None, judgements: list[Judgement]) -> Status:
    if cause:
        return "skip" if cause == "precision-missing" else "fail"
    passed = judgements and all(judgement.status == "pass" for judgement in judgements)
    return "pass" if passed else "unknown"
