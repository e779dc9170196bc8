"""What NVML is asked about each GPU: a question for each field of `NvidiaGpu`, which answers or raises.

Part of the program nvml_child.py, so nothing of envkit is imported. A question raises NVML's error, or NotAReadingError
where NVML said success and gave no reading. Numbers are those of nvml.h. What tells GPUs apart is asked first, what
training needs least last: a driver that stops answering has then told the most.

Left out on purpose: supported clocks, a read-only question that stops machines (open-gpu-kernel-modules#1239), and the
check of the whole InfoROM, which takes seconds.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from nvml_links import LINK_QUESTIONS  # type: ignore[import-not-found] # a file beside this one
from nvml_readings import (  # type: ignore[import-not-found]
    Device,
    NotAReadingError,
    named,
    pending,
    performance_state,
    positive,
    reading,
    switch,
    sysfs_address,
    text,
    watts,
)

THROTTLE_REASONS = (  # nvml.h: nvmlClocksEventReason*, bit 0 first
    "gpu_idle",
    "applications_clocks_setting",
    "sw_power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "display_clock_setting",
)
COMPUTE_MODES = {
    0: "default",
    1: "exclusive-process",
    2: "prohibited",
    3: "exclusive-process",
}  # 1: by thread, obsolete
RECOVERY_ACTIONS = ("none", "reset", "reboot", "drain-p2p", "drain-and-reset", "recover-imex", "bus-reset", "reboot")
VIRTUALIZATION_MODES = ("none", "pass-through", "vgpu", "host-vgpu", "host-vsga")


def call(function: str, *arguments: int, to: Callable[[Any], Any] = reading) -> Callable[[Device], Any]:
    return lambda gpu: to(gpu.call(function, *arguments))


def mig(gpu: Device) -> list[Device]:
    """Its MIG devices: a slot may be empty between others."""
    if not gpu.call("nvmlDeviceGetMigMode")[0]:
        return []
    slots = range(gpu.call("nvmlDeviceGetMaxMigDeviceCount"))
    return [device for slot in slots if (device := mig_slot(gpu, slot))]


def mig_slot(gpu: Device, slot: int) -> Device | None:
    try:
        return gpu.once(
            ("mig", slot), lambda: Device(gpu.nvml, gpu.nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu.handle, slot))
        )
    except gpu.nvml.NVMLError_NotFound:
        return None


MIG_QUESTIONS: dict[str, Callable[[Device], Any]] = {
    "uuid": call("nvmlDeviceGetUUID", to=text),
    "profile": call("nvmlDeviceGetName", to=lambda name: mig_profile(text(name))),
    "gpu_instance": call("nvmlDeviceGetGpuInstanceId"),
    "compute_instance": call("nvmlDeviceGetComputeInstanceId"),
    "gpu_slices": call("nvmlDeviceGetAttributes_v2", to=lambda told: reading(told.gpuInstanceSliceCount)),
    "compute_slices": call("nvmlDeviceGetAttributes_v2", to=lambda told: reading(told.computeInstanceSliceCount)),
    "multiprocessors": call("nvmlDeviceGetAttributes_v2", to=lambda told: positive(told.multiprocessorCount)),
    "memory_total_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: positive(memory.total)),
    "memory_used_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: reading(memory.used)),
    "memory_free_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: reading(memory.free)),
}


def mig_profile(name: str) -> str:
    """Of "NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb" the end."""
    found = re.search(r"MIG (\S+)$", name)
    if not found:
        raise NotAReadingError(f"no profile in {name!r}")
    return found[1]


def mig_devices(gpu: Device) -> list[dict[str, Any]]:
    """Each with what it tells: in a container its own memory may be read where its GPU's may not be."""
    found = []
    for index, device in enumerate(mig(gpu)):
        said: dict[str, Any] = {"index": index}
        for field, question in MIG_QUESTIONS.items():
            with contextlib.suppress(gpu.nvml.NVMLError, NotAReadingError, AttributeError):
                said[field] = question(device)
        found.append(said)
    return found


