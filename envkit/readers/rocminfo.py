"""rocminfo: the agents of ROCm's runtime."""

from __future__ import annotations

import re
from itertools import islice

from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode
from envkit.readers._fields import given, labelled, parts
from envkit.readers._lines import within

NAME = "rocminfo"

_AGENT = re.compile(r"^[ \t]*Agent[ \t]+\d+[ \t]*$", re.MULTILINE)
_MOST_AGENTS = 512  # processors and GPUs of a machine
_MODULE = re.compile(r"ROCk module (?:version (\S+) )?is loaded")
_LABELS = ("Name", "Marketing Name", "Device Type", "BDFID", "Domain")
_POOL = re.compile(r"Segment:[ \t]*GLOBAL; FLAGS:[ \t]*COARSE[^\n]*\n[ \t]*Size:[ \t]*(\d{1,15})")
_DENIED = re.compile(r"/dev/kfd[^\n]{0,40}(?:Permission denied|permissions)", re.IGNORECASE)


def read(text: str) -> Facts | None:
    """GPUs with architecture and memory; whether the kernel module is loaded and /dev/kfd could be opened."""
    if "HSA Agents" not in text and "ROCk module" not in text and "HSA System Attributes" not in text:
        return None
    agents = islice(parts(text, _AGENT, "Agent"), _MOST_AGENTS)
    gpus = [gpu for _, agent in agents if (gpu := _gpu(agent))]
    module = _MODULE.search(text)
    denied = next(within(_DENIED, text, "/dev/kfd"), None) is not None
    if not (gpus or module or denied):
        return Facts(amd=absent("rocminfo: the ROCk module is not loaded")) if "NOT loaded" in text else None
    kfd = DeviceNode(path="/dev/kfd", readable=not denied, writable=not denied)
    amd = Amd(
        gpus=gpus or None,
        driver_version=module[1] if module else None,
        module_loaded=True if module or gpus else None,
        device_nodes=[kfd] if gpus or denied else [],
    )
    return Facts(amd=ok(amd))


def _gpu(part: str) -> AmdGpu | None:
    fields = labelled(part, *_LABELS)
    if fields.get("Device Type") != "GPU":
        return None
    place = fields.get("BDFID", "")
    domain = fields.get("Domain", "")
    pool = _POOL.search(part)
    gfx = fields.get("Name", "")
    return AmdGpu(
        name=given(fields.get("Marketing Name")),
        gfx=gfx if gfx.startswith("gfx") else None,
        pci_address=_address(int(domain) if domain.isdecimal() else 0, int(place)) if _number(place) else None,
        memory_total_bytes=int(pool[1]) * 1024 if pool else None,
    )


def _number(words: str) -> bool:
    return words.isdecimal() and len(words) < 6 and int(words) < 1 << 16


def _address(domain: int, place: int) -> str:
    """As the PCI specification packs bus, device and function into 16 bits."""
    return f"{domain:04x}:{place >> 8:02x}:{place >> 3 & 31:02x}.{place & 7}"
