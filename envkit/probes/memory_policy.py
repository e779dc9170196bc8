"""How the kernel hands memory out: overcommitment, swapping, huge pages, mappings."""

from __future__ import annotations

import sys
from typing import Literal

from envkit.facts import Section, absent, ok, unknown
from envkit.facts.host import MemoryPolicy
from envkit.probes.files import list_dir, number, read_int, read_line
from envkit.probes.memory import meminfo

Overcommit = Literal["heuristic", "always", "never"]
OVERCOMMIT: dict[int | None, Overcommit] = {0: "heuristic", 1: "always", 2: "never"}
HUGE_PAGES = "/sys/kernel/mm/hugepages"


def observe(root: str = "/") -> Section[MemoryPolicy]:
    """Settings below /proc/sys/vm and /sys/kernel/mm, and what they come to."""
    if root == "/" and sys.platform != "linux":
        return absent("only Linux tells its memory policy in files")
    info = meminfo(root)
    total, free = _huge_pages(root)
    facts = MemoryPolicy(
        overcommit=OVERCOMMIT.get(read_int(root, "/proc/sys/vm/overcommit_memory")),
        commit_limit_bytes=info.get("CommitLimit"),
        committed_bytes=info.get("Committed_AS"),
        memory_maps_limit=read_int(root, "/proc/sys/vm/max_map_count"),
        swappiness=read_int(root, "/proc/sys/vm/swappiness"),
        huge_pages_total_bytes=total,
        huge_pages_free_bytes=free,
        transparent_huge_pages=_chosen(read_line(root, "/sys/kernel/mm/transparent_hugepage/enabled")),
    )
    return ok(facts) if facts != MemoryPolicy() else unknown("neither /proc/sys/vm nor /sys/kernel/mm can be read")


def _huge_pages(root: str) -> tuple[int | None, int | None]:
    """Bytes set aside and bytes of them free, over all sizes: a folder is called "hugepages-2048kB"."""
    sums: list[int | None] = []
    folders = [name for name in list_dir(root, HUGE_PAGES) or [] if name.startswith("hugepages-")]
    sizes = {name: number(name.removeprefix("hugepages-").removesuffix("kB")) or 0 for name in folders}
    for file in ("nr_hugepages", "free_hugepages"):
        numbers = [(read_int(root, f"{HUGE_PAGES}/{name}/{file}"), size * 1024) for name, size in sizes.items()]
        known = [pages * size for pages, size in numbers if pages is not None]
        sums.append(sum(known) if folders and len(known) == len(folders) else None)
    return sums[0], sums[1]


def _chosen(text: str | None) -> str | None:
    """Of "always [madvise] never" the word in brackets."""
    words = [word[1:-1] for word in (text or "").split() if word.startswith("[") and word.endswith("]")]
    return words[0] if len(words) == 1 and words[0].isalpha() else None
