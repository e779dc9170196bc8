"""Limits that control groups set: version 1, version 2, or both at once (hybrid). No probe: others use it.

A limit holds for a group and all groups below it, so each is sought from this process's own group up to the top.
Source: cgroups(7); Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the Linux kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeVar

from envkit.facts.machine import Unlimited
from envkit.probes.files import exists, number, read_int, read_line, read_text
from envkit.probes.mounts import Mount, is_below, mounts

N = TypeVar("N", int, float)
NO_LIMIT_BYTES = 1 << 60  # version 1 says "no limit" as LONG_MAX rounded down to a page of 4 to 64 KiB


@dataclass(frozen=True)
class Groups:
    """The groups that bind this process for one controller."""

    version: Literal[1, 2]
    folders: list[str]
    """Its own group first, then each one above it as far as mounted here; [] when none can be seen."""


@dataclass(frozen=True)
class MemoryGroup:
    """Memory as the groups limit it, in bytes."""

    version: Literal[1, 2]
    limit: int | Unlimited | None
    used: int | None
    """Of the group with the smallest limit, page cache included; of the own group when there is no limit."""
    available: int | Unlimited | None
    """The least that is left in any group, inactive page cache counted as free."""
    oom_kills: int | None
    """Processes of the own group killed for want of memory."""
    high: int | Unlimited | None = "unlimited"
    """Use over which a group is slowed down; version 1 does not."""
    high_left: int | Unlimited | None = "unlimited"
    """The least that is left in any group until then."""


class Tasks(NamedTuple):
    """Processes and threads as the groups limit them."""

    limit: int | Unlimited | None
    used: int | None
    """In the group with the fewest left; in the own group when there is no limit."""


def groups(root: str, controller: str) -> Groups | None:
    """The groups of this process for "cpu", "memory", ...; None when /proc/self/cgroup does not tell.

    In a hybrid set-up a controller lives either in a hierarchy of version 1, which then names it, or in version 2.
    """
    text = read_text(root, "/proc/self/cgroup")
    paths: dict[str, str] = {}
    for line in (text or "").split("\n"):
        _, _, rest = line.partition(":")
        names, colon, path = rest.partition(":")
        if colon:
            paths |= dict.fromkeys(names.split(","), path)
    version: Literal[1, 2] = 1 if controller in paths else 2
    path_here = paths.get(controller if version == 1 else "")
    if path_here is None:
        return None
    found = [mount for mount in mounts(root) or [] if _carries(mount, version, controller)]
    # The mount that shows most of the way up; one of another branch only when nothing better is there.
    found.sort(key=lambda mount: (not is_below(path_here, mount.root), len(mount.root)))
    return Groups(version, [folder for folder in _way_up(found[0], path_here) if exists(root, folder)] if found else [])


def cpu_quota(root: str) -> float | Unlimited | None:
    """The smallest CPU quota of all groups of this process, in cores."""
    here = groups(root, "cpu")
    return smallest([_quota(root, folder, here.version) for folder in here.folders]) if here else None


def memory(root: str, physical_bytes: int | None) -> MemoryGroup | None:
    """What the groups of this process leave it of the memory; a limit over the physical memory is none."""
    here = groups(root, "memory")
    if here is None:
        return None
    no_limit = min(physical_bytes or NO_LIMIT_BYTES, NO_LIMIT_BYTES)
    setting, usage, events = ("max", "current", "events")
    if here.version == 1:
        setting, usage, events = ("limit_in_bytes", "usage_in_bytes", "oom_control")
    limit, available, binding = _bound(root, here, setting, no_limit)
    group = MemoryGroup(
        version=here.version,
        limit=limit,
        used=read_int(root, f"{binding}/memory.{usage}") if binding else None,
        available=available,
        oom_kills=_counter(root, f"{here.folders[0]}/memory.{events}", "oom_kill") if here.folders else None,
    )
    if here.version == 1:
        return group
    high, high_left, _ = _bound(root, here, "high", no_limit)
    return replace(group, high=high, high_left=high_left)


def tasks(root: str) -> Tasks | None:
    """How many processes and threads the groups of this process allow, and how many there are."""
    here = groups(root, "pids")
    if here is None or not here.folders:
        return None
    limits = {folder: _limit(_setting(root, f"{folder}/pids.max")) for folder in here.folders}
    used = {folder: read_int(root, f"{folder}/pids.current") for folder in here.folders}
    left = sorted(
        (limit - (used[folder] or 0), folder) for folder, limit in limits.items() if not isinstance(limit, str | None)
    )
    binding = left[0][1] if left else here.folders[0]
    return Tasks(limits[binding] if left else smallest(list(limits.values())), used[binding])


def cpuset(root: str) -> tuple[str | None, str | None]:
    """The processors and the NUMA nodes that the groups of this process leave it, as the kernel lists them."""
    here = groups(root, "cpuset")
    found: list[str | None] = []
    for what in ("cpus", "mems"):
        # Version 2, version 1, and version 1 mounted as the old cpuset file system was ("noprefix").
        names = (f"cpuset.{what}.effective", f"cpuset.effective_{what}", f"cpuset.{what}", what)
        lists = (read_line(root, f"{folder}/{name}") for folder in (here.folders if here else []) for name in names)
        found.append(next(filter(None, lists), None))
    return found[0], found[1]


def smallest(limits: Sequence[N | Unlimited | None]) -> N | Unlimited | None:
    """The limit that binds: the least number; "unlimited" only when every level says so, else unknown."""
    numbers = [limit for limit in limits if isinstance(limit, int | float)]
    if numbers:
        return min(numbers)
    return None if None in limits or not limits else "unlimited"


def _carries(mount: Mount, version: int, controller: str) -> bool:
    if version == 2:
        return mount.filesystem == "cgroup2"
    return mount.filesystem == "cgroup" and controller in mount.super_options


def _way_up(mount: Mount, path: str) -> list[str]:
    """The folders from a group up to the mount point.

    A group that lies outside of what is mounted, or of our control-group namespace ("/../x"), is hidden: in
    a container the mount point itself then is the container's own group.
    """
    hidden = not is_below(path, mount.root) or ".." in path.split("/")
    names = [] if hidden else [name for name in path[len(mount.root) :].split("/") if name]
    return ["/".join([mount.point, *names[:depth]]) for depth in range(len(names), -1, -1)]


def _quota(root: str, folder: str, version: int) -> float | Unlimited | None:
    if version == 2:
        quota, _, period = (_setting(root, f"{folder}/cpu.max") or "").partition(" ")
    else:
        # Where the kernel was built without quotas, or in a recording that leaves out what sets none, it is missing.
        file = f"{folder}/cpu.cfs_quota_us"
        quota = (read_line(root, file) or "") if exists(root, file) else "-1"
        period = read_line(root, f"{folder}/cpu.cfs_period_us") or ""
    if quota in {"max", "-1"}:
        return "unlimited"
    microseconds, of = number(quota), number(period)
    return microseconds / of if microseconds and of and min(microseconds, of) > 0 else None


def _bound(
    root: str, here: Groups, setting: str, no_limit: int
) -> tuple[int | Unlimited | None, int | Unlimited | None, str | None]:
    """The smallest limit of this name for memory, the least that is left of any, and the folder of the smallest."""
    read = read_line if here.version == 1 else _setting
    limits = {folder: _limit(read(root, f"{folder}/memory.{setting}"), no_limit) for folder in here.folders}
    bounds = sorted((limit, folder) for folder, limit in limits.items() if isinstance(limit, int))
    limit = smallest(list(limits.values()))
    left = [_left(root, folder, here.version, bound) for bound, folder in bounds]
    least = None if None in left else smallest(left)
    return limit, least if bounds else limit, bounds[0][1] if bounds else next(iter(here.folders), None)


def _limit(text: str | None, no_limit: int = NO_LIMIT_BYTES) -> int | Unlimited | None:
    """A limit as either version writes it: a number, "max", or a number over all that there can be."""
    if text in {"max", "-1"}:
        return "unlimited"
    limit = number(text)
    if limit is None or limit < 0:
        return None
    return limit if limit < no_limit else "unlimited"


def _setting(root: str, path: str) -> str | None:
    """A setting of version 2, whose file is missing where nothing is limited: at the top, or not handed down."""
    return read_line(root, path) if exists(root, path) else "max"


def _left(root: str, folder: str, version: int, limit: int) -> int | None:
    usage = read_int(root, f"{folder}/memory.{'usage_in_bytes' if version == 1 else 'current'}")
    if usage is None:
        return None
    inactive = "total_inactive_file" if version == 1 else "inactive_file"
    cache = _counter(root, f"{folder}/memory.stat", inactive) or 0
    return max(0, limit - max(0, usage - cache))


def _counter(root: str, path: str, name: str) -> int | None:
    """One value of a file with a name and a number in each line."""
    for line in (read_text(root, path) or "").split("\n"):
        key, _, value = line.partition(" ")
        if key == name:
            return number(value)
    return None
