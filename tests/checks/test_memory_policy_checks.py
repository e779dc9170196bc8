"""Checks of how the kernel and the control group hand memory out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import memory as memory_checks
from envkit.checks import memory_policy as checks
from envkit.facts import Facts, ok
from envkit.facts.host import MemoryPolicy
from envkit.facts.machine import Memory
from envkit.findings import Finding
from envkit.profile import Profile, Requires

GIB = 1024**3
ANY = Profile()
MEMORY = Memory(memory_total_bytes=64 * GIB, memory_available_bytes=60 * GIB)


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def policy(overcommit: Any = "never", limit: int | None = 32 * GIB, committed: int | None = 10 * GIB) -> MemoryPolicy:
    return MemoryPolicy(overcommit=overcommit, commit_limit_bytes=limit, committed_bytes=committed)


@pytest.mark.parametrize("committed", [10 * GIB, 40 * GIB])
def test_overcommit_refuses_memory_fires(committed: int) -> None:
    found = one(checks.overcommit_refuses_memory(policy(committed=committed), MEMORY))
    assert found.status == "warn"
    assert found.message.startswith("programs are refused memory after " + ("22" if committed < 32 * GIB else "0"))


@pytest.mark.parametrize(
    ("memory_policy", "memory"),
    [
        (policy(limit=62 * GIB, committed=2 * GIB), MEMORY),  # a machine set up for it: vm.overcommit_ratio=95
        (policy("heuristic"), MEMORY),
        (policy("always"), MEMORY),
        (policy(None), MEMORY),
        (policy(limit=None), MEMORY),
        (policy(committed=None), MEMORY),
        (policy(), Memory()),
    ],
)
def test_overcommit_refuses_memory_near_miss(memory_policy: MemoryPolicy, memory: Memory) -> None:
    assert not list(checks.overcommit_refuses_memory(memory_policy, memory))


def test_huge_pages_hold_memory_fires() -> None:
    held = MemoryPolicy(huge_pages_total_bytes=20 * GIB, huge_pages_free_bytes=17 * GIB)
    assert one(checks.huge_pages_hold_memory(held, MEMORY)).message.startswith("17.0 GiB of 64.0 GiB")


@pytest.mark.parametrize(("total", "free"), [(0, 0), (20 * GIB, 0), (16 * GIB, 16 * GIB), (None, None)])
def test_huge_pages_hold_memory_near_miss(total: int | None, free: int | None) -> None:
    held = MemoryPolicy(huge_pages_total_bytes=total, huge_pages_free_bytes=free)
    assert not list(checks.huge_pages_hold_memory(held, MEMORY))


def test_memory_maps_limit_low_fires() -> None:
    assert one(checks.memory_maps_limit_low(MemoryPolicy(memory_maps_limit=1024))).status == "warn"


@pytest.mark.parametrize("limit", [65_530, 1_048_576, None])
def test_memory_maps_limit_low_near_miss(limit: int | None) -> None:
    assert not list(checks.memory_maps_limit_low(MemoryPolicy(memory_maps_limit=limit)))


SWAPPING = Facts(memory=ok(Memory(swap_total_bytes=8 * GIB)))
USUAL = MemoryPolicy(swappiness=60, transparent_huge_pages="always")


@pytest.mark.parametrize(
    "wanted",
    [
        {"swap_maximum_bytes": 0},
        {"swap_minimum_bytes": 16 * GIB},
        {"swappiness_maximum": 10},
        {"transparent_huge_pages": "madvise"},
    ],
)
def test_memory_policy_differs_fires(wanted: dict[str, Any]) -> None:
    assert len(one(checks.memory_policy_differs(USUAL, SWAPPING, **wanted)).evidence) == 1


@pytest.mark.parametrize(
    ("memory_policy", "facts", "wanted"),
    [
        (USUAL, SWAPPING, {}),
        (USUAL, SWAPPING, {"swap_maximum_bytes": 8 * GIB, "swappiness_maximum": 60}),
        (USUAL, Facts(), {"swap_maximum_bytes": 0, "swap_minimum_bytes": GIB}),
        (MemoryPolicy(), SWAPPING, {"swappiness_maximum": 0, "transparent_huge_pages": "never"}),
    ],
)
def test_memory_policy_differs_near_miss(memory_policy: MemoryPolicy, facts: Facts, wanted: dict[str, Any]) -> None:
    assert not list(checks.memory_policy_differs(memory_policy, facts, **wanted))


def throttled(high: Any, left: Any) -> Memory:
    return Memory(cgroup_high_bytes=high, cgroup_high_left_bytes=left)


@pytest.mark.parametrize(
    ("memory", "profile"),
    [
        (throttled(10 * GIB, 0), ANY),
        (throttled(4 * GIB, 4 * GIB), Profile(name="p", requires=Requires(memory=8 * GIB))),
        (throttled(4 * GIB, None), Profile(name="p", requires=Requires(memory=8 * GIB))),
    ],
)
def test_cgroup_memory_throttled_fires(memory: Memory, profile: Profile) -> None:
    assert one(memory_checks.cgroup_memory_throttled(memory, profile)).status == "warn"


@pytest.mark.parametrize(
    "memory", [throttled(10 * GIB, GIB), throttled(10 * GIB, None), throttled("unlimited", "unlimited"), Memory()]
)
def test_cgroup_memory_throttled_near_miss(memory: Memory) -> None:
    profile = Profile(name="p", requires=Requires(memory=8 * GIB))
    assert not list(memory_checks.cgroup_memory_throttled(memory, profile))
