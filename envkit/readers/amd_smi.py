"""amd-smi: static and metric as JSON and as text, version, and the table."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import msgspec

from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdErrors, AmdGpu, DeviceNode
from envkit.readers._fields import amount, documents, given, groups, parts
from envkit.readers._lines import first
from envkit.readers._text import number, whole

NAME = "amd-smi"

_GPU = re.compile(r"^[ \t]*GPU:[ \t]*(\d{1,3})[ \t]*$", re.MULTILINE)
_MARKET = re.compile(r"MARKET_NAME:[ \t]*([^\n]+)")
_GFX = re.compile(r"TARGET_GRAPHICS_VERSION:[ \t]*(gfx\w+)")
_BDF = re.compile(r"\bBDF:[ \t]*([0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])")
_VRAM = re.compile(r"\bVRAM:[^\S\n]*\n(?:[ \t]+[A-Z_]+:[^\n]*\n){0,6}?[ \t]+SIZE:[ \t]*(\d[^\n]*)")
_TOTAL = re.compile(r"TOTAL_VRAM:[ \t]*(\d[^\n]*)")
_USED = re.compile(r"USED_VRAM:[ \t]*(\d[^\n]*)")
_DRIVER = re.compile(r"^[ \t]*DRIVER:[^\S\n]*\n(?:[ \t]+[A-Z_]+:[^\n]*\n){0,4}?[ \t]+VERSION:[ \t]*(\S+)", re.MULTILINE)
_AMDGPU = re.compile(r"amdgpu version:[ \t]*(\d\S*)")
_ROCM = re.compile(r"ROCm version:[ \t]*(\d\S*)")
_ROW = re.compile(
    r"^[ \t]*\|[ \t]*([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])([^|\n]+)\|[^\n]*\n([^\n]*)", re.MULTILINE
)
_HOTTEST = re.compile(r"\bHOTSPOT:[ \t]*(\d{1,3})")
_EDGE = re.compile(r"\bEDGE:[ \t]*(\d{1,3})")
_WARMTH_OF_MEMORY = re.compile(r"\bMEM:[ \t]*(\d{1,3})[ \t]*°?C")
_POWER = re.compile(r"\bSOCKET_POWER:[ \t]*(\d{1,5})")
_PARTITIONS = re.compile(r"\bCOMPUTE_PARTITION:[ \t]*([A-Z]{3})\s+MEMORY_PARTITION:[ \t]*(NPS\d)")
_TOTAL_ERRORS = re.compile(
    r"\bTOTAL_CORRECTABLE_COUNT:[ \t]*(\d{1,15})\s+TOTAL_UNCORRECTABLE_COUNT:[ \t]*(\d{1,15})"
    r"(?:\s+TOTAL_DEFERRED_COUNT:[ \t]*(\d{1,15}))?"
)
_BLOCK_ERRORS = re.compile(
    r"\b([A-Z0-9_]{2,20}):\s+CORRECTABLE_COUNT:[ \t]*(\d{1,15})\s+UNCORRECTABLE_COUNT:[ \t]*(\d{1,15})"
    r"(?:\s+DEFERRED_COUNT:[ \t]*(\d{1,15}))?"
)
_MEMORY = re.compile(r"(\d{1,8})/(\d{1,8})[ \t]*([MG])i?B")
_MOST_BLOCKS = 100
_LONGEST_READING = 20
_MARKS = (
    *("MARKET_NAME", "AMD-SMI", "AMDSMI", "market_name", "TOTAL_VRAM", "total_vram", "gpu_data"),
    *("TOTAL_UNCORRECTABLE_COUNT", "total_uncorrectable_count"),
)


def read(text: str) -> Facts | None:
    """GPUs with their architecture, memory and places on the PCI bus; versions of the driver and of ROCm."""
    if not any(mark in text for mark in _MARKS):
        return None
    gpus, driver = _from_json(text)
    if not gpus:
        gpus = _from_blocks(text) or _from_table(text)
    in_block = first(_DRIVER, text, "DRIVER:")
    driver = driver or (in_block[1] if in_block else None) or _first(_AMDGPU, text)
    amd = Amd(
        gpus=[gpus[index] for index in sorted(gpus)] or None, driver_version=driver, rocm_version=_first(_ROCM, text)
    )
    if amd == Amd():
        return None
    kfd = [DeviceNode(path="/dev/kfd")] if gpus else []  # amd-smi shows what the compute driver has
    return Facts(amd=ok(msgspec.structs.replace(amd, device_nodes=kfd)))


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return given(match[1]) if match else None


def _size(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return amount(match[1]) if match else None


def _from_blocks(text: str) -> dict[int, AmdGpu]:
    gpus: dict[int, AmdGpu] = {}
    for start, part in parts(text, _GPU, "GPU:"):
        address = _first(_BDF, part)
        gpu = AmdGpu(
            name=_first(_MARKET, part),
            gfx=_first(_GFX, part),
            pci_address=address.lower() if address else None,
            memory_total_bytes=_size(_TOTAL, part) or _size(_VRAM, part),
            memory_used_bytes=_size(_USED, part),
            temperature_celsius=whole(_first(_HOTTEST, part) or _first(_EDGE, part) or ""),
            memory_temperature_celsius=whole(_first(_WARMTH_OF_MEMORY, part) or ""),
            power_watts=number(_first(_POWER, part) or ""),
            errors=_errors_in(part),
            **_partitions(part),
        )
        if gpu != AmdGpu():
            _add(gpus, int(start[1]), gpu)
    return gpus


def _partitions(part: str) -> dict[str, Any]:
    found = _PARTITIONS.search(part)
    return {"compute_partition": found[1], "memory_partition": found[2]} if found else {}


def _errors_in(part: str) -> list[AmdErrors] | None:
    """By block, else those of all blocks together."""
    blocks = [_counted(*match.groups()) for match in islice(_BLOCK_ERRORS.finditer(part), _MOST_BLOCKS)]
    total = _TOTAL_ERRORS.search(part)
    return blocks or ([_counted("all", *total.groups())] if total else None)


def _counted(block: str, correctable: object, uncorrectable: object, deferred: object) -> AmdErrors:
    return AmdErrors(
        block=block.lower(),
        correctable=whole(str(correctable)),
        uncorrectable=whole(str(uncorrectable)),
        deferred=whole(str(deferred)),
    )


def _from_table(text: str) -> dict[int, AmdGpu]:
    gpus = {}
    for place, (address, name, below) in enumerate(groups(_ROW, text, "|") if "GPU-Name" in text else ()):
        memory = _MEMORY.search(below)
        gpus[place] = AmdGpu(
            name=given(name),
            pci_address=address,
            memory_total_bytes=amount(f"{memory[2]} {memory[3]}B") if memory else None,
            memory_used_bytes=amount(f"{memory[1]} {memory[3]}B") if memory else None,
        )
    return gpus


def _from_json(text: str) -> tuple[dict[int, AmdGpu], str | None]:
    """The list of static or metric, bare or under "gpu_data"."""
    if '"gpu"' not in text:
        return {}, None
    gpus: dict[int, AmdGpu] = {}
    driver = None
    for document in documents(text):
        rows = document.get("gpu_data") if isinstance(document, dict) else document
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and isinstance(row.get("gpu"), int):
                _add(gpus, row["gpu"], _gpu(row))
                driver = driver or _word(row, "driver", "version")
    return {index: gpu for index, gpu in gpus.items() if gpu != AmdGpu()}, driver


def _gpu(row: dict[str, Any]) -> AmdGpu:
    gfx, address = _word(row, "asic", "target_graphics_version"), _word(row, "bus", "bdf")
    return AmdGpu(
        name=_word(row, "asic", "market_name"),
        gfx=gfx.lower() if gfx else None,
        pci_address=address.lower() if address else None,
        memory_total_bytes=_quantity(row, "mem_usage", "total_vram") or _quantity(row, "vram", "size"),
        memory_used_bytes=_quantity(row, "mem_usage", "used_vram"),
        temperature_celsius=_reading(row, "temperature", "hotspot") or _reading(row, "temperature", "edge"),
        memory_temperature_celsius=_reading(row, "temperature", "mem"),
        power_watts=_reading(row, "power", "socket_power"),
        compute_partition=_word(row, "partition", "compute_partition")
        or _word(row, "partition", "accelerator_partition"),
        memory_partition=_word(row, "partition", "memory_partition"),
        errors=_errors_of(row),
    )


def _errors_of(row: dict[str, Any]) -> list[AmdErrors] | None:
    blocks, totals = row.get("ecc_blocks"), row.get("ecc")
    names = ("correctable_count", "uncorrectable_count", "deferred_count")
    found = [
        _counted(str(block)[:40], counts.get(names[0]), counts.get(names[1]), counts.get(names[2]))
        for block, counts in (blocks.items() if isinstance(blocks, dict) else ())
        if isinstance(counts, dict)
    ]
    if not found and isinstance(totals, dict):
        found = [_counted("all", *(totals.get(f"total_{name}") for name in names))]
    return [one for one in found if one.uncorrectable is not None] or None


def _reading(row: dict[str, Any], group: str, key: str) -> int | None:
    """Of {"value": 45, "unit": "C"}, of 45, or of "45 °C"."""
    fields = row.get(group)
    value = fields.get(key) if isinstance(fields, dict) else None
    value = value.get("value") if isinstance(value, dict) else value
    return whole(str(value)[:_LONGEST_READING]) if isinstance(value, int | float | str) else None


def _word(row: dict[str, Any], group: str, key: str) -> str | None:
    fields = row.get(group)
    value = fields.get(key) if isinstance(fields, dict) else None
    return given(value) if isinstance(value, str) else None


def _quantity(row: dict[str, Any], group: str, key: str) -> int | None:
    """Of {"value": 196592, "unit": "MB"}, or of "196592 MB"."""
    fields = row.get(group)
    value = fields.get(key) if isinstance(fields, dict) else None
    if isinstance(value, dict):
        value = f"{value.get('value')} {value.get('unit')}"
    return amount(value) if isinstance(value, str) else None


def _add(gpus: dict[int, AmdGpu], index: int, gpu: AmdGpu) -> None:
    """What an earlier part of the text has left open is filled."""
    known = gpus.get(index, AmdGpu())
    fields = {name: getattr(known, name) or getattr(gpu, name) for name in AmdGpu.__struct_fields__}
    gpus[index] = AmdGpu(**fields)
