"""What NVML is asked about each GPU: a question for each field of `NvidiaGpu`, which answers or raises.

Part of the program nvml_child.py, so nothing of envkit is imported. A question raises NVML's error, or NotAReadingError
where NVML said success and gave no reading. Numbers are those of nvml.h.

Left out on purpose: supported clocks, a read-only question that stops machines (open-gpu-kernel-modules#1239).
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from typing import Any

NOT_AVAILABLE = frozenset({0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF})  # NVML_VALUE_NOT_AVAILABLE, by width
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
FABRIC_STATES = ("not-supported", "not-started", "in-progress", "completed")
VIRTUALIZATION_MODES = ("none", "pass-through", "vgpu", "host-vgpu", "host-vsga")


class NotAReadingError(Exception):
    """NVML reported success, but no reading."""


def reading(value: int) -> int:
    if value in NOT_AVAILABLE:
        raise NotAReadingError("NOT_AVAILABLE")
    return value


def positive(value: int) -> int:
    """A quantity of which no working GPU has none: drivers say 0 W where they do not know (tensorrtllm_backend#363)."""
    if reading(value) == 0:
        raise NotAReadingError("ZERO")
    return value


def watts(milliwatts: int) -> float:
    return positive(milliwatts) / 1000


def switch(modes: list[int]) -> str:
    """Of [current, pending], the current one."""
    return "enabled" if modes[0] else "disabled"


def pending(modes: list[int]) -> str:
    """Of [current, pending], what holds after the next reset."""
    return "enabled" if modes[1] else "disabled"


def sysfs_address(info: Any) -> str:
    """NVML says "00000000:01:00.0", sysfs "0000:01:00.0"."""
    domain, _, rest = info.busId.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"


def performance_state(number: int) -> str:
    """P0 to P15; 32 is unknown."""
    if not 0 <= number < 16:
        raise NotAReadingError("UNKNOWN_STATE")
    return f"P{number}"


def call(function: str, *arguments: int, to: Callable[[Any], Any] = reading) -> Callable[[Any, Any], Any]:
    return lambda nvml, gpu: to(getattr(nvml, function)(gpu, *arguments))


def mig_devices(nvml: Any, gpu: Any) -> int:
    slots = nvml.nvmlDeviceGetMaxMigDeviceCount(gpu) if nvml.nvmlDeviceGetMigMode(gpu)[0] else 0
    return sum(mig_slot_is_used(nvml, gpu, slot) for slot in range(slots))


def mig_slot_is_used(nvml: Any, gpu: Any, slot: int) -> bool:
    try:
        nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, slot)
    except nvml.NVMLError_NotFound:
        return False
    return True


def throttle_reasons(nvml: Any, gpu: Any) -> list[str]:
    try:
        bits = nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu)
    except nvml.NVMLError_FunctionNotFound:  # its name before driver 535
        bits = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)
    return [name for bit, name in enumerate(THROTTLE_REASONS) if bits >> bit & 1]


def processes(nvml: Any, gpu: Any) -> list[dict[str, Any]]:
    found = [("compute", process) for process in nvml.nvmlDeviceGetComputeRunningProcesses_v3(gpu)]
    with contextlib.suppress(nvml.NVMLError_NotSupported):  # a GPU that has no graphics
        found += [("graphics", process) for process in nvml.nvmlDeviceGetGraphicsRunningProcesses_v3(gpu)]
    return [{"pid": one.pid, "kind": kind, "memory_used_bytes": one.usedGpuMemory} for kind, one in found]


def field_value(name: str) -> Callable[[Any, Any], int]:
    """The question for one of NVML's numbered fields, all of which are unsigned here."""

    def ask(nvml: Any, gpu: Any) -> int:
        found = nvml.nvmlDeviceGetFieldValues(gpu, [getattr(nvml, name)])[0]
        if found.nvmlReturn:
            raise nvml.NVMLError(found.nvmlReturn)
        return reading(found.value.uiVal)

    return ask


def recovery_action(nvml: Any, gpu: Any) -> str:
    return RECOVERY_ACTIONS[field_value("NVML_FI_DEV_GET_GPU_RECOVERY_ACTION")(nvml, gpu)]


def sram_threshold_exceeded(nvml: Any, gpu: Any) -> bool:
    status = nvml.c_nvmlEccSramErrorStatus_v1_t()
    nvml.nvmlDeviceGetSramEccErrorStatus(gpu, ctypes.byref(status))
    return bool(status.bThresholdExceeded)


def retired_pages(nvml: Any, gpu: Any) -> int:
    return sum(
        len(nvml.nvmlDeviceGetRetiredPages(gpu, cause)) for cause in range(nvml.NVML_PAGE_RETIREMENT_CAUSE_COUNT)
    )


def fabric(nvml: Any, gpu: Any) -> Any:
    info = nvml.c_nvmlGpuFabricInfo_v2_t()
    nvml.nvmlDeviceGetGpuFabricInfoV(gpu, ctypes.byref(info))
    return info


