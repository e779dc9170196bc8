"""Which processes hold a TPU: by their open files, as far as this user may look, and by who has libtpu's lock.

The open files of another user's process are its own business unless root asks; the table of locks is open to all.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterator

from msgspec.structs import replace

from envkit.facts.accelerators import Tpu, TpuHolder
from envkit.probes import files

FOLDER = "/tmp"  # noqa: S108 - where libtpu puts its lock; looked at, never written to
LOCKFILE = "libtpu_lockfile"
KERNEL_THREADS = (2, "kthreadd")
VFIO = re.compile(r"/dev/vfio/(\d+|devices/vfio\d+)")


def with_holders(root: str, seen: Tpu, deadline: float) -> Tpu:
    """The TPU with its holders.

    Args:
        root: where the machine's files lie; whose lock it is can be told for "/" only.
        seen: has the device nodes.
        deadline: on the monotonic clock; processes not looked at by then leave the list incomplete.
    """
    nodes = {node.path for node in seen.device_nodes}
    holders, complete = _open_files(root, nodes, deadline)
    present, usable, pid = _lock(root)
    if pid and pid not in {holder.pid for holder in holders} and not _ours(root, pid):
        holders.append(TpuHolder(pid=pid, device=LOCKFILE, command=_command(root, pid), own=_own(root, pid)))
    return replace(
        seen,
        holders=holders if files.list_dir(root, "/proc") is not None else None,
        holders_complete=complete,
        lockfile_present=present,
        lockfile_usable=usable,
    )


def _open_files(root: str, nodes: Collection[str], deadline: float) -> tuple[list[TpuHolder], bool | None]:
    """A holder for each chip and process, and whether all processes could be looked at."""
    found: dict[tuple[str, int], TpuHolder] = {}
    pids = [int(name) for name in files.list_dir(root, "/proc") or [] if name.isdecimal() and len(name) < 10]
    if not pids:
        return [], None
    # Its threads are seen where all processes are: not from within a container, nor by a user that hidepid keeps out.
    complete = files.read_line(root, f"/proc/{KERNEL_THREADS[0]}/comm") == KERNEL_THREADS[1]
    for pid in pids:
        opened = files.list_dir(root, f"/proc/{pid}/fd") if time.monotonic() < deadline else None
        if opened is None:
            # One that has ended in the meantime, or a thread of the kernel, holds nothing.
            complete = complete and not files.read_line(root, f"/proc/{pid}/cmdline")
            continue
        for device in _devices(root, pid, opened, nodes):
            if not _ours(root, pid):
                found[device, pid] = TpuHolder(pid=pid, device=device, command=_command(root, pid), own=_own(root, pid))
    return list(found.values()), complete


def _devices(root: str, pid: int, opened: Collection[str], nodes: Collection[str]) -> Iterator[str]:
    for descriptor in opened:
        target = files.link_target(root, f"/proc/{pid}/fd/{descriptor}") or ""
        # A chip may be open by the name that its group of the IOMMU has, or by that of the device itself.
        if target in nodes or (target.startswith("/dev/vfio/devices/") and VFIO.fullmatch(target)):
            yield target


def _command(root: str, pid: int) -> str | None:
    return files.read_line(root, f"/proc/{pid}/comm")


def _own(root: str, pid: int) -> bool | None:
    owner = _status(root, pid, "Uid")
    return None if owner is None or root != "/" else owner == os.geteuid()


def _ours(root: str, pid: int) -> bool:
    """Whether it is envkit itself, or a child in which a framework is asked what it sees."""
    return root == "/" and os.getpid() in {pid, _status(root, pid, "PPid")}


def _status(root: str, pid: int, name: str) -> int | None:
    found = re.search(rf"^{name}:\s+(\d{{1,10}})", files.read_text(root, f"/proc/{pid}/status") or "", re.MULTILINE)
    return int(found[1]) if found else None


def _lock(root: str) -> tuple[bool | None, bool | None, int | None]:
    """Whether libtpu's lock is there, whether this user may open it, and which process has it."""
    names = files.list_dir(root, FOLDER)
    if names is None or LOCKFILE not in names:
        return (None if names is None else False), None, None
    if root != "/":
        return True, None, None
    path = f"{FOLDER}/{LOCKFILE}"
    try:
        file = os.stat(path)
    except OSError:
        return None, None, None
    where = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    holder = lock_owner(files.read_text(root, "/proc/locks") or "", where)
    return True, os.access(path, os.R_OK | os.W_OK), holder


def lock_owner(locks: str, file: str) -> int | None:
    """The process that has a lock on a file, by /proc/locks.

    Args:
        locks: lines "1: FLOCK  ADVISORY  WRITE 4242 08:01:131 0 EOF".
        file: device and inode, as there: "08:01:131".
    """
    owners = re.findall(rf"^\d+: \w+ +\w+ +\w+ +(\d{{1,9}}) {re.escape(file)} ", locks, re.MULTILINE)
    return next((int(owner) for owner in owners if int(owner)), None)