def throttle_reasons(gpu: Device) -> list[str]:
    try:
        bits = gpu.call("nvmlDeviceGetCurrentClocksEventReasons")
    except gpu.nvml.NVMLError_FunctionNotFound:  # its name before driver 535
        bits = gpu.call("nvmlDeviceGetCurrentClocksThrottleReasons")
    return [name for bit, name in enumerate(THROTTLE_REASONS) if bits >> bit & 1]


def processes(gpu: Device) -> list[dict[str, Any]]:
    found = [("compute", process) for process in gpu.call("nvmlDeviceGetComputeRunningProcesses_v3")]
    with contextlib.suppress(gpu.nvml.NVMLError_NotSupported):  # a GPU that has no graphics
        found += [("graphics", process) for process in gpu.call("nvmlDeviceGetGraphicsRunningProcesses_v3")]
    return [{"pid": one.pid, "kind": kind, "memory_used_bytes": one.usedGpuMemory} for kind, one in found]


def recovery_action(gpu: Device) -> str:
    return str(named(RECOVERY_ACTIONS, gpu.field("NVML_FI_DEV_GET_GPU_RECOVERY_ACTION")))


def sram_threshold_exceeded(gpu: Device) -> bool:
    return bool(gpu.fill("nvmlDeviceGetSramEccErrorStatus", "c_nvmlEccSramErrorStatus_v1_t").bThresholdExceeded)


def retired_pages(gpu: Device) -> int:
    causes = range(gpu.nvml.NVML_PAGE_RETIREMENT_CAUSE_COUNT)
    return sum(len(gpu.call("nvmlDeviceGetRetiredPages", cause)) for cause in causes)


def inforom_corrupted(gpu: Device) -> bool:
    """The checksum of its configuration cannot be had where it is damaged."""
    try:
        gpu.call("nvmlDeviceGetInforomConfigurationChecksum")
    except gpu.nvml.NVMLError_CorruptedInforom:
        return True
    return False


def licences(gpu: Device) -> list[Any]:
    """What can be licensed on it: of a vGPU one product, of most other GPUs nothing."""
    told = gpu.call("nvmlDeviceGetGridLicensableFeatures")
    found = list(told.gridLicensableFeatures[: told.licensableFeaturesCount]) if told.isGridLicenseSupported else []
    if not found:
        raise NotAReadingError("NOTHING_TO_LICENSE")
    return found


def vgpu_licensed(gpu: Device) -> bool:
    return any(feature.featureState for feature in licences(gpu))


def vgpu_product(gpu: Device) -> Any:
    return text(licences(gpu)[0].productName)


