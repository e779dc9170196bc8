"""Main memory, swap, what the control group leaves of it, and /dev/shm."""

from __future__ import annotations

import os
import sys

from envkit.facts import Section, ok, unknown
from envkit.facts.machine import Memory
from envkit.probes import cgroup
from envkit.probes.files import number, read_text


def observe(root: str = "/") -> Section[Memory]:
    """Memory as /proc/meminfo, the control group's files and, on this machine, statvfs tell."""
    if root == "/" and sys.platform != "linux":
        return ok(_elsewhere())
    info = meminfo(root)
    total = info.get("MemTotal")
    group = cgroup.memory(root, total)
    shm_total, shm_free = _shm() if root == "/" else (None, None)
    facts = Memory(
        memory_total_bytes=total,
        memory_available_bytes=info.get("MemAvailable"),
        swap_total_bytes=info.get("SwapTotal"),
        swap_free_bytes=info.get("SwapFree"),
        cgroup_version=group.version if group else None,
        cgroup_limit_bytes=group.limit if group else None,
        cgroup_used_bytes=group.used if group else None,
        cgroup_available_bytes=group.available if group else None,
        cgroup_high_bytes=group.high if group else None,
        cgroup_high_left_bytes=group.high_left if group else None,
        cgroup_oom_kills=group.oom_kills if group else None,
        shm_total_bytes=shm_total,
        shm_free_bytes=shm_free,
    )
    return ok(facts) if facts != Memory() else unknown("/proc/meminfo cannot be read")


def meminfo(root: str) -> dict[str, int]:
    """Bytes by name; a line reads "MemTotal:       24684092 kB"."""
    sizes = {}
    for line in (read_text(root, "/proc/meminfo") or "").split("\n"):
        name, _, value = line.partition(":")
        words = value.split()
        size = number(words[0]) if len(words) == 2 and words[1] == "kB" else None
        if size is not None:
            sizes[name] = size * 1024
    return sizes


def _shm() -> tuple[int, int] | tuple[None, None]:
    try:
        usage = os.statvfs("/dev/shm")  # noqa: S108 - asked about, not written to
    except OSError:
        return None, None
    return usage.f_blocks * usage.f_frsize, usage.f_bavail * usage.f_frsize


def _elsewhere() -> Memory:
    import psutil  # noqa: PLC0415 - where there is no /proc only

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Memory(
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        swap_total_bytes=swap.total,
        swap_free_bytes=swap.free,
    )
