"""/sys/kernel/debug/dri/N/amdgpu_firmware_info: that the kernel's driver runs an AMD GPU."""

from __future__ import annotations

import re

from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd
from envkit.readers._lines import matches

NAME = "amdgpu_firmware_info"

_LINE = re.compile(r"^[ \t]*[A-Z][\w ]{1,24} feature version: \d{1,6}, firmware version: 0x[0-9a-f]{8}$", re.MULTILINE)
_ENOUGH = 4  # lines; a GPU has twenty


def read(text: str) -> Facts | None:
    """The driver is loaded; the versions of the GPU's firmware say nothing that is judged."""
    found = list(matches(_LINE, text, " feature version: ", most=_ENOUGH))
    return Facts(amd=ok(Amd(module_loaded=True))) if len(found) == _ENOUGH else None
