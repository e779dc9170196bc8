"""Memory modules, as the firmware lists them (SMBIOS type 17): few of them are few channels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ENTRIES = "sys/firmware/dmi/entries"
SIZE, MEMORY_TYPE = 0x0C, 0x12  # offsets: DMTF DSP0134, "Memory Device (Type 17)"
DDR = 0x12  # the first of the types that real modules have; virtual machines say "RAM" (7) or "unknown"


class Modules(NamedTuple):
    """How many slots hold a module, of how many."""

    filled: int
    slots: int


def read(root: str = "/") -> Modules | None:
    """None where the firmware does not tell, or only root may read it."""
    try:
        devices = [path.read_bytes() for path in Path(root, ENTRIES).glob("17-*/raw")]
    except OSError:
        return None
    filled = [raw for raw in devices if len(raw) > MEMORY_TYPE and raw[SIZE : SIZE + 2] != b"\0\0"]
    if not filled or any(raw[MEMORY_TYPE] < DDR for raw in filled):
        return None
    return Modules(len(filled), len(devices))
