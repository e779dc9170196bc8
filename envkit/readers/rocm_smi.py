"""rocm-smi: JSON of every release (they spell the keys differently), -a, and the table."""

from __future__ import annotations

import re

from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode
from envkit.readers._fields import documents, given, groups

NAME = "rocm-smi"

_LINE = re.compile(r"^[ \t]*GPU\[(\d{1,3})\][ \t]*:([^:\n]{1,80}):([^\n]*)$", re.MULTILINE)
_MOST_LINES = 100_000
_DRIVER = re.compile(r"^[ \t]*Driver version:[ \t]*(\S+)", re.MULTILINE)
_CARD = re.compile(r"card(\d{1,3})")
_TABLE = re.compile(r"^[ \t]*(?:Device|GPU)[ \t]+(?:Node|Temp|DID)\b[^\n]*$", re.MULTILINE)
_ROW = re.compile(r"[ \t]*(\d{1,3})[ \t]+\S")
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_TITLE = "system management interface"


def read(text: str) -> Facts | None:
    """GPUs with their names, memory and places on the PCI bus, and the version of the kernel driver."""
    if '"card' not in text and "GPU[" not in text and _TITLE not in text.lower():
        return None
    cards, driver = _from_json(text)
    if not cards:
        cards, driver = _from_lines(text)
    gpus = [_gpu(cards[index]) for index in sorted(cards)]
    if not gpus and _TITLE in text.lower():
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
    )


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
    for index, key, value in groups(_LINE, text, most=_MOST_LINES) if "GPU[" in text else ():
        cards.setdefault(int(index), {}).setdefault(key.strip().lower(), value.strip())
    driver = _DRIVER.search(text)
    return cards, driver[1] if driver else None


def _from_table(text: str) -> list[AmdGpu]:
    """How many GPUs there are is all that the table tells."""
    heading = _TABLE.search(text)
    gpus: list[AmdGpu] = []
    for line in text[heading.end() : heading.end() + 100_000].split("\n")[1:] if heading else ():
        if _ROW.match(line):
            gpus.append(AmdGpu())
        elif gpus:
            break
    return gpus
