"""The file systems an environment depends on: of its own folder, of uv's cache, of temporary files."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Literal

import msgspec

from envkit.facts import Section, ok
from envkit.facts.machine import Disk, Volume
from envkit.probes.files import exists, list_dir, printable, read_int, read_text
from envkit.probes.mounts import Mount, is_below, mount_of, mounts

Purpose = Literal["target", "cache", "tmp"]
TMP = "/tmp"  # noqa: S108 - looked at, never written to
KEPT = {
    "ext2",
    "ext3",
    "ext4",
    "btrfs",
    "f2fs",
    "xfs",
}  # on disks, and mounted to be written to where the table says rw
EMERGENCY = {"emergency_ro", "shutdown"}  # ext4 since Linux 6.15


def observe(root: str = "/", *, target: str = "") -> Section[Disk]:
    """The volumes of `target` (without one: the working directory), of the cache and of temporary files.

    Of a recorded tree only the mount table speaks: nothing is known of free space, nor where the cache lay.
    """
    table = mounts(root) or []
    if root != "/":
        recorded: dict[Purpose, str] = {"target": target, "tmp": TMP}
        volumes = [_recorded(purpose, path, table) for purpose, path in recorded.items() if path]
        return ok(Disk(volumes=volumes, degraded_arrays=_degraded(root), errors=_errors(root)))
    paths: dict[Purpose, str | None] = {"target": target or ".", "cache": _cache(), "tmp": _tmp()}
    if sys.platform == "win32":
        return ok(Disk(volumes=[_elsewhere(purpose, path) for purpose, path in paths.items() if path]))
    volumes = [_volume(purpose, path, table) for purpose, path in paths.items() if path]
    return ok(Disk(volumes=volumes, degraded_arrays=_degraded(root), errors=_errors(root)))


def _degraded(root: str) -> list[str] | None:
    """Arrays with fewer disks than they are made of: a line "md0 : active ...", the next "... blocks [2/1] [U_]"."""
    text = read_text(root, "/proc/mdstat")
    if text is None:
        return None
    arrays = re.findall(r"^(md\S*) : [^\n]*\n[^\n]*\[(\d{1,4})/(\d{1,4})\]", text, re.MULTILINE)
    return [name for name, wanted, there in arrays if int(there) < int(wanted)]


def _errors(root: str) -> dict[str, int] | None:
    """What ext4 has counted; a device with none is left out."""
    devices = list_dir(root, "/sys/fs/ext4")
    if devices is None:
        return None
    counts = {device: read_int(root, f"/sys/fs/ext4/{device}/errors_count") for device in devices}
    return {device: count for device, count in counts.items() if count}


def _after_error(mount: Mount) -> bool:
    """Whether the kernel has made it read-only: a mount that should be read-only is marked so itself, too."""
    asked = mount.filesystem in KEPT and "rw" in mount.options
    return asked and bool(mount.super_options & {"ro", *EMERGENCY})


def _recorded(purpose: Purpose, path: str, table: list[Mount]) -> Volume:
    mount = mount_of(table, path)
    if mount is None:
        return Volume(purpose=purpose, path=path)
    return Volume(
        purpose=purpose,
        path=path,
        mount_point=mount.point,
        filesystem=mount.filesystem,
        read_only="ro" in mount.options | mount.super_options,
        read_only_after_error=_after_error(mount),
        noexec="noexec" in mount.options,
    )


def _volume(purpose: Purpose, path: str, table: list[Mount]) -> Volume:
    """The file system that holds a path or will hold it: that of its nearest existing parent."""
    try:
        asked = Path(path).absolute()
        wanted = Path(os.path.realpath(asked))
        held_by = next(folder for folder in (wanted, *wanted.parents) if exists("/", str(folder)))
        usage = os.statvfs(held_by)
    except (OSError, ValueError, StopIteration):  # the working directory is gone, say
        return Volume(purpose=purpose, path=printable(path))
    mount = mount_of(table, printable(str(wanted)))
    known = Volume(
        purpose=purpose,
        path=printable(str(asked)),
        mount_point=mount.point if mount else None,
        filesystem=mount.filesystem if mount else None,
    )
    if mount and not is_below(printable(str(held_by)), mount.point):  # its server or daemon is gone: nothing answers
        return msgspec.structs.replace(known, writable=False)
    # Whoever installs creates the target and the cache, but nobody a missing TMPDIR.
    usable = held_by.is_dir() and (purpose != "tmp" or held_by == wanted)
    return msgspec.structs.replace(
        known,
        total_bytes=usage.f_blocks * usage.f_frsize if usage.f_blocks else None,
        free_bytes=usage.f_bavail * usage.f_frsize if usage.f_blocks else None,
        inodes_total=usage.f_files or None,
        inodes_free=usage.f_favail if usage.f_files else None,
        writable=usable and os.access(held_by, os.W_OK | os.X_OK),
        read_only=bool(usage.f_flag & os.ST_RDONLY),
        read_only_after_error=_after_error(mount) if mount else None,
        noexec=bool(usage.f_flag & os.ST_NOEXEC) if sys.platform == "linux" else None,
    )


def _cache() -> str | None:
    """Where uv keeps its cache; None without a home."""
    if folder := os.environ.get("UV_CACHE_DIR"):
        return folder
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # As the XDG base directory specification says, a relative one does not count.
        return str(Path(base if base.startswith("/") else "~/.cache").expanduser() / "uv")
    except RuntimeError:
        return None


def _tmp() -> str:
    """What programs are told to use, even if it is of no use: Python alone would then try other places."""
    return next(filter(None, map(os.environ.get, ("TMPDIR", "TEMP", "TMP"))), TMP)


def _elsewhere(purpose: Purpose, path: str) -> Volume:
    """Where there is no statvfs (Windows)."""
    import shutil  # noqa: PLC0415 - loads four compression libraries

    asked = Path(path).absolute()
    usage = shutil.disk_usage(asked.anchor)
    return Volume(
        purpose=purpose, path=str(asked), mount_point=asked.anchor, total_bytes=usage.total, free_bytes=usage.free
    )
