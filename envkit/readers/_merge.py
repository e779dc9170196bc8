"""Partial facts of one machine, from several texts, made into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from envkit.facts import SECTIONS, Facts, Section
from envkit.facts.accelerators import AmdGpu, DeviceNode, MigDevice, NvidiaGpu, NvLink, Nvml, PciDevice
from envkit.facts.machine import Volume
from envkit.facts.software import Package

_IDENTITY: dict[Any, str] = {
    PciDevice: "address",
    DeviceNode: "path",
    NvLink: "index",
    MigDevice: "index",
    Volume: "purpose",
    Package: "name",
}


def merge(parts: Sequence[Facts], sources: Sequence[str]) -> Facts:
    """One `Facts` out of several: section by section, what one source leaves open is filled from the others.

    Where sources contradict each other, the one that says more about the section is believed, then the earlier one.
    """
    merged: dict[str, Any] = {name: _section([getattr(part, name) for part in parts]) for name in SECTIONS}
    for name in ("envkit", "taken_at"):
        merged[name] = next((value for part in parts if (value := getattr(part, name))), "")
    return Facts(sources=list(sources), **merged)


def _section(candidates: Sequence[Section[Any]]) -> Section[Any]:
    filled = sorted((c for c in candidates if c.facts is not None), key=lambda c: -_details(c.facts))
    if not filled:
        told = [c for c in candidates if c.why != "not asked"]
        return min(told, key=lambda c: c.outcome, default=Section())  # absent before unknown
    facts = filled[0].facts
    for other in filled[1:]:
        facts = _fill(facts, other.facts)
    return msgspec.structs.replace(filled[0], facts=facts)


def _details(value: object) -> int:
    """How many values are known within a value."""
    if isinstance(value, msgspec.Struct):
        return sum(_details(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, list):
        return sum(map(_details, value))
    if isinstance(value, dict):
        return len(value)
    return int(value not in (None, ""))


def _fill(known: Any, other: Any) -> Any:
    """The known value, and in its gaps the other's."""
    if known is None or known == "":
        return other
    if isinstance(known, Nvml) and isinstance(other, Nvml):
        return _nvml(known, other)
    if isinstance(known, NvidiaGpu) and (known.name or "").endswith("..."):  # cut to fit a table
        known = msgspec.structs.replace(known, name=other.name or known.name)
    if isinstance(known, msgspec.Struct) and type(known) is type(other):
        filled = {name: _fill(getattr(known, name), getattr(other, name)) for name in known.__struct_fields__}
        if isinstance(known, NvidiaGpu):
            filled["unreadable"] = {n: why for n, why in filled["unreadable"].items() if filled.get(n) is None}
        return msgspec.structs.replace(known, **filled)
    if isinstance(known, list) and isinstance(other, list):
        return _fill_list(known, other)
    if isinstance(known, dict) and isinstance(other, dict):
        return {**other, **known}
    return known


def _nvml(known: Nvml, other: Nvml) -> Nvml:
    """An outcome and its error belong together; of the library, each may know something."""
    answer, rest = (other, known) if known.outcome == "not-asked" else (known, other)
    return msgspec.structs.replace(
        answer,
        library_path=answer.library_path or rest.library_path,
        library_version=answer.library_version or rest.library_version,
    )


def _fill_list(known: list[Any], other: list[Any]) -> list[Any]:
    """Items that are the same thing are merged, others appended; lists of plain values are not mixed."""
    if not known or not other or type(known[0]) is not type(other[0]):
        return known or other
    kind: Any = type(known[0])
    if kind in (NvidiaGpu, AmdGpu):
        return _gpus(known, other)
    if kind not in _IDENTITY:
        return known
    name = _IDENTITY[kind]
    theirs = {getattr(item, name): item for item in other}
    merged = [_fill(item, theirs.pop(getattr(item, name), None)) for item in known]
    return merged + list(theirs.values())


def _gpus(known: list[Any], other: list[Any]) -> list[Any]:
    """GPUs are the same by PCI address, where both sides tell it, else by index (or place in the list)."""
    merged = list(known)
    by_address = {gpu.pci_address: place for place, gpu in enumerate(known) if gpu.pci_address}
    by_index = {getattr(gpu, "index", place): place for place, gpu in enumerate(known)}
    for place, gpu in enumerate(other):
        same_index = by_index.get(getattr(gpu, "index", place))
        found = by_address.get(gpu.pci_address, same_index)
        if found is None:
            merged.append(gpu)
        elif not (merged[found].pci_address and gpu.pci_address) or merged[found].pci_address == gpu.pci_address:
            merged[found] = _fill(merged[found], gpu)
        elif getattr(gpu, "error", None):  # a lost GPU, whose index its tool did not tell
            merged.append(msgspec.structs.replace(gpu, index=max(one.index for one in merged) + 1))
        # else: two addresses for one index, so this is another machine's
    return sorted(merged, key=lambda gpu: gpu.index) if isinstance(known[0], NvidiaGpu) else merged
