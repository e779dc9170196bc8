"""Repeating something until its time is known."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

Work = Callable[[], object]
TimeOf = Callable[[Work, int], "list[float]"]
"""Seconds of each of so many calls, one after the other."""


def host_times(work: Work, count: int) -> list[float]:
    """By the host's clock, for work that is done when it returns."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times


def sample(
    work: Work,
    time_of: TimeOf,
    *,
    seconds: float = 0.5,
    warm_seconds: float = 0.2,
    least: int = 3,
    most: int = 500,
) -> list[float]:
    """Times of `least` to `most` calls, for about so many seconds.

    Before that it runs for `warm_seconds`: clocks rise, pages are touched, libraries choose their kernels.
    """
    started = time.perf_counter()
    time_of(work, 1)
    once = time_of(work, 1)[0]
    while time.perf_counter() - started < warm_seconds:
        once = statistics.median(time_of(work, 3))
    return time_of(work, max(least, min(most, int(seconds / max(once, 1e-9)))))


def result(times: list[float], amount: float, unit: str, detail: str = "") -> dict[str, Any]:
    """What a measure returns: the median, and how far the quartiles lie apart.

    Args:
        times: seconds of each repeat.
        amount: what one repeat did, in the unit times a second: 2e12 operations are 2.0 for TFLOPS.
        unit: "TFLOPS" or "GB/s" (10^9 bytes).
        detail: sizes, for the reader.
    """
    ordered = sorted(times)
    median = statistics.median(ordered)
    quarter = len(ordered) // 4
    return {
        "value": amount / median,
        "unit": unit,
        "spread": (ordered[-1 - quarter] - ordered[quarter]) / median,
        "repeats": len(ordered),
        "detail": detail,
    }


def halving(
    attempt: Callable[[int], Any], size: int, least: int, out_of_memory: Callable[[BaseException], bool]
) -> Any:
    """attempt(size), with half the size each time the memory does not suffice, down to `least`."""
    while True:
        try:
            return attempt(size)
        except Exception as error:
            if size // 2 < least or not out_of_memory(error):
                raise
        size //= 2
