"""The topology that NCCL or RCCL writes (NCCL_TOPO_DUMP_FILE) or is given (NCCL_TOPO_FILE), an XML of its own."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import msgspec

from envkit import facts
from envkit.facts import Facts, Section
from envkit.facts.accelerators import Amd, AmdGpu, Nvidia, NvidiaGpu, NvLink, PciDevice
from envkit.facts.host import NumaNode, Topology
from envkit.facts.machine import Cpu
from envkit.readers._lines import MOST_GPUS

NAME = "NCCL topology"

_SYSTEM = re.compile(r"<system\b[^<>]{0,200}\bversion=\"\d")
_TAG = re.compile(r"<(/?)(cpu|pci|gpu|nvlink|system)\b([^<>]{0,2000})>")
_ATTRIBUTE = re.compile(r"\b(\w{1,40})=\"([^\"]{0,200})\"")
_MOST_TAGS = 20_000
_MOST_LINKS = 64
_NVIDIA = ("0x10de", "0x0000", "")  # files written by hand leave the vendor out


def read(text: str) -> Facts | None:
    """GPUs with their places, compute capability and NVLinks; processors by memory node."""
    start = _SYSTEM.search(text)
    if start is None:
        return None
    cpus: list[dict[str, str]] = []
    cards: list[dict[str, Any]] = []
    for tag in islice(_TAG.finditer(text, start.start()), _MOST_TAGS):
        closing, kind, words = tag.groups()
        said: dict[str, Any] = dict(_ATTRIBUTE.findall(words))
        if kind == "system" and closing:
            break
        if kind == "cpu" and not closing:
            cpus.append(said)
        elif kind == "pci" and said.get("class", "")[:4] == "0x03" and len(cards) < MOST_GPUS:
            cards.append(said | {"links": 0})
        elif kind == "gpu" and cards and not closing:
            cards[-1]["gpu"] = said
        elif kind == "nvlink" and cards and said.get("count", "").isdecimal():
            cards[-1]["links"] += int(said["count"][:3])
    found = _processors(cpus) | _accelerators(cards)
    return msgspec.structs.replace(Facts(), **found) if cards else None


def _processors(cpus: list[dict[str, str]]) -> dict[str, Section[Any]]:
    if not cpus:
        return {}
    nodes = [NumaNode(index=int(cpu["numaid"])) for cpu in cpus if re.fullmatch(r"\d{1,4}", cpu.get("numaid", ""))]
    cpu = Cpu(architecture=cpus[0].get("arch"), vendor=cpus[0].get("vendor"))
    return {"cpu": facts.ok(cpu), "topology": facts.ok(Topology(numa_nodes=nodes or None))}


def _accelerators(cards: list[dict[str, Any]]) -> dict[str, Section[Any]]:
    nvidia = [card for card in cards if card.get("vendor", "") in _NVIDIA and "gcn" not in card.get("gpu", {})]
    amd = [card for card in cards if card not in nvidia and card.get("vendor") in {"0x1002", None}]
    found: dict[str, Section[Any]] = {}
    if nvidia:
        gpus = [_gpu(card) for card in nvidia if re.fullmatch(r"\d{1,3}", card.get("gpu", {}).get("dev", ""))]
        found["nvidia"] = facts.ok(Nvidia(pci_devices=[_device(card) for card in nvidia], gpus=gpus or None))
    if amd:
        gpus_of_amd = [AmdGpu(gfx=_gfx(card), pci_address=card.get("busid")) for card in amd]
        found["amd"] = facts.ok(Amd(gpus=gpus_of_amd))
    return found


def _device(card: dict[str, Any]) -> PciDevice:
    width = card.get("link_width", "")
    return PciDevice(
        address=card.get("busid", "").lower(),
        vendor_id="10de",
        device_id=card.get("device", "").removeprefix("0x"),
        class_id=card["class"].removeprefix("0x"),
        link_width_max=int(width) if re.fullmatch(r"\d{1,2}", width) else None,
    )


def _gpu(card: dict[str, Any]) -> NvidiaGpu:
    sm = card["gpu"].get("sm", "")
    return NvidiaGpu(
        index=int(card["gpu"]["dev"]),
        pci_address=card.get("busid", "").lower() or None,
        compute_capability=f"{sm[:-1]}.{sm[-1]}" if re.fullmatch(r"\d{2,3}", sm) else None,
        nvlinks=[NvLink(index=link, active=True) for link in range(min(card["links"], _MOST_LINKS))] or None,
    )


def _gfx(card: dict[str, Any]) -> str | None:
    """RCCL writes gcn="gfx942", of old gcn="908"."""
    told = str(card.get("gpu", {}).get("gcn", "")).partition(":")[0]
    return told if told.startswith("gfx") else f"gfx{told}" if told.isdecimal() else None
