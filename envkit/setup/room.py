"""Whether the disks have room for what a plan unpacks, links and copies.

uv unpacks a wheel into its cache while it is downloaded and keeps no wheel; it links the files from there into the
environment where both are on one file system, and copies them where they are not. The environment that is replaced, and
the one before it, stay until the end: they set nothing free.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from envkit.errors import SetupError
from envkit.setup.mending.duplicate import weigh
from envkit.setup.plan import Plan, count, size
from envkit.setup.resolving.pylock import Package
from envkit.setup.sources.configured import Sources
from envkit.setup.target import existing_folder
from envkit.setup.uv import FIND_SECONDS, find_uv, run_uv

# Measured 2026-11-26: torch 2.13.0+cpu with tensorflow-cpu 2.21.0 (40 packages, 31,198 files, 4,147 folders, 2.2 GB),
# torch 2.10.0+cu128 with tensorflow 2.20.0 (66 packages, 38,091 files, 9.4 GB of 4.7 GB of wheels).
UNPACKED, UNPACKED_NVIDIA = 3.0, 1.5
"""Times its wheel that a package takes; libraries are compressed less well than Python and CUDA's own code."""
FILES = 150
"""Of a package on average, without the frameworks' own."""
FILES_OF = {"torch": 12_000, "tensorflow": 18_000, "tensorflow-cpu": 13_000}
FOLDERS = 0.15
"""Folders to one file; those cannot be linked."""


class Need(NamedTuple):
    """What one part of the work takes of one file system."""

    what: str
    where: Path
    bytes: int
    files: int


def check_room(plan: Plan, *, sources: Sources, environ: Mapping[str, str]) -> None:
    """SetupError when a file system has not the space or the inodes that the plan needs, with what needs them."""
    cache = cache_folder(sources, environ)
    told = sources.child_environment(environ)
    around = existing_folder(Path(plan.target).parent)
    linked = told.get("UV_LINK_MODE") != "copy" and _device(cache) == _device(around)
    if any(step.kind == "judge" for step in plan.steps):  # what doctor would refuse when it is built
        _compare([Need(f"profile {plan.profile}", around, plan.disk_bytes, 0)])
    by_device: dict[int, list[Need]] = {}
    for need in needs(plan, cache, linked=linked):
        by_device.setdefault(_device(need.where), []).append(need)
    for wanted in by_device.values():
        _compare(wanted)


def cache_folder(sources: Sources, environ: Mapping[str, str]) -> Path:
    """Where uv keeps what it has unpacked, as uv itself says."""
    child = run_uv([find_uv(), "cache", "dir"], sources=sources, environ=environ, deadline_seconds=FIND_SECONDS)
    return Path(child.stdout.strip() or Path.home() / ".cache/uv")


def needs(plan: Plan, cache: Path, *, linked: bool) -> Iterator[Need]:
    """What the steps of a plan take, and where.

    Args:
        plan: its disk_bytes count where the size of a wheel is not known.
        cache: uv's.
        linked: files are linked from the cache, not copied.
    """
    around = Path(plan.target).parent
    new = [package for package in plan.packages if not is_cached(package, cache, plan.python_version)]
    copying = any(step.kind == "copy" for step in plan.steps)
    floor = 0 if copying else plan.disk_bytes
    if new:
        bytes_ = _unpacked(new, floor if linked else 0)
        yield Need(f"{count(new)} to unpack in uv's cache", cache, bytes_, _inodes(new))
    if linked:
        yield Need("the environment's folders", around, 0, int(_inodes(plan.packages) * FOLDERS))
    else:
        bytes_ = _unpacked(plan.packages, floor)
        yield Need(f"{count(plan.packages)} copied into the environment", around, bytes_, _inodes(plan.packages))
    if copying:
        yield Need("a copy of the environment", around, *weigh(Path(plan.target)))


def is_cached(package: Package, cache: Path, python_version: str) -> bool:
    """Whether uv has it unpacked for this Python. The layout is uv's own (0.13): a cache of another one looks empty."""
    own = "cp" + "".join(python_version.split(".")[:2])
    for index in ("pypi", "index/*"):
        for entry in cache.glob(f"wheels-v*/{index}/{package.name}/{package.version}-*"):
            fits = any(tag in entry.name for tag in (f"-{own}-", "-py3-", ".py3-", "-abi3-"))
            if fits and entry.is_dir():  # a link into the archive
                return True
    return False


def _compare(wanted: list[Need]) -> None:
    around = existing_folder(wanted[0].where)
    try:
        room = os.statvfs(around)
    except OSError:
        return  # unknown: uv will tell
    bytes_, files = sum(need.bytes for need in wanted), sum(need.files for need in wanted)
    free = room.f_bavail * room.f_frsize
    if free < bytes_:
        parts = " + ".join(f"{size(need.bytes)} for {need.what}" for need in wanted if need.bytes)
        raise SetupError(
            f"not enough disk space in {around}: {size(free)} free, about {size(bytes_)} needed ({parts})",
            hint="Free space, or choose another disk with --venv, and for uv's cache with UV_CACHE_DIR.",
        )
    if room.f_files and room.f_favail < files:  # some file systems count none
        parts = " + ".join(f"{need.files} for {need.what}" for need in wanted)
        raise SetupError(
            f"not enough inodes in {around}: {room.f_favail} free, about {files} needed ({parts})",
            hint="Remove files, or choose another disk with --venv, and for uv's cache with UV_CACHE_DIR.",
        )


def _unpacked(packages: Iterable[Package], floor: int) -> int:
    """Bytes of their files; at least the floor where the size of some wheel is not known."""
    sizes = [
        (package.size_bytes, UNPACKED_NVIDIA if package.name.startswith("nvidia-") else UNPACKED)
        for package in packages
    ]
    known = int(sum(wheel * times for wheel, times in sizes if wheel))
    return max(known, floor) if any(wheel is None for wheel, _ in sizes) else known


def _inodes(packages: Iterable[Package]) -> int:
    return int(sum(FILES_OF.get(package.name, FILES) for package in packages) * (1 + FOLDERS))


def _device(path: Path) -> int:
    try:
        return existing_folder(path).stat().st_dev
    except OSError:
        return -1