QUESTIONS: dict[str, Callable[[Device], Any]] = {
    "name": call("nvmlDeviceGetName", to=text),
    "uuid": call("nvmlDeviceGetUUID", to=text),
    "pci_address": call("nvmlDeviceGetPciInfo_v3", to=sysfs_address),
    "compute_capability": call("nvmlDeviceGetCudaComputeCapability", to=lambda parts: f"{parts[0]}.{parts[1]}"),
    # Version 1 of the call: version 2 fails under WSL (nvitop#30).
    "memory_total_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: positive(memory.total)),
    "memory_used_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: reading(memory.used)),
    "memory_free_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: reading(memory.free)),
    "mig_mode": call("nvmlDeviceGetMigMode", to=switch),
    "mig_devices": lambda gpu: len(mig(gpu)),
    "mig": mig_devices,
    "mig_mode_pending": call("nvmlDeviceGetMigMode", to=pending),
    "compute_mode": call("nvmlDeviceGetComputeMode", to=partial(named, COMPUTE_MODES)),
    "virtualization_mode": call("nvmlDeviceGetVirtualizationMode", to=partial(named, VIRTUALIZATION_MODES)),
    "processes": processes,
    "recovery_action": recovery_action,
    "ecc_mode": call("nvmlDeviceGetEccMode", to=switch),
    "ecc_mode_pending": call("nvmlDeviceGetEccMode", to=pending),
    "ecc_uncorrected": call("nvmlDeviceGetTotalEccErrors", 1, 0),  # uncorrected, volatile
    "ecc_corrected": call("nvmlDeviceGetTotalEccErrors", 0, 0),
    "ecc_sram_threshold_exceeded": sram_threshold_exceeded,
    "retired_pages": retired_pages,
    "retired_pages_pending": call("nvmlDeviceGetRetiredPagesPendingStatus", to=bool),
    "remapped_rows_correctable": call("nvmlDeviceGetRemappedRows", to=lambda rows: reading(rows[0])),
    "remapped_rows_uncorrectable": call("nvmlDeviceGetRemappedRows", to=lambda rows: reading(rows[1])),
    "remapped_rows_pending": call("nvmlDeviceGetRemappedRows", to=lambda rows: bool(rows[2])),
    "remapped_rows_failure": call("nvmlDeviceGetRemappedRows", to=lambda rows: bool(rows[3])),
    **LINK_QUESTIONS,
    "performance_state": call("nvmlDeviceGetPerformanceState", to=performance_state),
    "throttle_reasons": throttle_reasons,
    "temperature_celsius": call("nvmlDeviceGetTemperature", 0),
    "temperature_slowdown_celsius": call("nvmlDeviceGetTemperatureThreshold", 1, to=positive),
    "temperature_margin_celsius": call("nvmlDeviceGetMarginTemperature"),
    "memory_temperature_celsius": lambda gpu: gpu.field("NVML_FI_DEV_MEMORY_TEMP"),
    "memory_temperature_max_celsius": call("nvmlDeviceGetTemperatureThreshold", 2, to=positive),
    "power_watts": call("nvmlDeviceGetPowerUsage", to=watts),
    "power_limit_watts": call("nvmlDeviceGetEnforcedPowerLimit", to=watts),
    "power_limit_default_watts": call("nvmlDeviceGetPowerManagementDefaultLimit", to=watts),
    "clock_sm_megahertz": call("nvmlDeviceGetClockInfo", 1),
    "clock_sm_max_megahertz": call("nvmlDeviceGetMaxClockInfo", 1, to=positive),
    "clock_sm_application_megahertz": call("nvmlDeviceGetApplicationsClock", 1, to=positive),
    "clock_sm_application_default_megahertz": call("nvmlDeviceGetDefaultApplicationsClock", 1, to=positive),
    "clock_memory_megahertz": call("nvmlDeviceGetClockInfo", 2),
    "clock_memory_max_megahertz": call("nvmlDeviceGetMaxClockInfo", 2, to=positive),
    "pcie_generation": call("nvmlDeviceGetCurrPcieLinkGeneration", to=positive),
    "pcie_generation_max": call("nvmlDeviceGetMaxPcieLinkGeneration", to=positive),
    "pcie_width": call("nvmlDeviceGetCurrPcieLinkWidth", to=positive),
    "pcie_width_max": call("nvmlDeviceGetMaxPcieLinkWidth", to=positive),
    "pcie_replays": call("nvmlDeviceGetPcieReplayCounter"),
    "bar1_total_bytes": call("nvmlDeviceGetBAR1MemoryInfo", to=lambda memory: positive(memory.bar1Total)),
    "utilization_percent": call("nvmlDeviceGetUtilizationRates", to=lambda rates: reading(rates.gpu)),
    "persistence_mode": call("nvmlDeviceGetPersistenceMode", to=bool),
    "display_active": call("nvmlDeviceGetDisplayActive", to=bool),
    "inforom_corrupted": inforom_corrupted,
    "vbios_version": call("nvmlDeviceGetVbiosVersion", to=text),
    "fan_percent": call("nvmlDeviceGetFanSpeed"),
    "vgpu_licensed": vgpu_licensed,
    "vgpu_product": vgpu_product,
}

SLOW = frozenset({"inforom_corrupted"})
"""Asked only where there is time: reading the InfoROM takes 70 ms of each H100, all the rest together 40."""
