"""All runs of one framework on one device in a child; in a fresh one for the rest when a run took the child with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from envkit import harness
from envkit.smoke import ending
from envkit.smoke.conclude import SEED, Outcome, Said, conclude
from envkit.smoke.ending import Verdict
from envkit.smoke.judging import Observation
from envkit.smoke.program import program
from envkit.smoke.types import Event, Precision, RunResult, Stage, Variant

FOLDER = Path(__file__).parent


class Task(NamedTuple):
    """One run: a model, where, and how."""

    model: str
    device: str
    precision: Precision = "float32"
    variant: Variant = "eager"
    steps: int = 20


@dataclass(frozen=True)
class Conditions:
    """What holds for every child of one smoke."""

    python: str
    env: Mapping[str, str]
    threads: str
    """OMP_NUM_THREADS of the children."""
    deadline_seconds: float
    """For one stage."""
    on_event: Callable[[Event], None]
    stop: threading.Event
    """Set when everything must end."""


class _HangError(Exception):
    """Makes the harness end a child that does not get on."""


class _StoppedError(Exception):
    """Makes the harness end a child because everything must end."""


@dataclass
class _Progress:
    """What one child has said so far."""

    stage: Stage | None = "start"
    """None after a result: it is between two models."""
    since: float = field(default_factory=time.monotonic)
    import_error: dict[str, str] | None = None
    said: Said = field(default_factory=Said)
    """Of the run that it is at."""
    outcomes: list[Outcome] = field(default_factory=list)

    def hear(self, record: dict[str, Any], framework: str) -> Event | None:
        """Take one record of the child in; the event it stands for."""
        self.since = time.monotonic()
        if "import_error" in record:
            self.import_error = record["import_error"]
            return None
        if "observation" in record:
            self.said.observations.append(msgspec.convert(record["observation"], Observation))
            return None
        if "optimizer" in record:
            self.said.optimizer = (record["optimizer"]["optimizer"], record["optimizer"]["values"])
            return None
        if "result" in record:
            self.stage = None
            self.outcomes.append(Outcome(conclude(record["result"], self.said), self.said))
            self.said = Said()
            return _done(self.outcomes[-1].result)
        event = msgspec.convert({"framework": framework, **record}, Event)
        self.stage = event.stage
        return event


def train(framework: str, tasks: list[Task], conditions: Conditions) -> list[Outcome]:
    """Do all tasks in children of the inspected interpreter: one outcome for each, in their order.

    Once `conditions.stop` is set it ends with an exception that nobody needs to see.
    """
    try:
        sources = read_sources(framework)
    except FileNotFoundError:
        nothing = Verdict("unknown", "no-adapter", f"envkit has no smoke test for {framework} yet")
        return [blame(framework, task, nothing, conditions) for task in tasks]
    outcomes: list[Outcome] = []
    while len(outcomes) < len(tasks):
        pending = tasks[len(outcomes) :]
        progress, verdict = _one_child(framework, pending, sources, conditions)
        outcomes += progress.outcomes
        if verdict:
            # Before the first model, the cause is the same for all of them.
            common = progress.stage in {"start", "import"}
            blamed = pending[len(progress.outcomes) :] if common else [pending[len(progress.outcomes)]]
            outcomes += [blame(framework, task, verdict, conditions) for task in blamed]
    return outcomes


def read_sources(framework: str) -> dict[str, str]:
    """The program of a child: the source of each of its modules.

    Raises:
        FileNotFoundError: there is no adapter for this framework.
    """
    files = {
        "adapter": f"adapters/{framework}.py",
        "cases": "cases.py",
        "child": "child.py",
        "models": f"models/{framework}.py",
        "witness": "witness.py",
    }
    return {name: (FOLDER / file).read_text("utf-8") for name, file in files.items()}


def _one_child(
    framework: str, tasks: list[Task], sources: dict[str, str], conditions: Conditions
) -> tuple[_Progress, Verdict | None]:
    """What one child said and, when it ended without saying all, the verdict on what it was at."""
    progress = _Progress()
    runs = [task._asdict() for task in tasks]
    task = {"framework": framework, "runs": runs, "seed": SEED, "threads": conditions.threads, "sources": sources}

    def on_record(record: dict[str, Any]) -> None:
        event = progress.hear(record, framework)
        if event:
            conditions.on_event(event)

    def on_idle(_pid: int) -> None:
        if conditions.stop.is_set():
            raise _StoppedError
        if time.monotonic() - progress.since > conditions.deadline_seconds:
            raise _HangError

    kills = ending.oom_kills()
    try:
        child = harness.run(
            [conditions.python, "-"],
            deadline_seconds=None,  # each stage has its own, see on_idle
            stdin=program("smoke", sources["child"], task),
            env=conditions.env,
            on_record=on_record,
            on_idle=on_idle,
        )
    except _HangError:
        child = None
    if progress.import_error:
        return progress, Verdict("fail", **progress.import_error)
    if progress.stage is None:
        return progress, None
    at = tasks[min(len(progress.outcomes), len(tasks) - 1)]
    doing = ending.doing(progress.stage, framework, at.model, at.device)
    if child is None:
        return progress, Verdict("crash", "hang", f"no answer within {conditions.deadline_seconds:g} s while {doing}")
    return progress, ending.judge(child, progress.stage, doing, kills)


def blame(framework: str, task: Task, verdict: Verdict, conditions: Conditions) -> Outcome:
    """The outcome of a task of which no child could tell."""
    how = {name: value for name, value in task._asdict().items() if name != "steps"}
    result = RunResult(framework=framework, **how, **verdict._asdict())
    conditions.on_event(_done(result))
    return Outcome(result, Said())


def _done(result: RunResult) -> Event:
    return Event(framework=result.framework, stage="done", model=result.model, device=result.device, result=result)
