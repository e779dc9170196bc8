"""The mount table of this process, from /proc/self/mountinfo (format: proc(5)), or a recording's /proc/mounts."""

from __future__ import annotations

import re
from typing import NamedTuple

from envkit.probes.files import read_text


class Mount(NamedTuple):
    """One mounted file system."""

    root: str
    """Which folder of the file system is mounted: "/", or another one of a bind mount."""
    point: str
    options: frozenset[str]
    """Of this mount: "ro", "noexec", ..."""
    filesystem: str
    super_options: frozenset[str]
    """Of the file system: "ro", for a version 1 control group its controllers, ..."""


def mounts(root: str) -> list[Mount] | None:
    """All mounts in the order of the table; None when it cannot be read. Lines that make no sense are left out."""
    text = read_text(root, "/proc/self/mountinfo")
    if text is not None:
        return [mount for line in text.split("\n") if (mount := _parse(line))]
    text = read_text(root, "/proc/mounts")
    return None if text is None else [mount for line in text.split("\n") if (mount := _parse_short(line))]


def mount_of(table: list[Mount], path: str) -> Mount | None:
    """The mount that holds an absolute path without links: the longest mount point, of equal ones the last, on top."""
    holding = [mount for mount in table if is_below(path, mount.point)]
    return max(reversed(holding), key=lambda mount: len(mount.point), default=None)


def is_below(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _parse(line: str) -> Mount | None:
    # 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    here, separator, there = line.partition(" - ")
    fields, rest = here.split(" "), there.split(" ")
    if not separator or len(fields) < 6 or len(rest) < 3:
        return None
    return Mount(
        root=_unescaped(fields[3]),
        point=_unescaped(fields[4]),
        options=frozenset(fields[5].split(",")),
        filesystem=rest[0],
        super_options=frozenset(rest[2].split(",")),
    )


def _parse_short(line: str) -> Mount | None:
    # cgroup /sys/fs/cgroup/cpuset cgroup rw,nosuid,cpuset 0 0
    fields = line.split(" ")
    if len(fields) != 6:
        return None
    options = frozenset(fields[3].split(","))
    return Mount("/", _unescaped(fields[1]), options, fields[2], options)


def _unescaped(text: str) -> str:
    r"""Space, tab, newline, backslash and "#" stand in the table as \040, \011, \012, \134 and \043."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
