"""Copying an environment, to be mended beside the old one; and who else is at work in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

RELOCATABLE = "relocatable = true"


def copy_command(target: Path, building: Path) -> list[str]:
    """cp, which keeps links, times and owners, and shares the blocks where the file system can (GNU cp 9)."""
    return ["cp", "-a", f"{target}/.", str(building)]


def let_move(building: Path) -> None:
    """Have uv write scripts that find their Python beside them: it works in a folder whose name will change.

    What it installs stays so; the file gets its old text back when the copy takes its place.
    """
    file = building / "pyvenv.cfg"
    text = file.read_text(encoding="utf-8")
    if RELOCATABLE not in text:
        file.write_text(f"{text.rstrip()}\n{RELOCATABLE}\n", encoding="utf-8")


def size_bytes(folder: Path) -> int:
    """What the files of a folder take, as far as they can be looked at."""
    total, waiting = 0, [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total


def owner_command(target: Path, building: Path) -> list[str]:
    """What gives the copy to whom the old one belongs, [] unless root works for somebody else."""
    owner = target.stat()
    if os.geteuid() or (owner.st_uid, owner.st_gid) == (0, 0):
        return []
    return ["chown", "-R", "-h", f"{owner.st_uid}:{owner.st_gid}", str(building)]


def at_work(target: Path) -> tuple[list[int], list[int]]:
    """Processes that install into an environment right now, and others that run from it.

    Only those whose commands the kernel lets this user see.
    """
    import psutil  # noqa: PLC0415 - only where something is mended

    installing, running = [], []
    inside = f"{target}{os.sep}"
    for process in psutil.process_iter(["pid", "cmdline"]):
        argv, pid = process.info["cmdline"] or [""], process.info["pid"]
        here = any(word.startswith(inside) for word in argv)
        if _installs(argv) and (here or _activated(process) == str(target)):
            installing.append(pid)
        elif argv[0].startswith(inside):
            running.append(pid)
    return installing, running


def _installs(argv: list[str]) -> bool:
    """Whether a command is that of pip or uv changing an environment."""
    names = [os.path.basename(word) for word in argv[:4]]
    verbs = {"install", "uninstall", "sync"}.intersection(names)
    return bool(verbs) and any(name.startswith("pip") or name == "uv" for name in names)


def _activated(process: psutil.Process) -> str:
    """The environment that is active where a process runs, "" where that cannot be seen."""
    import psutil  # noqa: PLC0415 - as above

    try:
        return process.environ().get("VIRTUAL_ENV", "")
    except psutil.Error:
        return ""
