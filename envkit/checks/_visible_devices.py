"""CUDA_VISIBLE_DEVICES as CUDA itself reads it.

Sources: CUDA C++ Programming Guide, "CUDA Environment Variables"; NVIDIA MIG User Guide, "Device Enumeration";
torch.cuda's own reading of it, which follows the driver.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.facts.accelerators import MigDevice, NvidiaGpu


class Visible(NamedTuple):
    """What CUDA shows a process."""

    gpus: list[NvidiaGpu]
    mig: list[MigDevice]
    dropped: str
    """Why some of the list counts for nothing; "" where all of it counts."""
    by_index: bool
    """Whether GPUs are named by the number that CUDA gives them."""


class _Entry(NamedTuple):
    """What one entry names: a place in the list of devices, or why it names none."""

    place: int
    why: str = ""


def visible(value: str, gpus: Sequence[NvidiaGpu]) -> Visible | None:
    """What is left of these GPUs, in the order of their PCI addresses; None where a UUID that is not known decides."""
    tokens = [token.strip() for token in value.split(",")]
    devices = [device for gpu in gpus for device in gpu.mig or []]
    if tokens == [""]:
        return Visible([], [], "the list is empty", by_index=False)
    if tokens[0].startswith("MIG-"):
        if any(gpu.mig is None and gpu.mig_mode != "disabled" for gpu in gpus):
            return None
        names = [_names(device, gpu) for gpu in gpus for device in gpu.mig or []]
        places, dropped = _read(tokens, lambda token: _by_uuid(token, names, "MIG-"))
        if len(places) > 1:
            places, dropped = places[:1], "a process is shown one MIG device, the first"
        return Visible([], [devices[place] for place in places], dropped, by_index=False)
    if tokens[0].startswith("GPU-"):
        if any(gpu.uuid is None for gpu in gpus):
            return None
        uuids = [(gpu.uuid or "",) for gpu in gpus]
        places, dropped = _read(tokens, lambda token: _by_uuid(token, uuids, "GPU-"))
        return Visible([gpus[place] for place in places], [], dropped, by_index=False)
    places, dropped = _read(tokens, lambda token: _by_index(token, len(gpus)))
    return Visible([gpus[place] for place in places], [], dropped, by_index=True)


def _read(tokens: list[str], entry: Callable[[str], _Entry]) -> tuple[list[int], str]:
    """The devices named up to the first entry that names none; one that is named twice hides them all."""
    places: list[int] = []
    for token in tokens:
        place, why = entry(token)
        if why:
            return places, f"{token!r} {why}, so it and what follows is dropped" if token else "an empty entry ends it"
        if place in places:
            return [], f"{token!r} is named twice, which hides all"
        places.append(place)
    return places, ""


def _by_index(token: str, number: int) -> _Entry:
    """CUDA reads as far as there are digits, as strtoul does: "1gpu" is 1."""
    digits = re.match(r"[+-]?\d+", token)
    if digits is None:
        return _Entry(-1, "is no number")
    index = int(digits[0])
    return _Entry(index) if 0 <= index < number else _Entry(-1, f"is none of 0 to {number - 1}")


def _by_uuid(token: str, uuids: Sequence[tuple[str, ...]], kind: str) -> _Entry:
    """A UUID, or as much of its beginning as no other has."""
    if not token.startswith(kind):
        return _Entry(-1, f"is no {kind}..., as the first entry is")
    fitting = [place for place, names in enumerate(uuids) if any(name.startswith(token) for name in names)]
    exact = [place for place, names in enumerate(uuids) if token in names]
    if len(exact or fitting) == 1:
        return _Entry((exact or fitting)[0])
    return _Entry(-1, "begins the UUIDs of several" if fitting else "names none of them")


def _names(device: MigDevice, gpu: NvidiaGpu) -> tuple[str, ...]:
    """Its own UUID, and how drivers before 470 name it."""
    return (device.uuid or "", f"MIG-{gpu.uuid}/{device.gpu_instance}/{device.compute_instance}")
