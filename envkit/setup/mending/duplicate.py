"""Copying an environment, to be mended beside the old one; and who else is at work in it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

PATH_MAX = 4096  # linux/limits.h


def copy_command(target: Path, building: Path) -> list[str]:
    """cp, which keeps links, times and owners, and shares the blocks where the file system can (GNU cp 9)."""
    return ["cp", "-a", f"{target}/.", str(building)]


def settle(building: Path, target: Path) -> None:
    """Have scripts that name the folder in which they were installed name the one that it becomes.

    Installers write the path of Python into the first lines of a script: after #!, or where that is too long for the
    kernel, as what sh is to execute. RECORD keeps hash and size of scripts.
    """
    old, new = (os.fsencode(f"/{folder.name}/") for folder in (building, target))
    settled: dict[str, bytes] = {}
    for file in (building / "bin").iterdir():
        if file.is_symlink() or not file.is_file():
            continue
        with file.open("rb") as script:
            head = script.read(2 * PATH_MAX)
        lines = head.split(b"\n", 3)[:3]
        if head.startswith(b"#!") and any(old in line for line in lines):
            first = b"\n".join(lines)
            text = file.read_bytes().replace(first, first.replace(old, new), 1)
            file.write_bytes(text)
            settled[file.name] = text
    for record in building.glob("lib*/python*/site-packages/*.dist-info/RECORD") if settled else ():
        rows = record.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        renewed = [_renewed(row, settled) for row in rows]
        if renewed != rows:
            record.write_text("\n".join(renewed), encoding="utf-8", errors="surrogateescape")


def _renewed(row: str, settled: dict[str, bytes]) -> str:
    """A row of RECORD (PEP 376) with hash and size of the script that it is about."""
    path = row.rsplit(",", 2)[0]
    folder, _, name = path.strip('"').rpartition("/")
    if name not in settled or not folder.endswith("../bin"):
        return row
    digest = base64.urlsafe_b64encode(hashlib.sha256(settled[name]).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(settled[name])}"


def weigh(folder: Path) -> tuple[int, int]:
    """Bytes and inodes of what is in a folder, as far as it can be looked at."""
    total, entries, waiting = 0, 0, [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as found:
            for entry in found:
                entries += 1
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total, entries


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
