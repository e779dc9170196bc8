"""One NVIDIA GPU and its MIG devices, as NVML tells them."""

from __future__ import annotations

from typing import Literal

import msgspec

from envkit.facts.nvidia_links import NvLink


class GpuProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that holds memory on a GPU."""

    pid: int
    """Its process id as the driver tells it; seen from a container it may be the host's."""
    kind: Literal["compute", "graphics"]
    """compute: CUDA; graphics: OpenGL, Vulkan, a display."""
    memory_used_bytes: int | None = None
    """What it holds of the GPU's memory; None where the driver does not tell."""


class MigDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a GPU that computes by itself (Multi-Instance GPU)."""

    index: int
    """Among the MIG devices of its GPU, as nvidia-smi counts them."""
    uuid: str | None = None
    """"MIG-7c53...", before driver 470 "MIG-GPU-<UUID>/<GPU instance>/<compute instance>"."""
    profile: str | None = None
    """"3g.40gb"; "1c.3g.40gb" where it has a part of its GPU instance."""
    gpu_instance: int | None = None
    """The driver's number of the GPU instance it lies in: a part with memory of its own."""
    compute_instance: int | None = None
    """Its number within that instance, whose memory it shares with others there."""
    gpu_slices: int | None = None
    """Slices that its GPU instance has, of the 7 (A30: 4) of the GPU."""
    compute_slices: int | None = None
    """Slices that it computes with, of those of its GPU instance."""
    multiprocessors: int | None = None
    """Streaming multiprocessors (SM) that it computes with."""
    memory_total_bytes: int | None = None
    """Memory of its GPU instance."""
    memory_used_bytes: int | None = None
    """How much of it is in use: by NVML with what the driver sets aside, by nvidia-smi's text without."""
    memory_free_bytes: int | None = None
    """How much of it is free."""


class DcgmTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test of NVIDIA's Data Center GPU Manager (`dcgmi diag`) that did not pass."""

    name: str
    """As DCGM names it: "PCIe", "Memory", "Diagnostic"; "health" of `dcgmi health`."""
    status: Literal["warn", "fail"]
    """How it ended; tests that passed or were left out are not listed."""
    gpu: int | None = None
    """DCGM's number of the GPU; None: of the machine."""
    message: str = ""
    """What DCGM says of it, up to 500 characters; "": nothing."""


