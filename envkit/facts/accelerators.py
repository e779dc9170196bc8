"""Accelerators: NVIDIA's here, and the names of all others."""

from __future__ import annotations

from typing import Literal

import msgspec

from envkit.facts.devices import DeviceNode, PciDevice
from envkit.facts.gpus import Amd, AmdErrors, AmdGpu, Apple, Intel, IntelGpu
from envkit.facts.nvidia import DcgmTest, GpuProcess, MigDevice, NvidiaGpu
from envkit.facts.nvidia_links import GpuPair, NvLink
from envkit.facts.tpu import Tpu, TpuChip, TpuHolder

__all__ = [
    "Amd",
    "AmdErrors",
    "AmdGpu",
    "Apple",
    "CompatPackage",
    "DcgmTest",
    "DeviceNode",
    "GpuPair",
    "GpuProcess",
    "Intel",
    "IntelGpu",
    "MigDevice",
    "NvLink",
    "Nvidia",
    "NvidiaGpu",
    "Nvml",
    "NvmlOutcome",
    "PciDevice",
    "Tpu",
    "TpuChip",
    "TpuHolder",
]


NvmlOutcome = Literal["ok", "library-missing", "error", "timeout", "crashed", "not-asked"]


class Nvml(msgspec.Struct, frozen=True, kw_only=True):
    """How NVML itself answered."""

    outcome: NvmlOutcome = "not-asked"
    """library-missing: it cannot be loaded; error: it refused; timeout, crashed: some questions stay open."""
    error: str | None = None
    """NVML's name of the error: "LIB_RM_VERSION_MISMATCH", "DRIVER_NOT_LOADED", ...; a signal after a crash."""
    unanswered: list[str] = []
    """What was asked and never answered, or answered with a crash: "GPU 2: power_watts", "GPU 0 and 1: p2p_read"."""
    seconds: float | None = None
    """How long asking it took, its deadline at most."""
    library_path: str | None = None
    """The libnvidia-ml.so.1 that was loaded, else the one that would be: "/usr/lib64/libnvidia-ml.so.570.124.04"."""
    library_version: str | None = None
    """By the name of that file, which is readable even when the library will not start."""


class CompatPackage(msgspec.Struct, frozen=True, kw_only=True):
    """The libcuda of a package cuda-compat, which runs a newer CUDA on an older driver."""

    path: str
    """Links resolved: "/usr/local/cuda-13.0/compat/libcuda.so.580.95.05"."""
    version: str | None = None
    """By the name of that file: "580.95.05"."""


class Nvidia(msgspec.Struct, frozen=True, kw_only=True):
    """NVIDIA GPUs: from files first, then from NVML."""

    pci_devices: list[PciDevice] | None = None
    """GPUs (class 03) of vendor 10de; None where /sys cannot be read, [] under WSL."""
    excluded_gpus: list[str] | None = None
    """PCI addresses of GPUs that the driver was told to leave alone (NVreg_ExcludedGpus); None: it lists no GPUs."""
    nvswitches: int | None = None
    """NVSwitches on the PCI bus; None where /sys cannot be read. From Blackwell on they are on no machine's bus."""
    module_version: str | None = None
    """Of the loaded kernel module (/sys/module/nvidia/version, else /proc/driver/nvidia/version)."""
    module_loaded: bool | None = None
    """NVIDIA's kernel module is loaded (/proc/driver/nvidia/version, /sys/module); in a container, on its host."""
    uvm_loaded: bool | None = None
    """The kernel module nvidia_uvm is loaded, without which CUDA cannot start."""
    nouveau_loaded: bool | None = None
    """The kernel's own driver nouveau is loaded: GPUs that it holds are closed to NVIDIA's."""
    open_module: bool | None = None
    """The loaded module is the one with open source; None: /proc/driver/nvidia/version does not tell."""
    device_nodes: list[DeviceNode] = []
    """/dev/nvidia0, ..., /dev/nvidiactl and /dev/nvidia-uvm; under WSL /dev/dxg."""
    libcuda_path: str | None = None
    """The libcuda.so.1 that the loader would take, links resolved: "/usr/lib64/libcuda.so.570.124.04"."""
    libcuda_version: str | None = None
    """By the name of that file; it should be the version of the module."""
    libcuda_stub: bool | None = None
    """It lies in a folder stubs of the CUDA toolkit: it serves to link and runs nothing."""
    cuda_compat: list[CompatPackage] = []
    """Forward-compatibility packages on this machine, be they in use (their path is libcuda_path) or not."""
    nvml: Nvml = Nvml()
    """How NVML itself answered."""
    driver_version: str | None = None
    """As NVML says it, else the module's: "570.124.04"."""
    cuda_driver_version: str | None = None
    """The newest CUDA the driver implements: "12.8"."""
    gpus: list[NvidiaGpu] | None = None
    """In the order of NVML's indices; None: NVML did not answer."""
    pairs: list[GpuPair] | None = None
    """Every two GPUs that NVML could open; None: it was not asked about them."""
    fabric_manager_version: str | None = None
    """Of the installed package, as the package manager's records tell; looked for on machines with NVLink only."""
    fabric_manager_running: bool | None = None
    """Whether such a process is seen, which a container does not show; looked for where there are NVSwitches."""
    imex_channels: int | None = None
    """Device nodes by which programs of several machines share memory over NVLink; looked for beside a GPU that belongs
    to such a domain."""
    imex_nodes: int | None = None
    """Machines listed in /etc/nvidia-imex/nodes_config.cfg; None where there is no such file, or nobody looked."""
    dcgm_failures: list[DcgmTest] | None = None
    """Tests of `dcgmi diag` that warned or failed; None: it was not run."""
