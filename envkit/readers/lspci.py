"""`lspci`, with any of -nn, -k, -v, -D: accelerators of NVIDIA and Google, their drivers and PCIe links."""

from __future__ import annotations

import re

import msgspec

from envkit import facts
from envkit.facts import Facts, Section
from envkit.facts.accelerators import Nvidia, PciDevice, Tpu
from envkit.readers._lines import MOST_GPUS, marked

NAME = "lspci"

_DEVICE = re.compile(
    r"(?:^|\s)(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) "
    r"([A-Z0-9][^\[\]:]{2,60}?)(?: \[([0-9a-f]{4})\])?: (\S.*)"
)
_IDS = re.compile(r"\[([0-9a-f]{4}):([0-9a-f]{4})\]")
_NEW_ID = re.compile(r"\bDevice ([0-9a-f]{4})\b")  # of a device that the machine's list of names does not know
_CLASSES = {
    "VGA compatible controller": "0300",
    "3D controller": "0302",
    "Display controller": "0380",
    "Processing accelerators": "1200",
    "Bridge": "0680",
}
_SWITCH = "068000"
_VENDORS = {"NVIDIA Corporation": "10de", "Google, Inc.": "1ae0"}
_DETAILS = {
    "kernel_driver": re.compile(r"Kernel driver in use: ([\w-]{1,40})"),
    "link_width": re.compile(r"LnkSta:\s.{0,40}Width x(\d{1,2})\b"),
    "link_width_max": re.compile(r"LnkCap:\s.{0,60}Width x(\d{1,2})\b"),
    "numa_node": re.compile(r"NUMA node: (\d{1,3})\b"),
    "subsystem_id": re.compile(r"Subsystem: .{0,200}\[[0-9a-f]{4}:([0-9a-f]{4})\]"),
}
_NUMBERS = {"link_width", "link_width_max", "numa_node"}
_MOST_DEVICES = 5000
_WHOLE_BUS = 5  # devices that a listing has unless it was filtered by grep
_LINE = 400
_MARKS = (
    *(f".{function} " for function in range(8)),
    *("Kernel driver", "LnkSta:", "LnkCap:", "NUMA node:", "Subsystem:"),
)


def read(text: str) -> Facts | None:
    """NVIDIA GPUs (class 03), NVSwitches and TPUs on the bus; NVIDIA is absent where a whole listing shows no GPU."""
    devices = _listed(text) if any(kind in text for kind in ("controller", "accelerators", "Bridge: NVIDIA")) else {}
    gpus = [_device(d) for d in devices.values() if d["vendor_id"] == "10de" and d["class_id"].startswith("03")]
    tpus = [_device(d) for d in devices.values() if d["vendor_id"] == "1ae0" and d["class_id"][:2] in {"12", "ff"}]
    switches = sum(d["vendor_id"] == "10de" and d["class_id"] == _SWITCH for d in devices.values())
    drivers_shown = any("kernel_driver" in device for device in devices.values())
    nvidia: Section[Nvidia] = Section()
    if gpus:
        loaded = any(gpu.kernel_driver == "nvidia" for gpu in gpus) if drivers_shown else None
        counted = switches if switches or len(devices) >= _WHOLE_BUS else None
        nvidia = facts.ok(Nvidia(pci_devices=gpus[:MOST_GPUS], module_loaded=loaded, nvswitches=counted))
    elif len(devices) >= _WHOLE_BUS:
        nvidia = facts.absent(f"none of the {len(devices)} PCI devices listed is an NVIDIA GPU")
    if nvidia.why == "not asked" and not tpus:
        return None
    return Facts(nvidia=nvidia, tpu=facts.ok(Tpu(pci_devices=tpus)) if tpus else Section())


def _listed(text: str) -> dict[str, dict[str, str]]:
    """What each device's line and the lines below it tell, by address."""
    devices: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in marked(text, *_MARKS):
        if len(line) > _LINE:
            continue
        if len(devices) < _MOST_DEVICES and (found := _DEVICE.search(line)):
            current = _described(found)
            current = devices.setdefault(current["address"], current)
        elif current:
            for name, pattern in _DETAILS.items():
                if name not in current and (told := pattern.search(line)):
                    current[name] = told[1]
    return devices


def _described(found: re.Match[str]) -> dict[str, str]:
    domain, place, kind, class_id, name = found.groups()
    ids = _IDS.findall(name)
    vendor = ids[-1][0] if ids else next((code for words, code in _VENDORS.items() if words in name), "")
    new = _NEW_ID.search(name)
    return {
        "address": f"{int(domain or '0', 16):04x}:{place}",
        "vendor_id": vendor,
        "device_id": ids[-1][1] if ids else new[1] if new else "",
        "class_id": f"{class_id or _CLASSES.get(kind, '')}00",
    }


def _device(said: dict[str, str]) -> PciDevice:
    return msgspec.convert({name: int(v) if name in _NUMBERS else v for name, v in said.items()}, PciDevice)