class NvidiaGpu(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU as NVML tells it. A field NVML did not answer is None, and `unreadable` says why."""

    index: int
    """NVML's number of the GPU, from 0, as nvidia-smi counts; CUDA may count in another order."""
    error: str | None = None
    """Why it cannot be used: its handle could not be had ("GPU_IS_LOST", "RESET_REQUIRED", ...), or it did not answer;
    what is below was told before."""
    name: str | None = None
    """As NVML says it: "NVIDIA A100-SXM4-80GB"."""
    uuid: str | None = None
    """Stays the same; CUDA_VISIBLE_DEVICES may name it: "GPU-6e2cd1a0-..."."""
    pci_address: str | None = None
    """As sysfs has it: "0000:01:00.0"."""
    compute_capability: str | None = None
    """Which CUDA code runs on it: "9.0" runs sm_90."""
    memory_total_bytes: int | None = None
    """Its memory; None where it has none of its own but shares the machine's (GB10, Thor, Orin)."""
    memory_used_bytes: int | None = None
    """How much of it is in use: by NVML with what the driver sets aside, by nvidia-smi's text without."""
    memory_free_bytes: int | None = None
    """How much of it is free."""
    mig_mode: Literal["enabled", "disabled"] | None = None
    """Whether it is set up for MIG devices now; None also where it cannot have any."""
    mig_devices: int | None = None
    """How many MIG devices it has."""
    mig: list[MigDevice] | None = None
    """Its MIG devices; [] where there is none."""
    ecc_mode: Literal["enabled", "disabled"] | None = None
    """Whether errors of its memory are found and corrected (ECC) now; None also where it has no ECC."""
    ecc_uncorrected: int | None = None
    """ECC errors that could not be corrected, since the driver was loaded."""
    ecc_mode_pending: Literal["enabled", "disabled"] | None = None
    """ecc_mode after the next reset."""
    mig_mode_pending: Literal["enabled", "disabled"] | None = None
    """mig_mode after the next reset."""
    ecc_corrected: int | None = None
    """ECC errors that were corrected, since the driver was loaded."""
    ecc_sram_threshold_exceeded: bool | None = None
    """Its SRAM has had more uncorrectable errors over its life than NVIDIA accepts."""
    retired_pages: int | None = None
    """Before Ampere: pages taken out of use, for single-bit and double-bit errors."""
    retired_pages_pending: bool | None = None
    """Before Ampere: a page is taken out of use at the next reset."""
    remapped_rows_correctable: int | None = None
    """From Ampere on: rows of memory replaced because of errors that could be corrected."""
    remapped_rows_uncorrectable: int | None = None
    """From Ampere on: rows of memory replaced because of errors that could not be corrected."""
    remapped_rows_pending: bool | None = None
    """A row is replaced at the next reset."""
    remapped_rows_failure: bool | None = None
    """A row could not be replaced: the spare rows of its bank are used up."""
    recovery_action: str | None = None
    """What the driver asks for: "none", "reset", "reboot", "drain-p2p", "drain-and-reset"."""
    fabric_state: str | None = None
    """Of its registration at the NVLink fabric: "not-supported", "not-started", "in-progress", "completed"."""
    fabric_status: str | None = None
    """How that registration ended: "success", or the error; None before."""
    fabric_cluster: str | None = None
    """The NVLink domain of several machines that it belongs to (GB200 NVL72), a UUID; None: of none, or not told."""
    fabric_clique: int | None = None
    """Which clique of that domain it is in: the GPUs of one reach each other."""
    fabric_troubles: list[str] | None = None
    """At the fabric: "degraded-bandwidth", "route-recovery", "route-unhealthy", "access-timeout-recovery"."""
    nvlinks: list[NvLink] | None = None
    """Its NVLinks, active or not; None: it has none, or the driver does not tell."""
    performance_state: str | None = None
    """Its state of clocks and power: "P0" (the fastest) to "P15"."""
    fan_percent: int | None = None
    """Speed that its fan is told to have, of the greatest meant for it; None for GPUs without a fan."""
    memory_temperature_celsius: int | None = None
    """Temperature of its memory; many GPUs do not tell it."""
    memory_temperature_max_celsius: int | None = None
    """At which temperature of its memory it slows down."""
    bar1_total_bytes: int | None = None
    """Size of the window through which PCIe reaches its memory: GPUDirect needs one as large as that."""
    pcie_replays: int | None = None
    """PCIe packets that had to be sent again, since the last reset."""
    display_active: bool | None = None
    """A display is set up on it, be a monitor plugged in or not."""
    virtualization_mode: str | None = None
    """"none"; in a virtual machine "pass-through" (all of it), "vgpu" (a part); "host-vgpu", "host-vsga"."""
    vgpu_licensed: bool | None = None
    """Whether a virtual GPU has its licence; None: not one, or not told."""
    vgpu_product: str | None = None
    """What that licence is for: "NVIDIA Virtual Compute Server"."""
    vbios_version: str | None = None
    """Version of its firmware: "96.00.61.00.01"."""
    inforom_corrupted: bool | None = None
    """The board's own store of configuration and error counts fails its checksum; asked with --deep."""
    temperature_celsius: int | None = None
    """Temperature of its chip."""
    temperature_slowdown_celsius: int | None = None
    """At which temperature of its chip it slows down."""
    temperature_margin_celsius: int | None = None
    """How far it is from slowing down; GPUs from Hopper on tell this instead."""
    power_watts: float | None = None
    """What it draws, memory and board included; on most GPUs from Ampere on the mean of a second."""
    power_limit_watts: float | None = None
    """What it may draw: the lowest of all limits that are set."""
    power_limit_default_watts: float | None = None
    """What it may draw unless somebody changed that."""
    clock_sm_megahertz: int | None = None
    """Clock of its multiprocessors (SM); lower while it idles."""
    clock_sm_max_megahertz: int | None = None
    """The highest clock that its multiprocessors can have."""
    clock_sm_application_megahertz: int | None = None
    """Clock of its multiprocessors under load, as somebody has set it; not told by drivers from 580 on."""
    clock_sm_application_default_megahertz: int | None = None
    """That clock unless somebody changed it; not told by drivers from 580 on."""
    clock_memory_megahertz: int | None = None
    """Clock of its memory; lower while it idles."""
    clock_memory_max_megahertz: int | None = None
    """The highest clock that its memory can have."""
    throttle_reasons: list[str] | None = None
    """Why the clocks are lowered, in NVML's words: "hw_slowdown", "sw_power_cap", ..."""
    pcie_generation: int | None = None
    """PCIe generation in use; lower while it idles."""
    pcie_generation_max: int | None = None
    """The newest PCIe generation that it and its slot can use."""
    pcie_width: int | None = None
    """PCIe lanes in use."""
    pcie_width_max: int | None = None
    """PCIe lanes that it and its slot have."""
    persistence_mode: bool | None = None
    """The driver stays set up while no program uses the GPU; else each first use takes seconds."""
    compute_mode: Literal["default", "exclusive-process", "prohibited"] | None = None
    """How many programs may compute on it at once: default any, exclusive-process one, prohibited none."""
    utilization_percent: int | None = None
    """Share of the last second or less in which any kernel ran on it, on however few multiprocessors."""
    processes: list[GpuProcess] | None = None
    """Processes that hold its memory; in a container most often those outside are not seen."""
    unreadable: dict[str, str] = {}
    """Field to NVML's reason: {"memory_total_bytes": "NOT_SUPPORTED"}."""
