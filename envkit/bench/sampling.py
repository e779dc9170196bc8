"""What NVML tells of the GPUs while they are measured: clocks and what lowers them are other ones a moment later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from envkit.bench.types import Event
from envkit.facts.accelerators import NvidiaGpu

PAUSE_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 12.0  # for a driver that does not answer: the thread is left behind then

Observe = Callable[[], "list[NvidiaGpu]"]
Key = tuple[str, str, str]


class Sampler:
    """What was told while each measurement ran."""

    def __init__(self) -> None:
        self._now: Key | None = None
        self._samples: dict[Key, list[NvidiaGpu]] = {}

    def hear(self, event: Event) -> None:
        """A measurement begins or ends."""
        self._now = None if event.result else (event.kind, event.device, event.variant)

    def during(self, key: Key) -> list[NvidiaGpu]:
        """What was told of all GPUs while that ran."""
        return self._samples.get(key, [])

    def ask(self, observe: Observe) -> None:
        """Ask once, if anything is measured now, and keep the answer if the same is measured still."""
        begun = self._now
        told = observe() if begun else []
        if begun and begun == self._now:
            self._samples.setdefault(begun, []).extend(told)


@contextmanager
def sampling(observe: Observe | None) -> Iterator[Sampler]:
    """A sampler that asks again and again in a thread of its own; without `observe` it knows nothing."""
    sampler, stop = Sampler(), threading.Event()
    if observe is None:
        yield sampler
        return

    def run() -> None:
        while not stop.wait(PAUSE_SECONDS):
            sampler.ask(observe)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield sampler
        stop.set()
        thread.join(LONGEST_WAIT_SECONDS)
    finally:
        stop.set()
