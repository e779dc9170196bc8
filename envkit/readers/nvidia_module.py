"""The NVIDIA kernel module: `lsmod`, `cat /proc/driver/nvidia/version`, and what it writes into the log on loading."""

from __future__ import annotations

import re

from envkit import facts
from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia
from envkit.readers._lines import first, matches, within

NAME = "NVIDIA kernel module"

_VERSION = re.compile(
    r"NVRM(?: version)?: (?:loading )?NVIDIA UNIX (Open Kernel Module for )?\S{1,20}(?: {1,2}Kernel Module)?"
    r" {1,4}(\d{3,4}\.\d{1,4}(?:\.\d{1,4})?)"
)
_LSMOD = re.compile(r"^\s{0,8}Module\s+Size\s+Used by", re.MULTILINE)
_MODULE = re.compile(r"^\s{0,8}(nvidia|nvidia_uvm|nouveau)\s+\d+\s+-?\d+\b", re.MULTILINE)


def read(text: str) -> Facts | None:
    """Version of the module, and which of nvidia, nvidia_uvm and nouveau are loaded."""
    versions = list(within(_VERSION, text, "NVIDIA UNIX"))
    listed = {found[1] for found in matches(_MODULE, text, "nvidia", "nouveau")}
    whole = bool(first(_LSMOD, text, "Used by"))
    if not versions and not whole and "nvidia" not in listed:
        return None
    if not versions and not listed:
        return None  # a list of modules without any of these says nothing of a machine without NVIDIA GPU
    version = versions[-1] if versions else None  # the log may tell of several boots
    seen = Nvidia(
        module_version=version[2] if version else None,
        driver_version=version[2] if version else None,
        open_module=bool(version[1]) if version else None,
        module_loaded=bool(version) or "nvidia" in listed,
        uvm_loaded="nvidia_uvm" in listed if whole else True if "nvidia_uvm" in listed else None,
        nouveau_loaded="nouveau" in listed if whole else None,
    )
    return Facts(nvidia=facts.ok(seen))
