"""The bandwidth of main memory: every processor copies with the C library's memmove, which needs no framework."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from typing import Any

MIB = 1 << 20
GB = 1e9
LARGEST_BYTES = 2 << 30
LEAST_BYTES = 16 * MIB
CACHES = "/sys/devices/system/cpu"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def measure(context: Any, device_name: str, variant: str) -> dict[str, Any]:  # noqa: ARG001 - as all measures are called
    """GB/s read and written together (each byte counts twice), as STREAM counts its copy.

    Each thread stays on a processor of its own and copies memory that it touched first, so that on a machine with
    several memory nodes each reads its own. All buffers together are four times the last cache or more.
    """
    threads = context.threads
    total = min(max(LARGEST_BYTES // 2, 4 * cache_bytes(CACHES)), LARGEST_BYTES, context.memory_bytes // 8)
    each = total // threads // MIB * MIB
    if each * threads < LEAST_BYTES or not each:
        raise MemoryError(f"out of memory: {context.memory_bytes // MIB} MiB are free for {threads} threads")
    copiers = _Copiers(threads, each)
    try:
        copiers.start()
        times = context.sample(copiers.copy, context.host_times, seconds=1.0)
    finally:
        copiers.stop()
    plural = "s" if threads > 1 else ""
    return dict(
        context.result(times, 2 * each * threads / GB, "GB/s", f"{threads} thread{plural}, {each // MIB} MiB each")
    )


class _Copiers:
    """Threads that copy their buffers each time they are told to."""

    def __init__(self, threads: int, size: int) -> None:
        self.barrier = threading.Barrier(threads + 1)
        self.size = size
        self.error: BaseException | None = None
        processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        places = [processors[index % len(processors)] if processors else None for index in range(threads)]
        self.threads = [threading.Thread(target=self._run, args=(place,), daemon=True) for place in places]

    def start(self) -> None:
        """Returns when the buffers are filled."""
        for thread in self.threads:
            thread.start()
        self._wait()

    def stop(self) -> None:
        self.barrier.abort()
        for thread in self.threads:
            thread.join()

    def copy(self) -> None:
        """Let every thread copy once."""
        self._wait()
        self._wait()

    def _wait(self) -> None:
        try:
            self.barrier.wait()
        except threading.BrokenBarrierError:
            if self.error is None:
                raise
            raise self.error from None

    def _run(self, processor: int | None) -> None:
        try:
            if processor is not None:
                with contextlib.suppress(OSError):  # it was taken away meanwhile: anywhere, then
                    os.sched_setaffinity(0, {processor})  # of this thread alone
            source, target = _buffer(self.size), _buffer(self.size)
            ctypes.memmove(target, source, self.size)
            self.barrier.wait()
            while True:
                self.barrier.wait()
                ctypes.memmove(target, source, self.size)
                self.barrier.wait()
        except threading.BrokenBarrierError:
            return
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            self.error = error
            self.barrier.abort()


def _buffer(size: int) -> Any:
    """Private memory, as programs have it (mmap's is shared by default), full of random bytes."""
    buffer = (ctypes.c_char * size)()
    block = os.urandom(MIB)
    for start in range(0, size, MIB):
        ctypes.memmove(ctypes.addressof(buffer) + start, block, MIB)
    return buffer


def cache_bytes(folder: str) -> int:
    """The last-level caches of all processors together, as the kernel tells; 0 where it does not."""
    caches: dict[tuple[int, str], int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name[:3] == "cpu" and name[3:].isdigit():
                caches.update(_caches(f"{folder}/{name}/cache"))
    last = max((level for level, _ in caches), default=0)
    return sum(size for (level, _), size in caches.items() if level == last)


def _caches(folder: str) -> dict[tuple[int, str], int]:
    """Level and sharing processors of each cache of one processor, to its size."""
    found = {}
    with contextlib.suppress(OSError, ValueError, KeyError):
        for name in os.listdir(folder):
            if name.startswith("index"):
                level, shared, size = (
                    _read(f"{folder}/{name}/{what}") for what in ("level", "shared_cpu_list", "size")
                )
                found[int(level), shared] = int(size[:-1]) * UNITS[size[-1]]
    return found


def _read(path: str) -> str:
    with open(path) as file:
        return file.read().strip()
