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


class NvLink(msgspec.Struct, frozen=True, kw_only=True):
    """One NVLink of a GPU."""

    index: int
    active: bool | None = None
    bandwidth_gigabytes_per_second: float | None = None
    errors: int | None = None
    """CRC, recovery and replay errors together, since they were last cleared."""


class DcgmTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test of NVIDIA's Data Center GPU Manager (`dcgmi diag`) that did not pass."""

    name: str
    status: Literal["warn", "fail"]
    gpu: int | None = None
    """None: of the machine."""
    message: str = ""


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
    ecc_mode_pending: Literal["enabled", "disabled"] | None = None
    """What holds after the next reset."""
    mig_mode_pending: Literal["enabled", "disabled"] | None = None
    ecc_corrected: int | None = None
    ecc_sram_threshold_exceeded: bool | None = None
    retired_pages: int | None = None
    """Before Ampere: pages taken out of use, for single-bit and double-bit errors."""
    retired_pages_pending: bool | None = None
    remapped_rows_correctable: int | None = None
    """From Ampere on: rows replaced because of errors that could be corrected."""
    remapped_rows_uncorrectable: int | None = None
    remapped_rows_pending: bool | None = None
    """A row is replaced at the next reset."""
    remapped_rows_failure: bool | None = None
    recovery_action: str | None = None
    """What the driver asks for: "none", "reset", "reboot", "drain-p2p", "drain-and-reset"."""
    fabric_state: str | None = None
    """"not-supported", "not-started", "in-progress", "completed"."""
    fabric_status: str | None = None
    """"success", or the error with which registration at the fabric ended."""
    nvlinks: list[NvLink] | None = None
    performance_state: str | None = None
    """"P0" to "P15"."""
    fan_percent: int | None = None
    memory_temperature_celsius: int | None = None
    bar1_total_bytes: int | None = None
    pcie_replays: int | None = None
    display_active: bool | None = None
    virtualization_mode: str | None = None
    """"none", "pass-through", "vgpu", "host-vgpu", "host-vsga"."""
    vbios_version: str | None = None
    inforom_corrupted: bool | None = None
    """The board's own store of configuration and error counts fails its checksum."""
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
    dcgm_failures: list[DcgmTest] | None = None
    """Tests of `dcgmi diag` that warned or failed; None: it was not run."""


class TpuChip(msgspec.Struct, frozen=True, kw_only=True):
    """One TPU chip as tpu-info tells it."""

    device: str
    """"/dev/accel0", "/dev/vfio/0"."""
    name: str | None = None
    """"TPU v6e chip"."""
    pid: int | None = None
    """The process that holds it."""
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None


class Tpu(msgspec.Struct, frozen=True, kw_only=True):
    """Google TPU chips attached to this machine."""

    pci_devices: list[PciDevice] | None = None
    device_nodes: list[DeviceNode] = []
    """/dev/accel* and /dev/vfio/N."""
    environment: dict[str, str] = {}
    """TPU_* variables that describe the slice."""
    libtpu_path: str | None = None
    chips: list[TpuChip] | None = None
    """Only tpu-info tells them."""
    accelerator_type: str | None = None
    """"v6e"."""
    libtpu_version: str | None = None
    libtpu_error: str | None = None
    """Why tpu-info could not use libtpu: "incompatible environment"."""


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
