"""What nvidia-smi says when it cannot answer, as the probe would have found it with NVML."""

from __future__ import annotations

import re

import msgspec

from envkit import facts
from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml
from envkit.readers._lines import MOST_GPUS, first, within
from envkit.readers._nvidia import error_name
from envkit.readers._nvidia_fields import ADDRESS, address

NAME = "nvidia-smi (its error)"

_NONE = re.compile(r"^No devices were found\b", re.MULTILINE)
_INIT = re.compile(r"Failed to initialize NVML: ([A-Za-z/ ]{1,80})")
_LIBRARY_VERSION = re.compile(r"NVML library version: (\d{1,4}(?:\.\d{1,4}){1,3})")
_HANDLE = re.compile(
    rf"determine the device handle for (?:(?:gpu ?(\d{{1,3}})?:?\s{{0,3}})?({ADDRESS})|gpu ?(\d{{1,3}}))"
    r"(?:: |\. )?([^\n]{0,80})",
    re.IGNORECASE,
)
_INFOROM = re.compile(rf"infoROM is corrupted at gpu ({ADDRESS})")


def read(text: str) -> Facts | None:
    """NVML's outcome and error, and the GPUs that could not be opened."""
    nvml = _nvml(text)
    gpus = _gpus(text)
    if nvml is None and not gpus:
        return None
    answered = nvml is None or nvml.outcome == "ok"
    return Facts(nvidia=facts.ok(Nvidia(nvml=nvml or Nvml(outcome="ok"), gpus=gpus if answered else None)))


def _nvml(text: str) -> Nvml | None:
    if "t communicate with the NVIDIA driver" in text:  # couldn't, with one apostrophe or another
        return Nvml(outcome="error", error="DRIVER_NOT_LOADED")
    if "t find libnvidia-ml.so" in text:
        return Nvml(outcome="library-missing", error="libnvidia-ml.so: not found by nvidia-smi")
    if found := _INIT.search(text):
        library = _LIBRARY_VERSION.search(text)
        return Nvml(outcome="error", error=error_name(found[1]), library_version=library[1] if library else None)
    return Nvml(outcome="ok") if first(_NONE, text, "No devices were found") else None


def _gpus(text: str) -> list[NvidiaGpu]:
    """Those that the driver lists but cannot open, or whose infoROM is damaged; their index is rarely told."""
    found: dict[str, NvidiaGpu] = {}
    for handle in within(_HANDLE, text, "device handle for", most=MOST_GPUS):
        place = address(handle[2] or "")
        number = handle[1] or handle[3]
        index = int(number) if number else len(found)
        error = error_name(handle[4]) or "UNKNOWN"
        found.setdefault(place or f"GPU {index}", NvidiaGpu(index=index, pci_address=place, error=error))
    for corrupted in within(_INFOROM, text, "infoROM is corrupted", most=MOST_GPUS):
        place = address(corrupted[1]) or ""
        gpu = found.setdefault(place, NvidiaGpu(index=len(found), pci_address=place))
        found[place] = msgspec.structs.replace(gpu, inforom_corrupted=True)
    return list(found.values())
