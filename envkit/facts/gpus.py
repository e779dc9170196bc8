"""GPUs that are not NVIDIA's: AMD, Intel, Apple."""

from __future__ import annotations

from typing import Literal

import msgspec

from envkit.facts.devices import DeviceNode, PciDevice


class AmdErrors(msgspec.Struct, frozen=True, kw_only=True):
    """The errors that one block of an AMD GPU has counted since its driver was loaded (RAS)."""

    block: str
    """"umc" (memory), "gfx", "sdma", "mmhub", "xgmi_wafl" (links to other GPUs), ..."""
    uncorrectable: int | None = None
    """Errors that damaged data."""
    correctable: int | None = None
    """Errors that were repaired."""
    deferred: int | None = None
    """Damaged data that nobody has used yet."""


class AmdGpu(msgspec.Struct, frozen=True, kw_only=True):
    """One AMD GPU as ROCm counts them, or one part of a GPU that is partitioned.

    Temperatures, power, errors and PCIe are of the whole GPU, and told with the first of its parts only.
    """

    name: str | None = None
    """"AMD Instinct MI300X OAM", from the driver, else from the machine's list of PCI ids."""
    gfx: str | None = None
    """Its architecture as ROCm names it: "gfx942"."""
    pci_address: str | None = None
    """As sysfs has it: "0000:05:00.0"; parts of a GPU differ in the last digit."""
    memory_total_bytes: int | None = None
    """Its own memory (VRAM); of a part, its share."""
    memory_used_bytes: int | None = None
    """How much of it is in use; None for a part of a GPU."""
    node: int | None = None
    """Its number in the topology of the compute driver (KFD); None where that does not list it."""
    partition: int | None = None
    """Which part of its GPU this is, from 0; 0 for a GPU that is whole."""
    uuid: str | None = None
    """"GPU-e3a9f7de66f9b0d1", as ROCR_VISIBLE_DEVICES may name it."""
    compute_units: int | None = None
    """Compute units, of a part its own."""
    compute_partition: str | None = None
    """"SPX": whole; "DPX", "TPX", "QPX": in 2, 3, 4 parts; "CPX": a part for each die."""
    memory_partition: str | None = None
    """"NPS1": one memory for all; "NPS2", "NPS4", "NPS8": so many, each near some parts."""
    hive: str | None = None
    """Number of the XGMI network it belongs to; None: of none, or not known."""
    xgmi_peers: list[str] | None = None
    """PCI addresses of the other GPUs that it has an XGMI link to; [] none; None: not known."""
    kernel_driver: str | None = None
    """"amdgpu", "vfio-pci"; None: none bound, or not readable."""
    suspended: bool | None = None
    """It is asleep to save power, so it was not asked for what would wake it."""
    errors: list[AmdErrors] | None = None
    """By block; None where the driver does not count, or gave no answer."""
    pages_retired: int | None = None
    """Pages of memory taken out of use because of errors."""
    pages_pending: int | None = None
    """Pages that are taken out of use at the next reset."""
    temperature_celsius: int | None = None
    """Temperature at its hottest place (junction), else at its edge."""
    temperature_critical_celsius: int | None = None
    """At which temperature of the hottest place it slows down or stops."""
    memory_temperature_celsius: int | None = None
    """Temperature of its memory."""
    power_watts: float | None = None
    """What it draws: an average where the driver tells one, else of the moment."""
    power_limit_watts: float | None = None
    """What it may draw."""
    power_limit_default_watts: float | None = None
    """What it may draw unless somebody changed that."""
    pcie_width: int | None = None
    """PCIe lanes in use."""
    pcie_width_max: int | None = None
    """PCIe lanes that it has."""
    pcie_generation: int | None = None
    """PCIe generation in use; lower while it idles."""
    pcie_generation_max: int | None = None
    """The newest PCIe generation it can use."""
    numa_node: int | None = None
    """The NUMA node it hangs on; None also where the firmware does not say."""


