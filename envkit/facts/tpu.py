"""Google TPUs."""

from __future__ import annotations

import msgspec

from envkit.facts.devices import DeviceNode, PciDevice


class TpuChip(msgspec.Struct, frozen=True, kw_only=True):
    """One TPU chip as tpu-info tells it."""

    device: str
    """"/dev/accel0", "/dev/vfio/0"."""
    name: str | None = None
    """"TPU v6e chip"."""
    pid: int | None = None
    """The process that holds it."""
    memory_total_bytes: int | None = None
    """Memory of the chip (HBM)."""
    memory_used_bytes: int | None = None
    """How much of it is in use."""


class TpuHolder(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has a TPU open, or libtpu's lock."""

    pid: int
    """Its number here."""
    device: str
    """What it has open: "/dev/accel0", "/dev/vfio/0"; "libtpu_lockfile" where that is all that can be seen."""
    command: str | None = None
    """Name of its program: "python3"."""
    own: bool | None = None
    """It is one of this user's."""


class Tpu(msgspec.Struct, frozen=True, kw_only=True):
    """Google TPU chips attached to this machine."""

    pci_devices: list[PciDevice] | None = None
    """One for each chip; device and subsystem id tell the generation."""
    device_nodes: list[DeviceNode] = []
    """/dev/accel* and /dev/vfio/N."""
    environment: dict[str, str] = {}
    """TPU_* variables that describe the slice."""
    libtpu_path: str | None = None
    """Of a libtpu outside of Python's packages."""
    chips: list[TpuChip] | None = None
    """Only tpu-info tells them."""
    accelerator_type: str | None = None
    """"v5litepod-8" as the VM has it, "v6e" as tpu-info says."""
    topology: str | None = None
    """How the chips of the whole slice are arranged: "2x2x4"."""
    hosts: int | None = None
    """Machines in the slice."""
    runtime_version: str | None = None
    """The image that the TPU VM was made of: "tpu-ubuntu2204-base"."""
    metadata: dict[str, str] | None = None
    """What Google's metadata server says of the slice (an allow-list); None: not asked, or no answer."""
    metadata_error: str | None = None
    """Why the metadata server gave nothing; None also where it was not asked."""
    holders: list[TpuHolder] | None = None
    """Processes that have a chip or libtpu's lock, as far as this user may see; None: nobody looked."""
    holders_complete: bool | None = None
    """The open files of every process could be read.

    False: another user's process, or one outside of this container, may hold a chip unseen.
    """
    lockfile_present: bool | None = None
    """libtpu's lock is there (libtpu_lockfile in /tmp); it stays behind when its process ends."""
    lockfile_usable: bool | None = None
    """This user may open it; False: it is another user's, and libtpu refuses to start."""
    libtpu_version: str | None = None
    """As tpu-info says it; that of the package is among the facts of jax."""
    libtpu_error: str | None = None
    """Why tpu-info could not use libtpu: "incompatible environment"."""
