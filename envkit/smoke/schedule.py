"""Which children of a smoke run side by side, and which are not started for want of memory. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from envkit.knowledge.smoke_memory import Need
from envkit.smoke.ending import Verdict
from envkit.smoke.framework import Task

GIB = 1 << 30
ROOM = 2
"""Children run side by side where so many times their memory is free: others take of it meanwhile."""


class Child(NamedTuple):
    """What one child process computes: everything of one framework on one device."""

    framework: str
    device: str
    tasks: list[Task]
    need: Need


class Free(NamedTuple):
    """Bytes of memory that are free: the machine's, None where not known, and of devices by name ("cuda:1")."""

    memory: int | None = None
    devices: Mapping[str, int] = {}


def shortage(child: Child, free: Free) -> Verdict | None:
    """The verdict on a child that cannot have the memory it needs; None where it can, or where that is not known."""
    device = free.devices.get(_full(child.device))
    for need, there, what in (
        (child.need.memory, free.memory, "memory"),
        (child.need.device, device, f"the memory of {child.device}"),
    ):
        if there is not None and there < need:
            words = f"{child.framework} needs about {_gib(need)} of {what}, {_gib(there)} are free: it was not started"
            return Verdict("unknown", "too-little-memory", words)
    return None


def lanes(children: Sequence[Child], free: Free) -> list[list[Child]]:
    """Children in lanes: those of one lane run one after another, the lanes side by side.

    One lane each where the memory is sure to suffice, else one for each device, else one for all.
    """
    by_device: dict[str, list[Child]] = {}
    for child in children:
        by_device.setdefault(_full(child.device), []).append(child)
    each, devices = [[child] for child in children], list(by_device.values())
    if free.memory is None:
        return devices
    return next((plan for plan in (each, devices) if _fits(plan, free)), [list(children)])


def _fits(plan: list[list[Child]], free: Free) -> bool:
    def most(device: str | None = None) -> int:
        """What all lanes together take at most, of the machine's memory or of one device's."""
        if device is None:
            return sum(max(child.need.memory for child in lane) for lane in plan)
        own = [[child.need.device for child in lane if _full(child.device) == device] for lane in plan]
        return sum(max(needs, default=0) for needs in own)

    enough = all(ROOM * most(device) <= there for device, there in free.devices.items())
    return enough and ROOM * most() <= (free.memory or 0)


def _full(device: str) -> str:
    """With its number: "cuda" is "cuda:0"."""
    return device if device == "cpu" or ":" in device else f"{device}:0"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
