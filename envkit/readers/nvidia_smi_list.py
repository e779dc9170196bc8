"""`nvidia-smi -L`, and `nvidia-smi nvlink -s` and `-e`, which list the links of each GPU under the same lines."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from envkit.facts import Facts
from envkit.facts.accelerators import NvidiaGpu, NvLink
from envkit.readers._lines import marked
from envkit.readers._mig import mig_devices
from envkit.readers._nvidia import Words, answered, gpu
from envkit.readers._text import number

NAME = "nvidia-smi -L"

_GPU = re.compile(r"GPU (\d{1,3}): (.{1,100}?) \(UUID: (GPU-[0-9a-fA-F-]{4,60})\)")
_MIG = re.compile(r"\bMIG (\S{1,20})\s{1,20}Device\s{1,4}(\d{1,3}): \(UUID: (MIG-[^)\s]{1,100})\)")
_ERRORS = re.compile(r"\bLink (\d{1,2}): (Replay|Recovery|CRC|CRC FLIT) Errors?: (\d{1,15})\b")
_LINK = re.compile(r"\bLink (\d{1,2}): (<inactive>|[\d.]{1,10} GB/s)")


def read(text: str) -> Facts | None:
    """Index, name, UUID, MIG devices, NVLinks of each GPU and their errors."""
    if "(UUID: GPU-" not in text:
        return None
    listed = _Listed()
    for line in marked(text, "(UUID: ", "Link "):
        listed.take(line)
    return answered(listed.gpus())


class _Listed:
    """The lines as they come: what is below a GPU's line is of that GPU."""

    def __init__(self) -> None:
        self._words: dict[int, Words] = {}
        self._mig: dict[int, dict[str, dict[str, str]]] = {}
        self._links: dict[int, dict[int, NvLink]] = {}
        self._errors: dict[int, dict[int, dict[str, int]]] = {}
        self._index = -1

    def take(self, line: str) -> None:
        if found := _GPU.search(line) if "(UUID: GPU-" in line else None:
            self._index = int(found[1])
            self._words.setdefault(self._index, {"name": [found[2]], "uuid": [found[3]]})
        elif self._index < 0:
            return
        elif device := _MIG.search(line) if "Device" in line else None:
            words = dict(zip(("profile", "index", "uuid"), device.groups(), strict=True))
            self._mig.setdefault(self._index, {}).setdefault(words["index"], words)
        elif counted := _ERRORS.search(line) if "Error" in line else None:
            kinds = self._errors.setdefault(self._index, {}).setdefault(int(counted[1]), {})
            kinds.setdefault(counted[2], int(counted[3]))
        elif link := _LINK.search(line):
            speed = number(link[2])
            one = NvLink(index=int(link[1]), active=speed is not None, bandwidth_gigabytes_per_second=speed)
            self._links.setdefault(self._index, {}).setdefault(one.index, one)

    def gpus(self) -> list[NvidiaGpu]:
        return [
            msgspec.structs.replace(gpu(index, words, **self._parts(index)), nvlinks=self._all_links(index))
            for index, words in sorted(self._words.items())
        ]

    def _parts(self, index: int) -> dict[str, Any]:
        told = self._mig.get(index, {})
        return {"mig_devices": len(told), "mig": mig_devices(told.values())} if told else {}

    def _all_links(self, index: int) -> list[NvLink] | None:
        links, errors = self._links.get(index, {}), self._errors.get(index, {})
        found = [links.get(link, NvLink(index=link)) for link in sorted({*links, *errors})]
        return [
            msgspec.structs.replace(link, errors=sum(errors[link.index].values())) if link.index in errors else link
            for link in found
        ] or None
