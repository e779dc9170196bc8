"""Run as a program, it asks NVML about every GPU and writes each answer as a record on stdout.

NVML can hang for ever, kill its caller, or fail for one GPU of eight (go-nvml#152, nvitop#139, nvgpu#6). So it is
asked here, in a process that may be left behind, which imports nothing of envkit and says what it is about to ask.

Records (RFC 7464): {"library": path} or {"library_missing": words}; {"driver_version": text};
{"cuda_driver_version": text}; {"gpu_count": number}; {"error": name} when NVML as a whole fails; and for each GPU
{"gpu": index, "asking": next field or None, field: value, "unreadable": {field: name}, "error": name}.

Left out on purpose: supported clocks, a read-only question that stops machines (open-gpu-kernel-modules#1239).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
from collections.abc import Callable
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
NOT_AVAILABLE = frozenset({0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF})  # NVML_VALUE_NOT_AVAILABLE, by width
GONE = frozenset({"GPU_IS_LOST", "RESET_REQUIRED"})
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


def sysfs_address(info: Any) -> str:
    """NVML says "00000000:01:00.0", sysfs "0000:01:00.0"."""
    domain, _, rest = info.busId.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"


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
    "ecc_uncorrected": call("nvmlDeviceGetTotalEccErrors", 1, 0),  # uncorrected, volatile
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


def reason(nvml: Any, error: Exception) -> str:
    """NVML's name of an error, "NOT_SUPPORTED"; of what is none of NVML's, its own words."""
    if isinstance(error, nvml.NVMLError):
        names = (name for name in dir(nvml) if name.startswith("NVML_ERROR_") and getattr(nvml, name) == error.value)
        return next(names, f"ERROR_{error.value}").removeprefix("NVML_ERROR_")
    return str(error)


def ask_gpu(nvml: Any, index: int, emit: Callable[[dict[str, Any]], None]) -> None:
    emit({"gpu": index, "asking": "handle"})
    try:
        gpu = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:  # no further call for this index: the library may crash (nvitop#145)
        emit({"gpu": index, "asking": None, "error": reason(nvml, error)})
        return
    answer: dict[str, Any] = {}
    for field, question in QUESTIONS.items():
        emit({"gpu": index, "asking": field, **answer})
        try:
            answer = {field: question(nvml, gpu)}
        except (nvml.NVMLError, NotAReadingError, AttributeError, LookupError, ValueError) as error:
            why = reason(nvml, error)
            answer = {"unreadable": {field: why}}
            if why in GONE:
                emit({"gpu": index, "asking": None, "error": why, **answer})
                return
    emit({"gpu": index, "asking": None, **answer})


def ask(emit: Callable[[dict[str, Any]], None]) -> None:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        emit({"library_missing": str(error)})
        return
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        paths = [line.split(maxsplit=5)[5].strip() for line in maps if "/libnvidia-ml.so" in line]
    emit({"library": paths[0] if paths else None})

    import pynvml as nvml  # noqa: PLC0415 - costs more than all the above, for nothing where the library is missing

    try:
        nvml.nvmlInit()
        with contextlib.suppress(nvml.NVMLError):
            emit({"driver_version": nvml.nvmlSystemGetDriverVersion()})
        with contextlib.suppress(nvml.NVMLError):
            cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
            emit({"cuda_driver_version": f"{cuda // 1000}.{cuda % 1000 // 10}"})
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        emit({"error": reason(nvml, error)})
        return
    emit({"gpu_count": count})
    for index in range(count):
        ask_gpu(nvml, index, emit)


def main() -> None:
    records = os.dup(1)
    os.dup2(2, 1)  # the library's own prints must not end up between the records

    def emit(record: dict[str, Any]) -> None:
        os.write(records, b"\x1e" + json.dumps(record).encode() + b"\n")

    ask(emit)
    os._exit(0)  # everything is said: a driver that hangs or crashes while it is unloaded takes nothing back


if __name__ == "__main__":
    main()
