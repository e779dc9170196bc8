"""Files below a root, read without ever blocking or raising: the machine's own (root "/") or a recorded tree's."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from envkit.facts.accelerators import DeviceNode

LIMIT_BYTES = 16 << 20  # /proc/cpuinfo of 1,000 threads has 2 MB; mountinfo of a busy node as many
CHUNK_BYTES = 1 << 16  # below /proc/sys the kernel clears as much memory as is asked for, and has none from 4 MiB on
MAX_LINKS = 40  # as the kernel's own limit


def read_text(root: str, path: str) -> str | None:
    """The text of a regular file; None when it is absent, unreadable, too large, or no regular file.

    A FIFO would block, and opening a device may act on it (a watchdog starts): neither is opened.
    Files of procfs and sysfs are regular to stat. Bytes that are no UTF-8 become U+FFFD.
    """
    try:
        real = locate(root, path)
        if not stat.S_ISREG(real.stat().st_mode):
            return None
        with os.fdopen(os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            content = bytearray()
            while len(content) <= LIMIT_BYTES and (chunk := file.read(CHUNK_BYTES)):
                content += chunk
    except (OSError, ValueError):
        return None
    return content.decode("utf-8", "replace") if len(content) <= LIMIT_BYTES else None


def read_bytes(root: str, path: str, offset: int, size: int) -> bytes:
    """A piece of a regular file; b"" when it cannot be read, shorter where the file ends."""
    try:
        real = locate(root, path)
        if not stat.S_ISREG(real.stat().st_mode):
            return b""
        file = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            os.lseek(file, offset, os.SEEK_SET)
            return os.read(file, size)
        finally:
            os.close(file)
    except (OSError, ValueError, OverflowError):
        return b""


def read_line(root: str, path: str) -> str | None:
    """The text of a one-line file without the spaces and NULs around it; None also when nothing is left."""
    return (read_text(root, path) or "").strip("\0 \t\r\n") or None


def read_int(root: str, path: str) -> int | None:
    """The decimal number a file holds."""
    return number(read_line(root, path))


def list_dir(root: str, path: str) -> list[str] | None:
    """The names in a folder, sorted; None when it is absent or unreadable."""
    try:
        return sorted(printable(entry.name) for entry in locate(root, path).iterdir())
    except (OSError, ValueError):
        return None


def exists(root: str, path: str) -> bool:
    """Whether something is there; a dangling link is not."""
    try:
        locate(root, path).stat()
    except (OSError, ValueError):
        return False
    return True


def link_target(root: str, path: str) -> str | None:
    """What a symbolic link says, unresolved ("../../../bus/pci/drivers/nvidia"); None when it is none."""
    folder, _, name = path.rpartition("/")
    try:
        return printable(str((locate(root, folder) / name).readlink()))
    except (OSError, ValueError):
        return None


def device_node(root: str, path: str) -> DeviceNode | None:
    """A device node and what this user may do with it (the device cgroup included), asked without opening it.

    None when it is absent; on this machine (root "/") also when it is a plain file or a folder, which a mistaken
    bind mount leaves behind. In a recorded tree any file stands for the node, and access is unknown.
    """
    try:
        real = locate(root, path)
        mode = real.stat().st_mode
    except (OSError, ValueError):
        return None
    if root != "/":
        return DeviceNode(path=path)
    if not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)):
        return None
    return DeviceNode(path=path, readable=os.access(real, os.R_OK), writable=os.access(real, os.W_OK))


def locate(root: str, path: str) -> Path:
    """Where `path` lies when `root` is taken for "/": links are followed inside the root, as chroot does.

    Raises:
        OSError: the links go round in circles.
    """
    if root == "/":
        return Path("/" + path.lstrip("/"))
    real = top = Path(root)
    waiting = path.split("/")[::-1]
    links = 0
    while waiting:
        part = waiting.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            real = real.parent if real != top else top
            continue
        try:
            target = str((real / part).readlink())
        except OSError:
            real /= part
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(f"too many links: {path}")
        real = top if target.startswith("/") else real
        waiting += target.split("/")[::-1]
    return real


def number(text: str | None) -> int | None:
    """The decimal number that a text is, up to 20 digits; None when it is none."""
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,20}", text.strip()) else None


def printable(text: str) -> str:
    """Text from the operating system with what is no UTF-8 replaced, for JSON cannot hold it."""
    return os.fsencode(text).decode("utf-8", "replace")