class Amd(msgspec.Struct, frozen=True, kw_only=True):
    """AMD GPUs, from the kernel driver's files."""

    driver_version: str | None = None
    """Of amdgpu where it was installed beside the kernel (DKMS); the kernel's own has none."""
    module_loaded: bool | None = None
    """The kernel module amdgpu is loaded."""
    rocm_version: str | None = None
    """Of /opt/rocm: "6.3.0-39"."""
    rocm_versions: list[str] = []
    """Of every ROCm in /opt (rocm, rocm-6.3.0, ...), each once, in the order of their folders."""
    hip_libraries: list[str] | None = None
    """The files that a program which is linked with HIP would load, one for each major version that is installed:
    "/opt/rocm-7.2.0/lib/libamdhip64.so.7.2.70200"."""
    device_nodes: list[DeviceNode] = []
    """/dev/kfd and /dev/dri/renderD*."""
    pci_devices: list[PciDevice] | None = None
    """AMD GPUs on the PCI bus, in a container also those of the host; None where /sys cannot be read."""
    gpus: list[AmdGpu] | None = None
    """As the compute driver lists them, parts singly; where it lists none, those on the PCI bus."""
    nodes_refused: int | None = None
    """Entries of the compute driver's topology that this container may not read: GPUs that were not handed in."""
    unanswered: str | None = None
    """The file at which the driver gave no answer by the deadline: what would have come after it is not known."""


class IntelGpu(msgspec.Struct, frozen=True, kw_only=True):
    """One Intel GPU."""

    name: str | None = None
    """"Arc A770", from the machine's list of PCI ids."""
    pci_address: str | None = None
    """As sysfs has it: "0000:03:00.0"."""
    device_id: str | None = None
    """Which model of Intel's: "56a0"."""
    kind: Literal["discrete", "integrated"] | None = None
    """discrete: a card with memory of its own; integrated: in the processor, not for training; None: cannot be told."""
    kernel_driver: str | None = None
    """"xe", "i915", "vfio-pci"; None: none bound, or not readable."""
    memory_total_bytes: int | None = None
    """Its own memory, all tiles; the i915 of plain kernels does not tell."""
    tiles: int | None = None
    """Dies that the driver shows apart; None where it does not say."""
    render_node: str | None = None
    """"/dev/dri/renderD128"; None: the driver made none."""
    pcie_width: int | None = None
    """PCIe lanes in use, as the card's own bridge has them."""
    pcie_width_max: int | None = None
    """PCIe lanes that it has."""
    numa_node: int | None = None
    """The NUMA node it hangs on; None also where the firmware does not say."""


class Intel(msgspec.Struct, frozen=True, kw_only=True):
    """Intel GPUs (XPU), from sysfs."""

    gpus: list[IntelGpu] = []
    """Discrete and integrated ones."""
    device_nodes: list[DeviceNode] = []
    """The render nodes of these GPUs."""
    level_zero_loader: str | None = None
    """Path of libze_loader.so.1, which PyTorch's XPU build opens."""
    level_zero_driver: str | None = None
    """Path of libze_intel_gpu.so.1, Intel's compute runtime, which the loader opens."""


class Apple(msgspec.Struct, frozen=True, kw_only=True):
    """Apple silicon."""

    chip: str | None = None
    """"Apple M3 Max"."""
    macos_version: str | None = None
    """"15.1.1"."""
    memory_total_bytes: int | None = None
    """Unified memory: processor and GPU share it."""
    gpu_memory_limit_bytes: int | None = None
    """What the GPU may take of it where somebody set that (iogpu.wired_limit_mb); None: macOS decides."""
    performance_cores: int | None = None
    """Fast cores of the processor."""
    efficiency_cores: int | None = None
    """Frugal cores of the processor."""
    gpu_cores: int | None = None
    """Cores of the GPU, as its driver tells (ioreg)."""
    virtual_machine: bool | None = None
    """This macOS is a guest: its GPU is a paravirtual one."""
    rosetta: bool | None = None
    """This process is x86-64 code translated on an arm64 chip."""
