"""`nvidia-smi topo -m`: how many NVLinks each GPU has."""

from __future__ import annotations

import re

import msgspec

from envkit.facts import Facts
from envkit.facts.accelerators import NvLink
from envkit.readers._lines import marked, within
from envkit.readers._nvidia import answered, gpu

NAME = "nvidia-smi topo -m"

_FIRST = re.compile(r"\bGPU0\s+(?:X|NV\d)")
_ROW = re.compile(r"GPU(\d{1,3})((?:\s+(?:X|NV\d{1,2}|SYS|NODE|PHB|PXB|PIX|PSB))+)(?=\s|$)")
_LINKS_OF_A_GPU = 18  # at most, NVLink 4 and 5: NVIDIA H100 and B200 datasheets


def read(text: str) -> Facts | None:
    """NVLinks that are up: "NV4" are four of them between two GPUs."""
    rows: dict[int, list[str]] = {}
    for line in marked(text, "GPU") if next(within(_FIRST, text, "GPU0"), None) else ():
        if "GPU" in line[:40] and (found := _ROW.match(line.strip()[:2000])) and "X" in found[2].split():
            rows.setdefault(int(found[1]), found[2].split())
    if not rows:
        return None
    found_gpus = [
        msgspec.structs.replace(gpu(index, {}), nvlinks=_links(ways, len(rows))) for index, ways in sorted(rows.items())
    ]
    return answered(found_gpus)


def _links(ways: list[str], gpus: int) -> list[NvLink] | None:
    """With an NVSwitch every peer is reached by all links of the GPU, without one by those that lead to it."""
    counts = [int(way[2:]) for way in ways[:gpus] if way.startswith("NV")]
    if not counts:
        return None
    links = sum(counts) if sum(counts) <= _LINKS_OF_A_GPU else max(counts)
    return [NvLink(index=link, active=True) for link in range(links)]
