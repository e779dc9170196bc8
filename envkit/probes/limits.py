"""What may be locked, opened and started here, and how much of it is taken."""

from __future__ import annotations

import os
import sys

from envkit.facts import Section, absent, ok, unknown
from envkit.facts.host import Limits
from envkit.facts.machine import Unlimited
from envkit.probes import cgroup
from envkit.probes.files import exists, list_dir, locate, number, read_int, read_line, read_text

CAP_IPC_LOCK, CAP_SYS_ADMIN, CAP_SYS_RESOURCE = 14, 21, 24  # capabilities(7)
MANY_TASKS = 1000  # fewer hold no harmful number of zombies, and need not be looked through
SAMPLE = 200


def observe(root: str = "/") -> Section[Limits]:
    """Resource limits of this process, which the inspected Python inherits, of its control group and of the kernel."""
    if root == "/" and sys.platform != "linux":
        return absent("only Linux tells its limits in files")
    limits = read_text(root, "/proc/self/limits") or ""
    capabilities = _capabilities(root)
    tasks = _tasks(root)
    user_limit, _ = _limit(limits, "processes")
    group = cgroup.tasks(root)
    open_files, open_files_hard = _limit(limits, "open files")
    ceilings = [read_int(root, f"/proc/sys/kernel/{name}") for name in ("pid_max", "threads-max")]
    handles = (read_line(root, "/proc/sys/fs/file-nr") or "").split()
    facts = Limits(
        memlock_limit_bytes=_limit(limits, "locked memory")[0],
        memlock_exempt=None if capabilities is None else CAP_IPC_LOCK in capabilities,
        rdma_device_nodes=_rdma(root),
        open_files_limit=open_files,
        open_files_limit_hard=open_files_hard,
        file_handles=number(handles[0]) if len(handles) == 3 else None,
        file_handles_limit=number(handles[2]) if len(handles) == 3 else None,
        tasks=tasks,
        tasks_limit=min((ceiling for ceiling in ceilings if ceiling), default=None),
        user_tasks=_user_tasks(root, capabilities) if _near(tasks, user_limit) else None,
        user_tasks_limit=user_limit,
        cgroup_tasks=group.used if group else None,
        cgroup_tasks_limit=group.limit if group else None,
        zombies=_zombies(root) if tasks and tasks >= MANY_TASKS else None,
    )
    return ok(facts) if facts != Limits() else unknown("/proc cannot be read")


def _limit(limits: str, name: str) -> tuple[int | Unlimited | None, int | Unlimited | None]:
    """The soft and the hard limit: "Max open files            1024                 524288               files"."""
    _, found, rest = limits.partition(f"Max {name} ")
    words = rest.partition("\n")[0].split()
    return (_number(words[0]), _number(words[1])) if found and len(words) > 1 else (None, None)


def _number(text: str) -> int | Unlimited | None:
    return "unlimited" if text == "unlimited" else number(text)


def _capabilities(root: str) -> set[int] | None:
    """Effective capabilities as the kernel's limits honour them: those of a user namespace's own root do not count."""
    digits = _field(read_text(root, "/proc/self/status"), "CapEff")
    try:
        mask = int(digits or "", 16)
    except ValueError:
        return None
    everyone = (read_line(root, "/proc/self/uid_map") or "").split()
    if everyone and everyone != ["0", "0", str((1 << 32) - 1)]:
        return set()
    return {bit for bit in (CAP_IPC_LOCK, CAP_SYS_ADMIN, CAP_SYS_RESOURCE) if mask >> bit & 1}


def _field(status: str | None, name: str) -> str | None:
    """A value of /proc/*/status, whose lines read "Threads:", a tab, "4"."""
    _, found, rest = (status or "").partition(f"\n{name}:")
    return rest.partition("\n")[0].strip() if found else None


def _rdma(root: str) -> list[str] | None:
    folder = "/dev/infiniband"
    names = list_dir(root, folder)
    if names is None:
        return [] if exists(root, "/dev/null") and not exists(root, folder) else None
    return [f"{folder}/{name}" for name in names if name.startswith("uverbs")]


def _tasks(root: str) -> int | None:
    """From "0.52 0.58 0.59 1/597 1204": tasks that run, of how many."""
    words = (read_line(root, "/proc/loadavg") or "").split()
    return number(words[3].partition("/")[2]) if len(words) > 3 else None


def _near(tasks: int | None, limit: int | Unlimited | None) -> bool:
    return tasks is not None and isinstance(limit, int) and tasks >= limit / 2


def _user_tasks(root: str, capabilities: set[int] | None) -> int | None:
    """Tasks of this user; None where the limit does not bind it (setrlimit(2), RLIMIT_NPROC)."""
    user = os.getuid()
    if user == 0 or capabilities is None or capabilities & {CAP_SYS_ADMIN, CAP_SYS_RESOURCE}:
        return None
    found = 0
    for process in _processes(root):
        try:
            if locate(root, process).stat().st_uid != user:
                continue
        except OSError:  # it has ended meanwhile
            continue
        found += number(_field(read_text(root, f"{process}/status"), "Threads")) or 0
    return found


def _zombies(root: str) -> int:
    """How many processes are zombies: of all, or reckoned from as many as are looked at quickly."""
    processes = _processes(root)
    asked = processes[:: -(-len(processes) // SAMPLE) or 1]
    # 4711 (name, perhaps with blanks and brackets) Z 1 ...
    states = [(read_text(root, f"{process}/stat") or "").rpartition(")")[2][:2] for process in asked]
    return round(states.count(" Z") * len(processes) / len(asked)) if asked else 0


def _processes(root: str) -> list[str]:
    try:
        return [f"/proc/{name}" for name in os.listdir(locate(root, "/proc")) if name.isdecimal()]
    except OSError:
        return []
