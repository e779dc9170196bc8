"""tpu-info: its tables, and tpu-info --version."""

from __future__ import annotations

import re

import msgspec

from envkit.facts import Facts, ok
from envkit.facts.accelerators import DeviceNode, Tpu, TpuChip
from envkit.readers._fields import amount, count, given, groups, labelled

NAME = "tpu-info"

_BAR = "[|│┃]"
_CELL = "([^|│┃\\n]*)"
_CHIP = re.compile(
    rf"^[ \t]*{_BAR}[ \t]*(/dev/(?:accel|vfio/)\d{{1,4}})[ \t]*{_BAR}{_CELL}{_BAR}{_CELL}{_BAR}{_CELL}", re.MULTILINE
)
_MEMORY = re.compile(rf"^[ \t]*{_BAR}[ \t]*(\d{{1,4}})[ \t]*{_BAR}[ \t]*([\d.]+ GiB)\s?/\s?([\d.]+ GiB)", re.MULTILINE)
_WHY = re.compile(r"N/A \(([^)\n]*)\)")


def read(text: str) -> Facts | None:
    """Chips, the processes that hold them, their memory, and libtpu."""
    lower = text.lower()
    if "tpu chip" not in lower and "libtpu version" not in lower:
        return None
    fields = {
        label.lower(): value
        for label, value in labelled(
            text, "Libtpu version", "libtpu version", "Accelerator type", "accelerator type"
        ).items()
    }
    memory = {int(index): (amount(used), amount(total)) for index, used, total in groups(_MEMORY, text)}
    chips: dict[str, TpuChip] = {}
    for device, name, _, pid in groups(_CHIP, text):
        used, total = memory.get(len(chips), (None, None))
        chip = TpuChip(
            device=device,
            name=given(name),
            pid=count(pid),
            memory_used_bytes=used,
            memory_total_bytes=total,
        )
        chips.setdefault(device, chip)
    why = _WHY.match(fields.get("libtpu version", ""))
    tpu = Tpu(
        chips=list(chips.values()) or None,
        device_nodes=[DeviceNode(path=device) for device in chips],
        accelerator_type=_plain(fields.get("accelerator type")),
        libtpu_version=_plain(fields.get("libtpu version")),
        libtpu_error=why[1] if why else None,
    )
    return Facts(tpu=ok(tpu)) if msgspec.to_builtins(tpu) != msgspec.to_builtins(Tpu()) else None


def _plain(words: str | None) -> str | None:
    return None if (words or "").startswith("N/A") else given(words)
