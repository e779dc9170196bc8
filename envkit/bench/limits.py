"""What each measurement could be at most, by the table of peaks. Pure."""

from __future__ import annotations

from typing import NamedTuple

from envkit.bench.types import Measurement
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.gpus import Amd, AmdGpu
from envkit.knowledge.peaks import Peak, Peaks


class Gpu(NamedTuple):
    """A GPU as PyTorch counts it, with what its driver knows of it."""

    device: str
    name: str
    memory_bytes: int | None = None
    nvml: NvidiaGpu | None = None
    amd: AmdGpu | None = None


class Limit(NamedTuple):
    """The most that can be had, in the measurement's unit, and of what."""

    value: float
    of: str


def gpu_of(
    device: str, name: str, memory_bytes: int | None, uuid: str, nvidia: Nvidia | None, *, amd: Amd | None = None
) -> Gpu:
    """NVIDIA's joined by the UUID, which CUDA tells without its "GPU-"; a machine's only GPU is the one anyway."""
    gpus = (nvidia.gpus or []) if nvidia else []
    same = [gpu for gpu in gpus if uuid and gpu.uuid == f"GPU-{uuid}"] or (gpus if len(gpus) == 1 else [])
    others = (amd.gpus or []) if amd and not gpus else []
    return Gpu(device, name, memory_bytes, same[0] if same else None, others[0] if len(others) == 1 else None)


def limit_of(measurement: Measurement, gpus: dict[str, Gpu], nvidia: Nvidia | None, peaks: Peaks) -> Limit | None:
    """None where nobody knows: CPUs, disks, steps, cards that are not in the table, parts of cards."""
    if measurement.kind == "step":
        return None
    names = list(gpus) if measurement.device == "all" else measurement.device.split("-")
    if not names or not all(name in gpus for name in names):
        return None
    first = gpus[names[0]]
    found = peaks.of(first.name, first.memory_bytes)
    if not found:
        return None
    key, peak = found
    if measurement.kind == "matmul":
        return _limit(getattr(peak, measurement.variant, None), key)
    if measurement.kind == "memory":
        return _limit(peak.memory, key)
    if measurement.kind == "transfer":
        # A pageable copy is bound by the host's own copying: no peak is known of that.
        return _pcie(peak, peaks) if measurement.variant.endswith("pinned") else None
    others = [gpus[name] for name in names[1:]]
    links = [_nvlink(first, other, peak, nvidia) for other in others]
    if all(links) and all(peaks.of(other.name, other.memory_bytes) == found for other in others):
        return min((link for link in links if link), key=lambda link: link.value)
    return _pcie(peak, peaks) if measurement.kind == "peer" else None


def _limit(value: float | None, of: str) -> Limit | None:
    return Limit(value, of) if value else None


def _pcie(peak: Peak, peaks: Peaks) -> Limit | None:
    return _limit(peaks.pcie(peak.pcie), f"PCIe {peak.pcie}") if peak.pcie else None


def _nvlink(first: Gpu, second: Gpu, peak: Peak, nvidia: Nvidia | None) -> Limit | None:
    """One direction of the NVLinks that join two GPUs: all, through a switch, else those that end at the other."""
    a, b = first.nvml, second.nvml
    if not (peak.nvlink and nvidia and a and b and a.nvlinks):
        return None
    pair = {a.index, b.index}
    joined = any({p.first, p.second} == pair and p.p2p_nvlink == "ok" for p in nvidia.pairs or [])
    if not joined:
        return None
    through = [link for link in a.nvlinks if link.remote == "switch" or link.remote_address == b.pci_address]
    share = len(through) / len(a.nvlinks)
    return _limit(peak.nvlink / 2 * share, f"{len(through)} NVLink{'s' if len(through) > 1 else ''}")
