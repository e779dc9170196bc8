"""rocm-smi: JSON of every release (they spell the keys differently), -a, and the table."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode
from envkit.readers._fields import documents, given, groups
from envkit.readers._lines import first
from envkit.readers._text import number, whole

NAME = "rocm-smi"

_LINE = re.compile(r"^[ \t]*GPU\[(\d{1,3})\][ \t]*:([^:\n]{1,80}):([^\n]*)$", re.MULTILINE)
_MOST_LINES = 100_000
_DRIVER = re.compile(r"^[ \t]*Driver version:[ \t]*(\S+)", re.MULTILINE)
_CARD = re.compile(r"card(\d{1,3})")
_TABLE = re.compile(r"^[ \t]*(?:Device|GPU)[ \t]+(?:Node\b|Temp\b|DID\b|\[Model)[^\n]*$", re.MULTILINE)
_ROW = re.compile(r"[ \t]*(\d{1,3})[ \t]+\S")
_TEMPERATURE = re.compile(r"[ \t](\d{1,3}(?:\.\d)?)°?[cC]\b")
_PCIE = re.compile(r"\((\d{1,2}(?:\.\d)?)GT/s x(\d{1,2})\)")
_GENERATIONS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_TITLES = ("System Management Interface", "system management interface")


def read(text: str) -> Facts | None:
    """GPUs with their names, memory and places on the PCI bus, and the version of the kernel driver."""
    titled = any(title in text for title in _TITLES)
    if '"card' not in text and "GPU[" not in text and not titled:
        return None
    cards, driver = _from_json(text)
    if not cards:
        cards, driver = _from_lines(text)
    gpus = [_gpu(cards[index]) for index in sorted(cards)]
    if not gpus and titled:
        gpus = _from_table(text)
    if not gpus:
        return None
    kfd = DeviceNode(path="/dev/kfd")  # rocm-smi shows what the compute driver has
    return Facts(amd=ok(Amd(gpus=gpus, driver_version=driver, device_nodes=[kfd])))


def _gpu(fields: dict[str, str]) -> AmdGpu:
    names = (given(fields.get(key)) for key in ("card series", "device name", "card model"))
    address = (given(fields.get("pci bus")) or "").lower()
    gfx = given(fields.get("gfx version"))
    return AmdGpu(
        name=next((name for name in names if name and not name.startswith("0x")), None),
        gfx=gfx if gfx and gfx.startswith("gfx") else None,
        pci_address=address if _ADDRESS.fullmatch(address) else None,
        memory_total_bytes=_bytes(fields.get("vram total memory (b)")),
        memory_used_bytes=_bytes(fields.get("vram total used memory (b)")),
        uuid=_uuid(fields.get("unique id", "")),
        compute_partition=_word(fields.get("compute partition")),
        memory_partition=_word(fields.get("memory partition")),
        temperature_celsius=whole(_one(fields, "junction", "edge")),
        memory_temperature_celsius=whole(_one(fields, "memory", "mem")),
        power_watts=number(_power(fields)),
        power_limit_watts=number(fields.get("max graphics package power (w)", "")) or None,
        numa_node=_node(fields.get("(topology) numa node", "")),
        **_link(fields.get("pcie clock level", "")),
    )


def _one(fields: dict[str, str], *sensors: str) -> str:
    """What the first sensor says that says something."""
    told = (given(fields.get(f"temperature (sensor {sensor}) (c)")) for sensor in sensors)
    return next(filter(None, told), "")


def _power(fields: dict[str, str]) -> str:
    names = ("average graphics package power (w)", "current socket graphics package power (w)")
    return next(filter(None, (fields.get(name) for name in names)), "")


def _word(words: str | None) -> str | None:
    """A mode such as "NPS1", not a sentence that says that there is none."""
    return words if words and words.isalnum() else None


def _uuid(words: str) -> str | None:
    """As ROCR_VISIBLE_DEVICES names it."""
    digits = words.lower().removeprefix("0x")
    return f"GPU-{digits:0>16}" if re.fullmatch(r"[0-9a-f]{8,16}", digits) else None


def _node(words: str) -> int | None:
    return int(words) if re.fullmatch(r"\d{1,3}", words) else None


def _link(words: str) -> dict[str, Any]:
    found = _PCIE.search(words)
    return {"pcie_generation": _GENERATIONS.get(found[1]), "pcie_width": int(found[2])} if found else {}


def _bytes(words: str | None) -> int | None:
    words = (words or "").strip()
    return int(words) if words.isdecimal() and len(words) < 20 else None


def _from_json(text: str) -> tuple[dict[int, dict[str, str]], str | None]:
    """Fields of each card by lower-case key; the first of several lists."""
    if '"card' not in text:
        return {}, None
    for document in documents(text):
        cards = {
            int(match[1]): {str(key).lower(): str(value).strip() for key, value in fields.items()}
            for name, fields in (document.items() if isinstance(document, dict) else ())
            if isinstance(fields, dict) and (match := _CARD.fullmatch(name))
        }
        if cards:
            system = document.get("system")
            version = system.get("Driver version") if isinstance(system, dict) else None
            return cards, given(version) if isinstance(version, str) else None
    return {}, None


def _from_lines(text: str) -> tuple[dict[int, dict[str, str]], str | None]:
    cards: dict[int, dict[str, str]] = {}
    for index, key, value in groups(_LINE, text, "GPU[", most=_MOST_LINES):
        cards.setdefault(int(index), {}).setdefault(key.strip().lower(), value.strip())
    driver = first(_DRIVER, text, "Driver version:")
    return cards, driver[1] if driver else None


def _from_table(text: str) -> list[AmdGpu]:
    """How many GPUs there are, and how warm; their names in the releases that put them below."""
    heading = first(_TABLE, text, "Device", "GPU")
    gpus: list[AmdGpu] = []
    for line in text[heading.end() : heading.end() + 100_000].split("\n")[1:] if heading else ():
        if _ROW.match(line):
            warm = _TEMPERATURE.search(line)
            gpus.append(AmdGpu(temperature_celsius=whole(warm[1]) if warm else None))
        elif gpus and heading and "[Model" in heading[0] and line[:1].isspace() and line.strip():
            gpus[-1] = msgspec.structs.replace(gpus[-1], name=line.strip())
        elif gpus:
            break
    return gpus
