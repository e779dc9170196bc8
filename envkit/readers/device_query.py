"""deviceQuery of NVIDIA's CUDA samples: GPUs as CUDA sees them."""

from __future__ import annotations

import re

from envkit import facts
from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.readers._fields import parts

NAME = "deviceQuery"

_DEVICE = re.compile(r"^[ \t]*Device (\d{1,3}): \"([^\"\n]{1,100})\"", re.MULTILINE)
_VERSIONS = re.compile(r"CUDA Driver Version / Runtime Version\s{1,40}(\d{1,2}\.\d{1,2}) / ")
_CAPABILITY = re.compile(r"CUDA Capability Major/Minor version number:\s{1,40}(\d{1,2}\.\d)")
_MEMORY = re.compile(r"Total amount of global memory:.{0,60}\((\d{6,16}) bytes\)")
_PLACE = re.compile(
    r"Device PCI Domain ID / Bus ID / location ID:\s{1,20}(\d{1,5}) / (\d{1,3}) / (\d{1,2})", re.IGNORECASE
)
_LONGEST_PART = 5000


def read(text: str) -> Facts | None:
    """Names, compute capability, memory and places of the GPUs; the newest CUDA of the driver."""
    if "CUDA Capability Major/Minor" not in text:
        return None
    gpus: dict[int, NvidiaGpu] = {}
    for device, said in parts(text, _DEVICE, "Device "):
        gpus.setdefault(int(device[1]), _gpu(int(device[1]), device[2], said[:_LONGEST_PART]))
    versions = _VERSIONS.search(text)
    if not gpus:
        return None
    seen = Nvidia(cuda_driver_version=versions[1] if versions else None, gpus=[gpus[index] for index in sorted(gpus)])
    return Facts(nvidia=facts.ok(seen))


def _gpu(index: int, name: str, said: str) -> NvidiaGpu:
    capability, memory, place = _CAPABILITY.search(said), _MEMORY.search(said), _PLACE.search(said)
    return NvidiaGpu(
        index=index,
        name=name,
        compute_capability=capability[1] if capability else None,
        memory_total_bytes=int(memory[1]) if memory else None,
        pci_address=f"{int(place[1]):04x}:{int(place[2]):02x}:{int(place[3]):02x}.0" if place else None,
    )
