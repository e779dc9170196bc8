"""MIG devices of a GPU, from the words that nvidia-smi prints for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envkit.facts.accelerators import MigDevice
from envkit.readers._text import size, whole

MOST_DEVICES = 64  # of one GPU: it has at most 7, and a text may show them often
_NUMBERS = ("gpu_instance", "compute_instance", "multiprocessors")
_SIZES = ("memory_total_bytes", "memory_used_bytes", "memory_free_bytes")


def mig_devices(told: Iterable[Mapping[str, str]]) -> list[MigDevice]:
    """Devices from their fields in words; one without an index has that of its place."""
    return [_device(place, words) for place, words in enumerate(told)]


def _device(place: int, words: Mapping[str, str]) -> MigDevice:
    index = whole(words.get("index", ""))
    fields: dict[str, Any] = {name: whole(words[name]) for name in _NUMBERS if name in words}
    fields |= {name: size(words[name]) for name in _SIZES if name in words}
    fields |= {name: words[name] for name in ("uuid", "profile") if words.get(name)}
    return MigDevice(index=place if index is None else index, **fields)
