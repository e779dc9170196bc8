"""Measurements in a child of the inspected interpreter; in a fresh one for the rest when one took the child with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from envkit import harness
from envkit.bench.types import Event, Kind, Measurement
from envkit.smoke import ending
from envkit.smoke import program as smoke_program
from envkit.smoke.framework import read_sources

FOLDER = Path(__file__).parent / "measures"


class Task(NamedTuple):
    """One thing to measure."""

    kind: Kind
    device: str
    variant: str = ""

    @property
    def measure(self) -> str:
        """What measures it, see measures/child.py: the memory of the CPU needs no framework."""
        return "host-memory" if self.kind == "memory" and self.device == "cpu" else self.kind

    @property
    def needs_torch(self) -> bool:
        return self.measure not in {"host-memory", "disk"}

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.device, self.variant) if part)


@dataclass(frozen=True)
class Conditions:
    """What holds for every child of one bench."""

    python: str
    env: Mapping[str, str]
    threads: int
    memory_bytes: int
    """What may be taken of the host's memory."""
    deadline_seconds: float
    """For the import of the framework, and for one measurement."""
    on_event: Callable[[Event], None]


@dataclass
class Said:
    """What one child has said so far."""

    stage: str | None = "start"
    """None between two measurements."""
    since: float = field(default_factory=time.monotonic)
    import_error: dict[str, str] | None = None
    survey: dict[str, Any] | None = None
    results: list[Measurement] = field(default_factory=list)


class _HangError(Exception):
    """Makes the harness end a child that does not get on."""


def measure(tasks: Sequence[Task], conditions: Conditions, *, torch: bool) -> tuple[list[Measurement], dict[str, Any]]:
    """One result for each task, in their order, and what PyTorch says of itself and its devices.

    Where it says nothing, that is {"blame": {"status", "cause", "message"}}. With no task it is only asked that.
    """
    results: list[Measurement] = []
    survey: dict[str, Any] = {}
    while True:
        pending = tasks[len(results) :]
        said, blame = one_child(pending, conditions, torch=torch)
        survey = said.survey or survey or ({"blame": blame} if blame else {})
        results += said.results
        if blame:
            # Before the first measurement, the cause is the same for all of them.
            common = said.stage in {"start", "import"}
            blamed = pending[len(said.results) :] if common else [pending[len(said.results)]]
            results += [told(task, conditions, **blame) for task in blamed]
        if len(results) >= len(tasks):
            return results, survey


def one_child(
    tasks: Sequence[Task],
    conditions: Conditions,
    *,
    torch: bool,
    rank: Mapping[str, object] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Said, dict[str, str]]:
    """What one child said; when it ended without saying all, also the status, cause and message of what it was at."""
    said = Said()

    def on_idle(_pid: int) -> None:
        if stopped() or time.monotonic() - said.since > conditions.deadline_seconds:
            raise _HangError

    kills = ending.oom_kills()
    try:
        child = harness.run(
            [conditions.python, "-"],
            deadline_seconds=None,  # each stage has its own, see on_idle
            stdin=_program(tasks, conditions, torch=torch, rank=rank),
            env=conditions.env,
            on_record=lambda record: _hear(record, said, tasks, conditions),
            on_idle=on_idle,
        )
    except _HangError:
        child = None
    if said.import_error:
        missing = said.import_error["cause"] == "framework-missing"
        return said, {"status": "skip" if missing else "fail", **said.import_error}
    if said.stage is None:
        return said, {}
    at = tasks[min(len(said.results), len(tasks) - 1)] if tasks else "nothing"
    doing = {"start": "starting the interpreter", "import": "importing torch"}.get(said.stage, f"measuring {at}")
    if child is None:
        silence = f"no answer within {conditions.deadline_seconds:g} s while {doing}"
        return said, {"status": "crash", "cause": "hang", "message": silence}
    return said, ending.judge(child, "start" if said.stage == "start" else "train", doing, kills)._asdict()


def _hear(record: dict[str, Any], said: Said, tasks: Sequence[Task], conditions: Conditions) -> None:
    said.since = time.monotonic()
    if "start" in record:
        said.stage = "measure"
        conditions.on_event(Event(**tasks[record["start"]]._asdict()))
    elif "result" in record:
        said.stage = None
        said.results.append(told(tasks[len(said.results)], conditions, **record["result"]))
    elif "survey" in record:
        said.survey, said.stage = record["survey"], None
    else:
        said.stage = record.get("stage", said.stage)
        said.import_error = record.get("import_error")


def told(task: Task, conditions: Conditions, **outcome: Any) -> Measurement:
    """The result of a task, which is told at once."""
    result = msgspec.convert({**task._asdict(), **outcome}, Measurement)
    conditions.on_event(Event(**task._asdict(), result=result))
    return result


def _program(tasks: Sequence[Task], conditions: Conditions, *, torch: bool, rank: Mapping[str, object] | None) -> bytes:
    sources = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.py"))}
    task = {
        "torch": torch,
        "measurements": [(task.measure, task.device, task.variant) for task in tasks],
        "sources": sources,
        "smoke": read_sources("torch") if any(task.kind == "step" for task in tasks) else {},
        "threads": conditions.threads,
        "memory_bytes": conditions.memory_bytes,
        "rank": rank,
    }
    return smoke_program.program("bench", sources["child"], task)
