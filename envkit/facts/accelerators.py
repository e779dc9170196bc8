"""Accelerators: NVIDIA, Google TPU, AMD, Apple."""

from __future__ import annotations

from typing import Literal

import msgspec


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True):
    """One file under /dev and what this user may do with it."""

    path: str
    readable: bool | None = None
    writable: bool | None = None


class PciDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One PCI function, as /sys/bus/pci/devices shows it."""

    address: str
    """"0000:01:00.0"."""
    vendor_id: str
    """"10de"."""
    device_id: str
    subsystem_id: str | None = None
    """"004e": tells TPU v2 from v3, which share a device id."""
    class_id: str | None = None
    """"030200": display (03), 3D controller (02), interface 00."""
    kernel_driver: str | None = None
    """"nvidia", "nouveau", "vfio-pci"; None: no driver bound or not readable."""
    link_width: int | None = None
    link_width_max: int | None = None
    numa_node: int | None = None


class GpuProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that holds memory on a GPU."""

    pid: int
    kind: Literal["compute", "graphics"]
    memory_used_bytes: int | None = None


class NvidiaGpu(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU as NVML tells it. A field NVML did not answer is None, and `unreadable` says why."""

    index: int
    error: str | None = None
    """Set when the GPU's handle could not be had: "GPU_IS_LOST", "RESET_REQUIRED", ...; then nothing else is read."""
    name: str | None = None
    uuid: str | None = None
    pci_address: str | None = None
    compute_capability: str | None = None
    """"9.0"."""
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    memory_free_bytes: int | None = None
    mig_mode: Literal["enabled", "disabled"] | None = None
    mig_devices: int | None = None
    ecc_mode: Literal["enabled", "disabled"] | None = None
    ecc_uncorrected: int | None = None
    """Uncorrected errors since the driver was loaded."""
    temperature_celsius: int | None = None
    temperature_slowdown_celsius: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    power_limit_default_watts: float | None = None
    clock_sm_megahertz: int | None = None
    clock_sm_max_megahertz: int | None = None
    clock_memory_megahertz: int | None = None
    clock_memory_max_megahertz: int | None = None
    throttle_reasons: list[str] | None = None
    """Why the clocks are lowered, in NVML's words: "hw_slowdown", "sw_power_cap", ..."""
    pcie_generation: int | None = None
    pcie_generation_max: int | None = None
    pcie_width: int | None = None
    pcie_width_max: int | None = None
    persistence_mode: bool | None = None
    compute_mode: Literal["default", "exclusive-process", "prohibited"] | None = None
    utilization_percent: int | None = None
    processes: list[GpuProcess] | None = None
    unreadable: dict[str, str] = {}
    """Field to NVML's reason: {"memory_total_bytes": "NOT_SUPPORTED"}."""


NvmlOutcome = Literal["ok", "library-missing", "error", "timeout", "crashed", "not-asked"]


class Nvml(msgspec.Struct, frozen=True, kw_only=True):
    """How NVML itself answered."""

    outcome: NvmlOutcome = "not-asked"
    error: str | None = None
    """NVML's name of the error: "LIB_RM_VERSION_MISMATCH", "DRIVER_NOT_LOADED", ...; a signal after a crash."""
    seconds: float | None = None
    library_path: str | None = None
    library_version: str | None = None
    """Of the file, which is readable even when the library will not start."""


class Nvidia(msgspec.Struct, frozen=True, kw_only=True):
    """NVIDIA GPUs: from files first, then from NVML."""

    pci_devices: list[PciDevice] | None = None
    """GPUs (class 03) of vendor 10de; None where /sys cannot be read, [] under WSL."""
    module_version: str | None = None
    """Of the loaded kernel module (/sys/module/nvidia/version, else /proc/driver/nvidia/version)."""
    module_loaded: bool | None = None
    uvm_loaded: bool | None = None
    nouveau_loaded: bool | None = None
    open_module: bool | None = None
    device_nodes: list[DeviceNode] = []
    libcuda_path: str | None = None
    libcuda_version: str | None = None
    libcuda_stub: bool | None = None
    nvml: Nvml = Nvml()
    driver_version: str | None = None
    """As NVML says it, else the module's."""
    cuda_driver_version: str | None = None
    """The newest CUDA the driver implements: "12.8"."""
    gpus: list[NvidiaGpu] | None = None
    """None: NVML did not answer."""


class Tpu(msgspec.Struct, frozen=True, kw_only=True):
    """Google TPU chips attached to this machine."""

    pci_devices: list[PciDevice] | None = None
    device_nodes: list[DeviceNode] = []
    """/dev/accel* and /dev/vfio/N."""
    environment: dict[str, str] = {}
    """TPU_* variables that describe the slice."""
    libtpu_path: str | None = None


class AmdGpu(msgspec.Struct, frozen=True, kw_only=True):
    """One AMD GPU."""

    name: str | None = None
    gfx: str | None = None
    """"gfx942"."""
    pci_address: str | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None


class Amd(msgspec.Struct, frozen=True, kw_only=True):
    """AMD GPUs, from the kernel driver's files."""

    driver_version: str | None = None
    rocm_version: str | None = None
    device_nodes: list[DeviceNode] = []
    """/dev/kfd and /dev/dri/renderD*."""
    gpus: list[AmdGpu] | None = None


class Apple(msgspec.Struct, frozen=True, kw_only=True):
    """Apple silicon."""

    chip: str | None = None
    macos_version: str | None = None
    memory_total_bytes: int | None = None
    rosetta: bool | None = None
    """This process is x86-64 code translated on an arm64 chip."""
