"""Judging what a framework computed against float64, from numbers alone: no process, no file, no clock.

Four checks, each sharp where the others are blind: the gradient at fixed weights, the optimizer alone, a trajectory,
and the device. Compared are sketches of tensors (`sketches.py`), by the bounds of `envkit/knowledge/smoke.yaml`.
"""

from __future__ import annotations

from envkit.knowledge.smoke import SmokeTable, SmokeTolerance
from envkit.smoke.judging.agreement import agreement, judge_repetition
from envkit.smoke.judging.conventions import judge_optimizer
from envkit.smoke.judging.device import judge_device
from envkit.smoke.judging.gradients import judge_gradient
from envkit.smoke.judging.optimizers import Form
from envkit.smoke.judging.trajectory import judge_trajectory
from envkit.smoke.judging.types import Golden, Gradient, Judgement, Measure, Observation, Witness

__all__ = [
    "Golden",
    "Gradient",
    "Judgement",
    "Measure",
    "Observation",
    "Witness",
    "agreement",
    "judge",
    "judge_device",
    "judge_gradient",
    "judge_optimizer",
    "judge_repetition",
    "judge_trajectory",
    "tolerance_of",
]


def judge(observation: Observation, golden: Golden, form: Form, table: SmokeTable) -> list[Judgement]:
    """The judgements on one case: gradient, trajectory (where it was trained), repetition (where promised), device.

    Args:
        observation: what the framework reported.
        golden: of the same case and seed.
        form: the convention of the framework's optimizer, which chooses the trajectory.
        table: the tolerances.
    """
    tolerance = tolerance_of(observation, form, table)
    judgements = [judge_gradient(observation, golden, tolerance, table)]
    if observation.losses and golden.trajectory:
        judgements.append(judge_trajectory(observation, golden.trajectory[form], tolerance))
    if observation.differing is not None:
        judgements.append(judge_repetition(observation.differing))
    return [*judgements, judge_device(observation)]


def tolerance_of(observation: Observation, form: Form, table: SmokeTable) -> SmokeTolerance:
    """The row, or rows, of the table that this run falls under."""
    kind = observation.device.partition(":")[0]
    run = observation
    return table.tolerance((run.dtype, form, run.framework, kind, run.variant, run.case))
