"""Main memory: of the machine, of the cgroup, and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.findings import Findings, Remedy, fail, unsure, warn

if TYPE_CHECKING:
    from envkit.facts.machine import Memory
    from envkit.profile import Profile

MIB, GIB = 1024**2, 1024**3
_RAISE = "raise the limit (docker: --memory; Kubernetes: resources.limits.memory; Slurm: --mem)"


def size(number: float) -> str:
    """Bytes for people: "1.5 GiB", "64 MiB"."""
    return f"{number / GIB:.1f} GiB" if number >= GIB else f"{number / MIB:.0f} MiB"


@check(area="machine", after=("cgroup-memory-limit-low", "memory-below-profile"))
def memory_low(memory: Memory, *, warn_bytes: int = 2 * GIB, fail_bytes: int = 512 * MIB) -> Findings:
    """Too little memory is available right now."""
    left = {
        "available on the machine": memory.memory_available_bytes,
        "left of the cgroup's limit": memory.cgroup_available_bytes,
    }
    known = {what: amount for what, amount in left.items() if isinstance(amount, int)}
    if memory.memory_available_bytes is None:
        yield unsure("how much memory is available is unknown")
    if known and min(known.values()) < warn_bytes:
        least = min(known.values())
        found = fail if least < fail_bytes else warn
        yield found(
            f"only {size(least)} of memory are available",
            evidence=[f"{size(amount)} {what}" for what, amount in known.items()],
            remedy=Remedy(text="stop other programs, or use a machine or a limit with more memory"),
        )


@check(area="machine")
def memory_below_profile(memory: Memory, profile: Profile, *, share: float = 0.9) -> Findings:
    """The machine has less memory than the profile requires.

    share: of the required size that will do, for firmware and kernel take a part of the nominal size.
    """
    wanted, total = profile.requires.memory, memory.memory_total_bytes
    if wanted and total is None:
        yield unsure(f"how much memory there is is unknown, profile {profile.name} needs {size(wanted)}")
    if wanted and total is not None and total < share * wanted:
        yield fail(
            f"{size(total)} of memory, profile {profile.name} needs {size(wanted)}",
            evidence=[f"total {size(total)}"],
            remedy=Remedy(text="use a machine with more memory"),
        )


@check(area="machine", after="memory-below-profile")
def cgroup_memory_limit_low(memory: Memory, profile: Profile) -> Findings:
    """The cgroup's memory limit is below what the profile requires, though the machine has more."""
    wanted, limit = profile.requires.memory, memory.cgroup_limit_bytes
    if wanted and isinstance(limit, int) and limit < wanted:
        yield fail(
            f"memory is limited to {size(limit)}, profile {profile.name} needs {size(wanted)}",
            evidence=[f"cgroup limit {size(limit)}, machine {size(memory.memory_total_bytes or 0)}"]
            if memory.memory_total_bytes
            else [f"cgroup limit {size(limit)}"],
            remedy=Remedy(text=_RAISE, who="admin"),
        )


@check(area="machine")
def cgroup_oom_kills(memory: Memory) -> Findings:
    """Processes of this cgroup have been killed because its memory ran out."""
    if memory.cgroup_oom_kills:
        limit = memory.cgroup_limit_bytes
        yield warn(
            f"{memory.cgroup_oom_kills} processes have been killed here because memory ran out",
            evidence=[f"oom_kill {memory.cgroup_oom_kills} in the cgroup's memory.events"]
            + ([f"cgroup limit {size(limit)}"] if isinstance(limit, int) else []),
            remedy=Remedy(text=f"{_RAISE}, or use smaller batches and fewer data loader workers"),
        )


@check(area="machine", after="cgroup-memory-limit-low")
def cgroup_memory_throttled(memory: Memory, profile: Profile, *, share: float = 0.05) -> Findings:
    """The cgroup's memory.high is nearly reached, or below what the profile requires: processes are slowed to a crawl.

    share: of memory.high that should be left.
    """
    high, left, wanted = memory.cgroup_high_bytes, memory.cgroup_high_left_bytes, profile.requires.memory
    if not isinstance(high, int):
        return
    near = isinstance(left, int) and left < share * high
    if near or high < wanted:
        needs = f", profile {profile.name} needs {size(wanted)}" if high < wanted else ""
        yield warn(
            f"processes are slowed down once they use {size(high)} of memory{needs}",
            evidence=[
                f"memory.high {size(high)} of the cgroup",
                f"{size(left)} left" if isinstance(left, int) else "use unknown",
            ],
            remedy=Remedy(text="raise memory.high (systemd: MemoryHigh=; Kubernetes: MemoryQoS)", who="admin"),
        )