def fabric_state(nvml: Any, gpu: Any) -> str:
    return FABRIC_STATES[fabric(nvml, gpu).state & 0xFF]  # one byte in nvml.h, four in nvidia-ml-py


def fabric_status(nvml: Any, gpu: Any) -> str:
    """What registration ended with; before it has ended the status says nothing."""
    info = fabric(nvml, gpu)
    if FABRIC_STATES[info.state & 0xFF] != "completed":
        raise NotAReadingError("NOT_COMPLETED")
    return "success" if info.status == nvml.NVML_SUCCESS else f"error {info.status}"


def nvlinks(nvml: Any, gpu: Any) -> list[dict[str, Any]]:
    """Those links that the GPU has: their numbers end with the first that is no valid argument."""
    found = []
    for link in range(nvml.NVML_NVLINK_MAX_LINKS):
        try:
            found.append({"index": link, "active": bool(nvml.nvmlDeviceGetNvLinkState(gpu, link))})
        except nvml.NVMLError_NotSupported:  # noqa: PERF203 - the GPU has no links, or this one is not wired
            if link == 0:
                raise
        except nvml.NVMLError_InvalidArgument:
            break
    return found


QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "name": call("nvmlDeviceGetName", to=str),
    "uuid": call("nvmlDeviceGetUUID", to=str),
    "pci_address": call("nvmlDeviceGetPciInfo_v3", to=sysfs_address),
    "compute_capability": call("nvmlDeviceGetCudaComputeCapability", to=lambda parts: f"{parts[0]}.{parts[1]}"),
    # Version 1 of the call: version 2 fails under WSL (nvitop#30).
    "memory_total_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: positive(memory.total)),
    "memory_used_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: reading(memory.used)),
    "memory_free_bytes": call("nvmlDeviceGetMemoryInfo", to=lambda memory: reading(memory.free)),
    "mig_mode": call("nvmlDeviceGetMigMode", to=switch),
    "mig_devices": mig_devices,
    "ecc_mode": call("nvmlDeviceGetEccMode", to=switch),
    "mig_mode_pending": call("nvmlDeviceGetMigMode", to=pending),
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
    "recovery_action": recovery_action,
    "fabric_state": fabric_state,
    "fabric_status": fabric_status,
    "nvlinks": nvlinks,
    "performance_state": call("nvmlDeviceGetPerformanceState", to=performance_state),
    "fan_percent": call("nvmlDeviceGetFanSpeed"),
    "memory_temperature_celsius": field_value("NVML_FI_DEV_MEMORY_TEMP"),
    "bar1_total_bytes": call("nvmlDeviceGetBAR1MemoryInfo", to=lambda memory: positive(memory.bar1Total)),
    "pcie_replays": call("nvmlDeviceGetPcieReplayCounter"),
    "display_active": call("nvmlDeviceGetDisplayActive", to=bool),
    "virtualization_mode": call("nvmlDeviceGetVirtualizationMode", to=VIRTUALIZATION_MODES.__getitem__),
    "vbios_version": call("nvmlDeviceGetVbiosVersion", to=str),
    "temperature_celsius": call("nvmlDeviceGetTemperature", 0),
    "temperature_slowdown_celsius": call("nvmlDeviceGetTemperatureThreshold", 1, to=positive),
    "power_watts": call("nvmlDeviceGetPowerUsage", to=watts),
    "power_limit_watts": call("nvmlDeviceGetEnforcedPowerLimit", to=watts),
    "power_limit_default_watts": call("nvmlDeviceGetPowerManagementDefaultLimit", to=watts),
    "clock_sm_megahertz": call("nvmlDeviceGetClockInfo", 1),
    "clock_sm_max_megahertz": call("nvmlDeviceGetMaxClockInfo", 1, to=positive),
    "clock_memory_megahertz": call("nvmlDeviceGetClockInfo", 2),
    "clock_memory_max_megahertz": call("nvmlDeviceGetMaxClockInfo", 2, to=positive),
    "throttle_reasons": throttle_reasons,
    "pcie_generation": call("nvmlDeviceGetCurrPcieLinkGeneration", to=positive),
    "pcie_generation_max": call("nvmlDeviceGetMaxPcieLinkGeneration", to=positive),
    "pcie_width": call("nvmlDeviceGetCurrPcieLinkWidth", to=positive),
    "pcie_width_max": call("nvmlDeviceGetMaxPcieLinkWidth", to=positive),
    "persistence_mode": call("nvmlDeviceGetPersistenceMode", to=bool),
    "compute_mode": call("nvmlDeviceGetComputeMode", to=COMPUTE_MODES.__getitem__),
    "utilization_percent": call("nvmlDeviceGetUtilizationRates", to=lambda rates: reading(rates.gpu)),
    "processes": processes,
}
