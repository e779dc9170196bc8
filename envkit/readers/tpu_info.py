"""tpu-info: its tables, and tpu-info --version."""

from __future__ import annotations

import re

import msgspec

from envkit.facts import Facts, ok
from envkit.facts.accelerators import DeviceNode, Tpu, TpuChip
from envkit.readers._fields import amount, count, given, groups, labelled

NAME = "tpu-info"

_MARKS = ("TPU Process Info", "TPU Chip", "TPU chip", "tpu chip", "ibtpu version")
_BAR = "[|│┃]"
_CELL = "([^|│┃\\n]*)"
_CHIP = re.compile(
    rf"^[ \t]*{_BAR}[ \t]*(/dev/(?:accel|vfio/)\d{{1,4}})[ \t]*{_BAR}{_CELL}{_BAR}{_CELL}{_BAR}{_CELL}", re.MULTILINE
)
_HOLDER = re.compile(
    rf"^[ \t]*{_BAR}[ \t]*(/dev/(?:accel|vfio/)\d{{1,4}})[ \t]*{_BAR}[ \t]*(\d{{1,10}})[ \t]*{_BAR}{_CELL}"
    rf"{_BAR}[ \t]*$",
    re.MULTILINE,
)
_MEMORY = re.compile(rf"^[ \t]*{_BAR}[ \t]*(\d{{1,4}})[ \t]*{_BAR}[ \t]*([\d.]+ GiB)\s?/\s?([\d.]+ GiB)", re.MULTILINE)
_WHY = re.compile(r"N/A \(([^)\n]*)\)")


def read(text: str) -> Facts | None:
    """Chips, the processes that hold them, their memory, and libtpu."""
    if not any(mark in text for mark in _MARKS):
        return None
    fields = {
        label.lower(): value
        for label, value in labelled(
            text, "Libtpu version", "libtpu version", "Accelerator type", "accelerator type"
        ).items()
    }
    chips: dict[str, TpuChip] = {}
    for device, name, _, pid in groups(_CHIP, text, "/dev/"):
        chips.setdefault(device, TpuChip(device=device, name=given(name), pid=count(pid)))
    for device, pid, _ in groups(_HOLDER, text, "/dev/"):
        known = chips.get(device, TpuChip(device=device))
        chips[device] = msgspec.structs.replace(known, pid=known.pid or count(pid))
    chips = _with_memory(chips, text)
    why = _WHY.match(fields.get("libtpu version", ""))
    tpu = Tpu(
        chips=list(chips.values()) or None,
        device_nodes=[DeviceNode(path=device) for device in chips],
        accelerator_type=_plain(fields.get("accelerator type")),
        libtpu_version=_plain(fields.get("libtpu version")),
        libtpu_error=why[1] if why else None,
    )
    return Facts(tpu=ok(tpu)) if msgspec.to_builtins(tpu) != msgspec.to_builtins(Tpu()) else None


def _with_memory(chips: dict[str, TpuChip], text: str) -> dict[str, TpuChip]:
    """Rows of memory are in the order of the chips, numbered within the slice; of some chips they may be missing."""
    rows = {int(index): (amount(used), amount(total)) for index, used, total in groups(_MEMORY, text, " GiB")}
    memory = dict(enumerate(rows.values())) if len(rows) == len(chips) else rows
    return {
        device: msgspec.structs.replace(chip, memory_used_bytes=used, memory_total_bytes=total)
        for place, (device, chip) in enumerate(chips.items())
        for used, total in [memory.get(place, (None, None))]
    }


def _plain(words: str | None) -> str | None:
    return None if (words or "").startswith("N/A") else given(words)
