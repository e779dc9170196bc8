"""Smoke runs from the command line: what to train, and progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envkit.errors import CannotTell
from envkit.formats import Style
from envkit.interpreter import Interpreter
from envkit.profile import Profile
from envkit.smoke.types import Event, Precision, SmokeReport, Variant

if TYPE_CHECKING:
    from rich.status import Status

    from envkit.checks._visible_devices import Visible
    from envkit.facts import Facts

SECTIONS = ("memory", "nvidia", "amd", "apple", "python", "torch", "tensorflow", "jax")


def train(
    python: Interpreter,
    profile: Callable[[Facts], Profile],
    *,
    frameworks: Collection[str] = (),
    models: Collection[str] = (),
    device: str = "",
    variants: Sequence[Variant] = ("eager",),
    precisions: Sequence[Precision] = ("float32",),
    long: bool = False,
    deadline_seconds: float = 300.0,
) -> SmokeReport:
    """Compute what the profile for these facts asks for; without any, what is installed, on the device found.

    `device` is a kind ("cuda"), one of a kind ("cuda:1"), "all" of the kind found, or "" for the first.
    """
    import msgspec

    from envkit.capture import capture
    from envkit.smoke.expected import expected_runs
    from envkit.smoke.run import smoke

    facts = capture(python=python, only=SECTIONS)
    kind, _, index = device.partition(":")
    runs = [
        msgspec.structs.replace(
            run, models=list(models) or run.models, device=kind if kind and kind != "all" else run.device
        )
        for run in expected_runs(profile(facts), facts)
        if not frameworks or run.framework in frameworks
    ]
    if not runs and facts.python.outcome != "ok":
        raise CannotTell(facts.python.why)
    memory = facts.memory.facts
    with _status() as status:
        return smoke(
            python.path,
            runs,
            variants=variants,
            precisions=precisions,
            indices=range(_devices(facts)) if kind == "all" else [int(index or 0)],
            long=long,
            deadline_seconds=deadline_seconds,
            memory_available_bytes=memory.left_bytes if memory else None,
            device_memory=_free_memory(facts),
            on_event=_teller(status),
        )


def _devices(facts: Facts) -> int:
    """How many accelerators there are to train on, of the kind that there is; 1 where none was counted."""
    shown, amd = _shown(facts), facts.amd.facts
    return max(1, len(shown.gpus) + len(shown.mig) if shown else 0, len((amd.gpus if amd else None) or []))


def _shown(facts: Facts) -> Visible | None:
    """The NVIDIA GPUs that CUDA shows a process here; None where CUDA_VISIBLE_DEVICES names some that are not known."""
    from envkit.checks._gpus import usable
    from envkit.checks._visible_devices import Visible, visible

    gpus, python = usable(facts.nvidia.facts), facts.python.facts
    value = python.environment.get("CUDA_VISIBLE_DEVICES") if python else None
    return visible(value, gpus) if value is not None else Visible(gpus, [], "", by_index=True)


def _free_memory(facts: Facts) -> dict[str, int]:
    """Bytes that are free of each GPU, by the name that CUDA gives it; without those of which that is not known."""
    shown = _shown(facts)
    if not shown or (shown.by_index and len({gpu.name for gpu in shown.gpus}) > 1):  # CUDA numbers them by speed
        return {}
    return {
        f"cuda:{index}": gpu.memory_free_bytes
        for index, gpu in enumerate(shown.gpus)
        if gpu.memory_free_bytes is not None and gpu.mig_mode != "enabled"
    }


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
        at = f" step {event.step}, loss {event.loss:.3g}" if event.step and event.loss is not None else ""
        on = f" on {event.device}" if ":" in (event.device or "") else ""
        doing[event.framework + on] = f"{event.framework}{on}: {event.model or ''} {event.stage}{at}".replace("  ", " ")
        status.update("   ".join(doing.values()))

    return tell
