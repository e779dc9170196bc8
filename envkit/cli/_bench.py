"""What `envkit bench` shows while it measures, and how it asks NVML meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envkit.bench.types import Event
    from envkit.facts.accelerators import NvidiaGpu


def gpus_of_nvml() -> list[NvidiaGpu]:
    """What NVML tells of all GPUs now; [] where it does not answer."""
    from envkit.capture import capture

    nvidia = capture(python=None, only=("nvidia",)).nvidia.facts
    return nvidia.gpus or [] if nvidia else []


@contextmanager
def progress() -> Iterator[Callable[[Event], None]]:
    """A moving line on stderr that names what is measured; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _event: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda event: status.update(f"{event.device}: {event.kind} {event.variant}")
