"""Smoke runs from the command line: what to train, and progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envkit.errors import CannotTell
from envkit.formats import Style
from envkit.interpreter import Interpreter
from envkit.profile import Profile
from envkit.smoke.types import Event, SmokeReport

if TYPE_CHECKING:
    from rich.status import Status

    from envkit.facts import Facts

SECTIONS = ("memory", "nvidia", "amd", "apple", "python", "torch", "tensorflow", "jax")


def train(
    python: Interpreter,
    profile: Callable[[Facts], Profile],
    *,
    frameworks: Collection[str] = (),
    models: Collection[str] = (),
    device: str = "",
    deadline_seconds: float = 300.0,
) -> SmokeReport:
    """Train what the profile for these facts asks for; without any, what is installed, on the device found."""
    import msgspec

    from envkit.capture import capture
    from envkit.smoke.expected import expected_runs
    from envkit.smoke.run import smoke

    facts = capture(python=python, only=SECTIONS)
    runs = [
        msgspec.structs.replace(
            run, models=[m for m in run.models if m in models] if models else run.models, device=device or run.device
        )
        for run in expected_runs(profile(facts), facts)
        if not frameworks or run.framework in frameworks
    ]
    if not runs and facts.python.outcome != "ok":
        raise CannotTell(facts.python.why)
    memory = facts.memory.facts
    available = memory.memory_available_bytes if memory else None
    if memory and isinstance(memory.cgroup_available_bytes, int):
        available = min(available or memory.cgroup_available_bytes, memory.cgroup_available_bytes)
    with _status() as status:
        return smoke(
            python.path,
            runs,
            deadline_seconds=deadline_seconds,
            memory_available_bytes=available,
            on_event=_teller(status),
        )


def prove(python: Path, profile: Profile, style: Style, say: Callable[[str], None]) -> tuple[object, str]:
    """Train in a new environment and show it: the report, and why it did not come out right, "" when it did."""
    from envkit.smoke.show import render

    report = train(Interpreter(str(python), "the new environment"), lambda _: profile)
    say(render(report, style) + "\n")
    if report.status == "healthy":
        return report, ""
    why_not = (f"{r.framework} {r.model}: {r.message}" for r in report.runs if r.status != "pass")
    return report, next(why_not, "no run")


def _status() -> AbstractContextManager[Any]:
    """A moving line on stderr; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status("starting")


def _teller(status: Status | None) -> Callable[[Event], None] | None:
    if status is None:
        return None
    doing: dict[str, str] = {}

    def tell(event: Event) -> None:
        doing[event.framework] = f"{event.framework}: {event.model or ''} {event.stage}".replace("  ", " ")
        status.update("   ".join(doing.values()))

    return tell
