"""Which file the dynamic loader takes for a library: by LD_LIBRARY_PATH, the loader's cache, its configuration."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from fnmatch import fnmatch

from envkit.probes import files

CACHE = "/etc/ld.so.cache"
CACHE_LIMIT_BYTES = 16 << 20
MAGIC = b"glibc-ld.so.cache1.1"  # an older cache may stand before it (glibc, dl-cache.h)
HEADER_BYTES = 48
ENTRY = struct.Struct("<iIIIQ")  # flags, name, path, operating system, processor
SIXTY_FOUR_BITS = {0x0300, 0x0A00}  # x86-64 and AArch64
CONFIGURATION = "/etc/ld.so.conf"
MAX_INCLUDES = 8


def find(root: str, name: str, folders: tuple[str, ...]) -> str | None:
    """The file, links resolved, that the loader most likely takes for a library.

    Args:
        root: where the machine's files lie; LD_LIBRARY_PATH counts for "/" only.
        name: "libcuda.so.1".
        folders: where else it may be, for a machine whose cache and configuration do not tell.
    """
    first = os.environ.get("LD_LIBRARY_PATH", "").split(":") if root == "/" else []
    paths = [f"{folder}/{name}" for folder in first if folder.startswith("/")]
    paths += cached(root, name)
    paths += [f"{folder}/{name}" for folder in (*configured(root), *folders)]
    return next((resolved(root, path) for path in paths if files.exists(root, path)), None)


def resolved(root: str, path: str) -> str:
    """Where links end, as a path of the machine that the root is."""
    real = files.locate(root, path)
    return str(real.resolve()) if root == "/" else f"/{real.relative_to(root)}"


def cached(root: str, name: str) -> list[str]:
    """What the loader's cache has for a library of 64 bits, in its order; [] where there is no cache to read."""
    cache = files.read_bytes(root, CACHE, 0, CACHE_LIMIT_BYTES)
    cache = cache[max(cache.find(MAGIC), 0) :]
    if len(cache) < HEADER_BYTES or not cache.startswith(MAGIC):
        return []
    count = int.from_bytes(cache[len(MAGIC) : len(MAGIC) + 4], "little")
    entries = cache[HEADER_BYTES : HEADER_BYTES + count * ENTRY.size]
    whole = entries[: len(entries) // ENTRY.size * ENTRY.size]
    wanted = name.encode() + b"\0"
    return [
        os.fsdecode(cache[path : cache.find(b"\0", path)])
        for flags, key, path, _, _ in ENTRY.iter_unpack(whole)
        if flags & 0xFF00 in SIXTY_FOUR_BITS and cache.startswith(wanted, key)
    ]


def configured(root: str) -> list[str]:
    """The folders of /etc/ld.so.conf and of the files it includes, in their order."""
    return list(dict.fromkeys(_folders(root, CONFIGURATION, MAX_INCLUDES)))


def _folders(root: str, path: str, includes: int) -> Iterator[str]:
    for line in (files.read_text(root, path) or "").split("\n"):
        words = re.split(r"[\s:,]+", line.partition("#")[0].strip())
        if words[0] == "include":
            for pattern in words[1:] if includes else ():
                folder, _, names = pattern.rpartition("/")
                where = folder if pattern.startswith("/") else f"/etc/{folder}".rstrip("/")
                for name in files.list_dir(root, where) or []:
                    if fnmatch(name, names):
                        yield from _folders(root, f"{where}/{name}", includes - 1)
        elif words[0] != "hwcap":
            yield from (word.partition("=")[0] for word in words if word.startswith("/"))
