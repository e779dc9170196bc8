"""hwloc's `lstopo --of xml`: processors, memory, GPUs on the bus and those that NVML or ROCm SMI named to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from envkit import facts
from envkit.facts import Facts, Section
from envkit.facts.accelerators import Amd, AmdGpu, Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.machine import Cpu, Memory
from envkit.readers._fields import given
from envkit.readers._lines import MOST_GPUS

NAME = "lstopo XML"

_TAG = re.compile(r"<(object|info)\b([^<>]{0,4000})>")
_ATTRIBUTE = re.compile(r"\b(\w{1,40})=\"([^\"]{0,400})\"")
_PCI_TYPE = re.compile(r"([0-9a-f]{4}) \[([0-9a-f]{4}):([0-9a-f]{4})\](?: \[[0-9a-f]{4}:([0-9a-f]{4})\])?")
_SMI = re.compile(r"(nvml|rsmi)(\d{1,3})")
_MOST_DEVICES = 5000
_MOST_TAGS = 200_000  # 4,096 processors have 20,000 objects


class _Machine:
    """What the objects come to, one after the other; an `info` is of the object before it."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.memory = 0
        self.info: dict[str, str] = {}
        self.pci: list[PciDevice] = []
        self.smi: list[dict[str, str]] = []
        self._last: dict[str, str] = {}

    def take(self, tag: str, said: dict[str, str]) -> None:
        if tag == "info":
            (self._last or self.info).setdefault(said.get("name", ""), said.get("value", ""))
            return
        kind = said.get("type", "")
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self._last = {}
        if kind == "NUMANode" and said.get("subtype") != "GPUMemory" and said.get("local_memory", "").isdecimal():
            self.memory += int(said["local_memory"][:18])
        elif kind == "PCIDev" and (found := _PCI_TYPE.match(said.get("pci_type", ""))):
            kind_id, vendor, device, subsystem = found.groups()
            place = said.get("pci_busid", "")
            one = PciDevice(
                address=place, vendor_id=vendor, device_id=device, subsystem_id=subsystem, class_id=f"{kind_id}00"
            )
            self.pci += [one] if len(self.pci) < _MOST_DEVICES else []
        elif kind == "OSDev" and len(self.smi) < MOST_GPUS and _SMI.fullmatch(said.get("name", "")):
            self._last = {"name": said["name"], "place": self.pci[-1].address if self.pci else ""}
            self.smi.append(self._last)


def read(text: str) -> Facts | None:
    """The machine, and its GPUs."""
    if "<topology" not in text or "<object " not in text:
        return None
    machine = _Machine()
    for tag, said in islice(_tags(text, text.index("<topology")), _MOST_TAGS):
        machine.take(tag, said)
    if not machine.counts.get("Machine"):
        return None
    found: dict[str, Section[Any]] = {"cpu": facts.ok(_cpu(machine)), **_accelerators(machine)}
    if machine.memory:
        found["memory"] = facts.ok(Memory(memory_total_bytes=machine.memory))
    return msgspec.structs.replace(Facts(), **found)


def _tags(text: str, start: int) -> Iterator[tuple[str, dict[str, str]]]:
    for tag in _TAG.finditer(text, start):
        yield tag[1], dict(_ATTRIBUTE.findall(tag[2]))


def _cpu(machine: _Machine) -> Cpu:
    return Cpu(
        model=given(machine.info.get("CPUModel")),
        vendor=given(machine.info.get("CPUVendor")),
        architecture=given(machine.info.get("Architecture")),
        sockets=machine.counts.get("Package") or machine.counts.get("Socket"),
        cores=machine.counts.get("Core"),
        threads=machine.counts.get("PU"),
    )


def _accelerators(machine: _Machine) -> dict[str, Section[Any]]:
    on_bus = [device for device in machine.pci if device.vendor_id == "10de" and (device.class_id or "")[:2] == "03"]
    named = {kind: [one for one in machine.smi if one["name"].startswith(kind)] for kind in ("nvml", "rsmi")}
    found: dict[str, Section[Any]] = {}
    if on_bus or named["nvml"]:
        gpus = [
            NvidiaGpu(
                index=int(one["name"].removeprefix("nvml")),
                name=given(one.get("GPUModel")),
                uuid=given(one.get("NVIDIAUUID")),
                pci_address=one["place"] or None,
            )
            for one in named["nvml"]
        ]
        nvml = Nvml(outcome="ok") if gpus else Nvml()
        found["nvidia"] = facts.ok(Nvidia(pci_devices=on_bus or None, nvml=nvml, gpus=gpus or None))
    if named["rsmi"]:
        cards = [AmdGpu(name=given(one.get("GPUModel")), pci_address=one["place"] or None) for one in named["rsmi"]]
        found["amd"] = facts.ok(Amd(gpus=cards))
    return found
