"""/proc/driver/nvidia/gpus/*/information: a GPU as the kernel module knows it, also where NVML does not answer."""

from __future__ import annotations

import re

from envkit import facts
from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.readers._fields import given, labelled, parts
from envkit.readers._lines import MOST_GPUS
from envkit.readers._nvidia_fields import address

NAME = "/proc/driver/nvidia"

_MODEL = re.compile(r"^[ \t]*Model:[ \t]+(\S[^\n]{0,100})$", re.MULTILINE)
_LABELS = ("GPU UUID", "Video BIOS", "Bus Location", "Device Minor", "GPU Excluded")
_LONGEST_PART = 2000


def read(text: str) -> Facts | None:
    """Names, places and UUIDs of the GPUs, and which of them the driver was told to leave alone."""
    if "Bus Location:" not in text or "Device Minor:" not in text:
        return None
    gpus: dict[str, NvidiaGpu] = {}
    excluded: list[str] = []
    for model, said in parts(text, _MODEL, "Model:"):
        fields = labelled(said[:_LONGEST_PART], *_LABELS)
        place = address(fields.get("Bus Location", ""))
        if place is None or place in gpus or len(gpus) == MOST_GPUS:
            continue
        minor = fields.get("Device Minor", "")
        gpus[place] = NvidiaGpu(
            index=int(minor) if re.fullmatch(r"\d{1,3}", minor) else len(gpus),
            name=model[1].strip(),
            uuid=_told(fields.get("GPU UUID")),
            vbios_version=_told(fields.get("Video BIOS")),
            pci_address=place,
        )
        excluded += [place] if fields.get("GPU Excluded") == "Yes" else []
    if not gpus:
        return None
    usable = [gpu for place, gpu in gpus.items() if place not in excluded]
    return Facts(nvidia=facts.ok(Nvidia(module_loaded=True, gpus=usable or None, excluded_gpus=excluded or None)))


def _told(words: str | None) -> str | None:
    """Question marks stand for what the module has not read, as before the GPU's first use."""
    return None if "?" in (words or "") else given(words)
