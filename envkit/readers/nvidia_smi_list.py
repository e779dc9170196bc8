"""`nvidia-smi -L`, and `nvidia-smi nvlink -s`, which lists the links of each GPU under the same lines."""

from __future__ import annotations

import re

import msgspec

from envkit.facts import Facts
from envkit.facts.accelerators import NvLink
from envkit.readers._nvidia import answered, gpu
from envkit.readers._text import number

NAME = "nvidia-smi -L"

_GPU = re.compile(r"GPU (\d{1,3}): (.{1,100}?) \(UUID: (GPU-[0-9a-fA-F-]{4,60})\)")
_MIG = re.compile(r"\bMIG \S{1,20}\s{1,20}Device\s{1,4}\d{1,3}: \(UUID")
_LINK = re.compile(r"\bLink (\d{1,2}): (<inactive>|[\d.]{1,10} GB/s)")


def read(text: str) -> Facts | None:
    """Index, name, UUID, MIG devices and NVLinks of each GPU."""
    if "(UUID: GPU-" not in text:
        return None
    gpus: dict[int, dict[str, list[str]]] = {}
    mig: dict[int, int] = {}
    links: dict[int, dict[int, NvLink]] = {}
    index = -1
    for line in text.split("\n"):
        if found := _GPU.search(line) if "(UUID: GPU-" in line else None:
            index = int(found[1])
            if index not in gpus:
                mig[index] = 0
            gpus.setdefault(index, {"name": [found[2]], "uuid": [found[3]]})
        elif index >= 0 and "Device" in line and _MIG.search(line):
            mig[index] += 1
        elif index >= 0 and (link := _LINK.search(line) if "Link " in line else None):
            speed = number(link[2])
            one = NvLink(index=int(link[1]), active=speed is not None, bandwidth_gigabytes_per_second=speed)
            links.setdefault(index, {}).setdefault(one.index, one)
    found_gpus = [
        msgspec.structs.replace(
            gpu(index, words, mig_devices=mig[index] or None),
            nvlinks=list(links[index].values()) if index in links else None,
        )
        for index, words in sorted(gpus.items())
    ]
    return answered(found_gpus)
