"""The sum over all devices, with gloo on the CPU in place of NCCL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from envkit.bench.ranks import all_reduce
from envkit.bench.types import Event


def test_two_ranks_meet_and_the_bus_bandwidth_is_told(conditions: Callable[..., Any], cpu_stack: Path) -> None:
    events: list[Event] = []
    made = conditions(python=str(cpu_stack), memory_bytes=64 << 20, on_event=events.append)
    result = all_reduce(["cpu", "cpu"], made, backend="gloo")
    assert (result.status, result.kind, result.device, result.variant) == ("pass", "all-reduce", "all", "gloo")
    assert result.detail == "2 ranks, 8 MiB each"
    assert (result.value or 0) > 0
    assert [event.result for event in events] == [None, result]


def test_a_rank_that_fails_ends_the_others_at_once(conditions: Callable[..., Any], cpu_stack: Path) -> None:
    made = conditions(python=str(cpu_stack), memory_bytes=64 << 20, deadline_seconds=100)
    result = all_reduce(["cpu", "cuda:7"], made, backend="gloo")
    assert (result.status, result.cause) == ("fail", "framework-error")
    assert result.message.startswith("rank 1 (cuda:7): ")
