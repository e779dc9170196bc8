"""How the kernel hands memory out: overcommitment, huge pages, mappings, swap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks.memory import size
from envkit.findings import Findings, Remedy, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.host import MemoryPolicy
    from envkit.facts.machine import Memory

_VM_ADMIN_GUIDE = "https://docs.kernel.org/admin-guide/sysctl/vm.html"


@check(area="machine", after="memory-low")
def overcommit_refuses_memory(memory_policy: MemoryPolicy, memory: Memory, *, share: float = 0.5) -> Findings:
    """The kernel promises no more memory than its limit (vm.overcommit_memory=2), and the limit is near.

    A process that starts workers needs its whole memory promised once more for each. share: of the memory that is
    available, how much must still be promised.
    """
    limit, committed, there = (
        memory_policy.commit_limit_bytes,
        memory_policy.committed_bytes,
        memory.memory_available_bytes,
    )
    if memory_policy.overcommit != "never" or limit is None or committed is None or there is None:
        return
    left = max(0, limit - committed)
    if left < share * there:
        yield warn(
            f"programs are refused memory after {size(left)} more, though {size(there)} are available",
            evidence=[f"vm.overcommit_memory=2, {size(committed)} of {size(limit)} promised"],
            remedy=Remedy(
                text="let the kernel overcommit, or raise vm.overcommit_ratio (for good in /etc/sysctl.d)",
                commands=[["sudo", "sysctl", "-w", "vm.overcommit_memory=0"]],
                who="admin",
                url=_VM_ADMIN_GUIDE,
            ),
        )


@check(area="machine")
def huge_pages_hold_memory(memory_policy: MemoryPolicy, memory: Memory, *, share: float = 0.25) -> Findings:
    """Much memory is set aside as huge pages that nobody uses; PyTorch and TensorFlow cannot have it.

    share: of the machine's memory.
    """
    free, total = memory_policy.huge_pages_free_bytes, memory.memory_total_bytes
    if free and total and free > share * total:
        yield warn(
            f"{size(free)} of {size(total)} memory are set aside as huge pages and unused",
            evidence=[f"{size(memory_policy.huge_pages_total_bytes or free)} in huge pages"],
            remedy=Remedy(
                text="give them back, unless a database or virtual machines wait for them (for good: without "
                "vm.nr_hugepages in /etc/sysctl.d and hugepages= on the kernel's command line)",
                commands=[["sudo", "sysctl", "-w", "vm.nr_hugepages=0"]],
                who="admin",
            ),
        )


@check(area="machine")
def memory_maps_limit_low(memory_policy: MemoryPolicy, *, minimum: int = 65_530) -> Findings:
    """A process may have fewer memory mappings than the kernel's own default: large data sets cannot be mapped."""
    limit = memory_policy.memory_maps_limit
    if limit is not None and limit < minimum:
        yield warn(
            f"a process may have {limit} memory mappings only",
            evidence=[f"vm.max_map_count={limit}, at least {minimum} wanted"],
            remedy=Remedy(
                text="raise it (for good in /etc/sysctl.d)",
                commands=[["sudo", "sysctl", "-w", f"vm.max_map_count={minimum}"]],
                who="admin",
            ),
        )


@check(area="machine")
def memory_policy_differs(
    memory_policy: MemoryPolicy,
    facts: Facts,
    *,
    swap_minimum_bytes: int = 0,
    swap_maximum_bytes: int = -1,
    swappiness_maximum: int = -1,
    transparent_huge_pages: str = "",
) -> Findings:
    """Swap, swappiness or transparent huge pages are not as the profile's thresholds want them.

    Of itself it wants nothing: -1 and "" stand for anything. transparent_huge_pages: "always", "madvise" or "never".
    """
    memory = facts.memory.facts
    swap = memory.swap_total_bytes if memory else None
    swappiness, huge = memory_policy.swappiness, memory_policy.transparent_huge_pages
    differing = []
    if swap is not None and swap < swap_minimum_bytes:
        differing.append(f"{size(swap)} of swap, at least {size(swap_minimum_bytes)} wanted")
    if swap is not None and 0 <= swap_maximum_bytes < swap:
        differing.append(f"{size(swap)} of swap, at most {size(swap_maximum_bytes)} wanted")
    if swappiness is not None and 0 <= swappiness_maximum < swappiness:
        differing.append(f"vm.swappiness={swappiness}, at most {swappiness_maximum} wanted")
    if huge and transparent_huge_pages and huge != transparent_huge_pages:
        differing.append(f"transparent huge pages: {huge}, {transparent_huge_pages} wanted")
    if differing:
        yield warn(
            "the kernel's memory policy is not that of the profile",
            evidence=differing,
            remedy=Remedy(text="set it as the profile says (swapoff, sysctl, /sys/kernel/mm)", who="admin"),
        )
