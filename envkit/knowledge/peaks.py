"""The shape of the table of peaks: what hardware can do at most, and how much of it is reached."""

from __future__ import annotations

import re

import msgspec

from envkit.knowledge.tables import Table

GIB = 1 << 30
TOLERANCE = 0.15  # drivers keep some of a card's memory to themselves, ECC up to an eighth of it


class Peak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of GPU. TFLOPS of matrix products by type; memory and nvlink in GB/s; pcie: "5.0 x16"."""

    memory_gib: float | None = None
    memory: float | None = None
    float32: float | None = None
    tf32: float | None = None
    bfloat16: float | None = None
    float16: float | None = None
    fp8: float | None = None
    float64: float | None = None
    pcie: str | None = None
    nvlink: float | None = None


class Peaks(Table, frozen=True, kw_only=True):
    peaks_source: str
    peaks: dict[str, Peak]
    pcie_lane_source: str
    pcie_lane: dict[str, float]
    floors_source: str
    floors: dict[str, float]
    drift_source: str
    drift: dict[str, float]

    def of(self, name: str, memory_bytes: int | None = None) -> tuple[str, Peak] | None:
        """The row of exactly this card, and its name; None for one that is not known, or for a part of one.

        "NVIDIA GeForce RTX 4090 Laptop GPU" is another card than "GeForce RTX 4090".
        """
        wanted = _plain(name)
        for key, row in self.peaks.items():
            if _plain(key.partition(" (")[0]) == wanted and _is_whole(row, memory_bytes):
                return key, row
        return None

    def pcie(self, link: str) -> float | None:
        """GB/s of a link in one direction: "4.0 x8" -> 15.75."""
        generation, _, lanes = link.partition(" x")
        lane = self.pcie_lane.get(generation)
        return lane * int(lanes) if lane else None


def _plain(name: str) -> str:
    """Without the maker; AMD's driver tells the form (OAM), too."""
    words = " ".join(name.split()).lower()
    return re.sub(r"^(nvidia|amd) | oam$", "", words)


def _is_whole(row: Peak, memory_bytes: int | None) -> bool:
    if row.memory_gib is None or memory_bytes is None:
        return True
    return abs(memory_bytes / GIB / row.memory_gib - 1) <= TOLERANCE
