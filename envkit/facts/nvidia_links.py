"""Connections of NVIDIA GPUs, as NVML tells them: NVLinks, and what lies between each two."""

from __future__ import annotations

from typing import Literal

import msgspec

PeerStatus = Literal[
    "ok",
    "chipset-not-supported",
    "gpu-not-supported",
    "topology-not-supported",
    "disabled-by-regkey",
    "not-supported",
]


class NvLink(msgspec.Struct, frozen=True, kw_only=True):
    """One NVLink of a GPU."""

    index: int
    """The GPU's number of the link, from 0."""
    active: bool | None = None
    """The link is up."""
    bandwidth_gigabytes_per_second: float | None = None
    """In each direction, as `nvidia-smi nvlink -s` prints it; only such a text tells it."""
    errors: int | None = None
    """CRC, recovery and replay errors together, since they were last cleared."""
    remote: Literal["gpu", "processor", "switch"] | None = None
    """What is at its other end."""
    remote_address: str | None = None
    """The PCI address of that, as sysfs has it."""


class GpuPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two GPUs and what lies between them; the indices are NVML's."""

    first: int
    """NVML's number of one GPU, the lower of the two."""
    second: int
    """NVML's number of the other GPU."""
    path: Literal["board", "pcie-switch", "pcie-switches", "host-bridge", "numa-node", "system"] | None = None
    """The nearest that PCIe has in common: nvidia-smi calls it PIX, PXB, PHB, NODE and SYS."""
    p2p_read: PeerStatus | None = None
    """Whether one can read the other's memory by itself."""
    p2p_write: PeerStatus | None = None
    """Whether one can write to the other's memory by itself."""
    p2p_nvlink: PeerStatus | None = None
    """Whether that goes over NVLink."""
    unreadable: dict[str, str] = {}
    """Field to NVML's reason."""
