"""Writing and reading a file on the environment's file system: it has no name, so that not even a kill leaves it."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import tempfile
import time
from typing import Any

MIB = 1 << 20
GB = 1e9
FILE_BYTES = 256 * MIB
BLOCK_BYTES = 4 * MIB
LONGEST_SECONDS = 2.0
REPEATS = 3
IN_MEMORY = {"tmpfs", "ramfs"}
UNSUPPORTED = {errno.EINVAL, errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def measure(context: Any, device_name: str, variant: str) -> dict[str, Any]:  # noqa: ARG001 - as all measures are called
    """GB/s of blocks of 4 MiB that reach the disk ("write", flushed), or come from it and not from a cache ("read")."""
    if not hasattr(os, "statvfs"):
        raise NotImplementedError("not on Windows yet")
    try:
        folder = _place(context.folder)
        size = _size(folder)
        try:
            return _measure(context, folder, size, variant, direct=True)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            return _measure(context, folder, size, variant, direct=False)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        raise NotImplementedError(f"{context.folder} may not be written to: {error.strerror}") from error


def _measure(context: Any, folder: str, size: int, variant: str, *, direct: bool) -> dict[str, Any]:
    """With O_DIRECT past the page cache; else through it, flushed after writing and dropped before reading."""
    file = _open(folder, direct=direct)
    try:
        repeats = [_write(file, size)]
        started = time.perf_counter()
        if variant == "read":
            size, repeats = repeats[0][1], []
        while len(repeats) < REPEATS and time.perf_counter() - started < LONGEST_SECONDS:
            repeats.append(_write(file, size) if variant == "write" else _read(file, size))
    finally:
        os.close(file)
    bytes_each = min(done for _, done in repeats)
    seconds = [taken * bytes_each / done for taken, done in repeats]
    cache = "past the page cache" if direct else "through the page cache"
    return dict(context.result(seconds, bytes_each / GB, "GB/s", f"{bytes_each // MIB} MiB, {cache}"))


def _place(folder: str) -> str:
    """Where on the folder's file system a program may write: the folder of temporary files, else the folder itself."""
    device = os.stat(folder).st_dev
    for place in (tempfile.gettempdir(), folder):
        if os.stat(place).st_dev == device and os.access(place, os.W_OK | os.X_OK):
            return place
    raise NotImplementedError(f"{folder} may not be written to")


def _size(folder: str) -> int:
    """How much is written: at most a tenth of what is free."""
    if _kind(folder) in IN_MEMORY:
        raise NotImplementedError(f"{folder} lies in memory, not on a disk")
    about = os.statvfs(folder)
    size = min(FILE_BYTES, about.f_bavail * about.f_frsize // 10) // BLOCK_BYTES * BLOCK_BYTES
    if not size:
        raise NotImplementedError(f"{folder} is too full to write to")
    return size


def _kind(folder: str) -> str:
    """Kind of the file system, by the mount table; "" where there is none."""
    number = os.stat(folder).st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    with contextlib.suppress(OSError), open("/proc/self/mountinfo") as table:
        for line in table:
            left, _, right = line.partition(" - ")
            if left.split()[2] == wanted:
                return right.split()[0]
    return ""


def _open(folder: str, *, direct: bool) -> int:
    """A file without a name; where the file system cannot make one, the name is taken away at once."""
    flags = os.O_RDWR | (getattr(os, "O_DIRECT", 0) if direct else 0)
    try:
        return os.open(folder, flags | os.O_TMPFILE, 0o600)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in UNSUPPORTED:
            raise
    named, path = tempfile.mkstemp(prefix=".envkit-bench-", dir=folder)
    try:
        os.close(named)
        file = os.open(path, flags)
    finally:
        os.unlink(path)
    if not hasattr(os, "posix_fadvise"):  # macOS
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.fcntl(file, getattr(fcntl, "F_NOCACHE", 48), 1)
    return file


def _write(file: int, size: int) -> tuple[float, int]:
    """Seconds and bytes of writing from the start and flushing; less than `size` where the disk is slow."""
    block = mmap.mmap(-1, BLOCK_BYTES)  # O_DIRECT wants whole pages
    block[:] = os.urandom(BLOCK_BYTES)  # some disks and file systems compress
    os.lseek(file, 0, os.SEEK_SET)
    started = time.perf_counter()
    done = 0
    while done < size and time.perf_counter() - started < LONGEST_SECONDS:
        done += os.writev(file, [block])
    os.fsync(file)
    return time.perf_counter() - started, done


def _read(file: int, size: int) -> tuple[float, int]:
    """Seconds and bytes of reading from the start."""
    block = mmap.mmap(-1, BLOCK_BYTES)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(file, 0, os.SEEK_SET)
    started = time.perf_counter()
    done = 0
    while done < size and (count := os.readv(file, [block])):
        done += count
    return time.perf_counter() - started, done
