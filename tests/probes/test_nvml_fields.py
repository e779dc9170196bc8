"""What is asked about each GPU, and what drivers give in the place of an answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.facts.accelerators import GpuProcess, Nvidia, NvidiaGpu, NvLink

Observe = Callable[..., Nvidia]


def gpus(facts: Nvidia) -> list[NvidiaGpu]:
    assert facts.gpus is not None
    return facts.gpus


def test_unified_memory_has_no_size_and_no_fault(observe: Observe) -> None:
    gpu = gpus(observe("nvmlDeviceGetMemoryInfo * 3\nnvmlDeviceGetMaxClockInfo * 3\n"))[0]
    assert gpu.error is None
    assert (gpu.memory_total_bytes, gpu.clock_memory_max_megahertz) == (None, None)
    assert gpu.unreadable["memory_total_bytes"] == gpu.unreadable["clock_memory_max_megahertz"] == "NOT_SUPPORTED"


def test_mig_counts_its_devices_where_memory_may_not_be_read(observe: Observe) -> None:
    gpu = gpus(observe("nvmlDeviceGetMigMode 0 0 1\nnvmlDeviceGetMemoryInfo 0 4\n"))[0]
    assert (gpu.mig_mode, gpu.mig_devices) == ("enabled", 4)
    assert gpu.memory_used_bytes is None
    assert gpu.unreadable["memory_used_bytes"] == "NO_PERMISSION"


def test_an_old_driver_lacks_newer_questions_and_answers_the_rest(observe: Observe, old_driver: Path) -> None:
    facts = observe("nvmlDeviceGetCurrentClocksThrottleReasons * 0 0x8\n", folder=old_driver)
    assert facts.nvml.outcome == "ok"
    assert (facts.driver_version, facts.cuda_driver_version) == ("570.133.20", None)
    gpu = gpus(facts)[0]
    assert gpu.throttle_reasons == ["hw_slowdown"]
    assert (gpu.mig_mode, gpu.processes) == (None, None)
    assert set(gpu.unreadable.values()) == {"FUNCTION_NOT_FOUND"}
    assert gpu.power_watts == 61.5


def test_what_is_no_reading_is_unknown(observe: Observe) -> None:
    gpu = gpus(
        observe(
            "nvmlDeviceGetPowerUsage * 0 0\nnvmlDeviceGetTemperature * 0 0xffffffff\n"
            "nvmlDeviceGetTotalEccErrors * 0 0xffffffffffffffff\nnvmlDeviceGetComputeMode * 0 9\n"
            "nvmlDeviceGetComputeRunningProcesses_v3 * 0 0xffffffffffffffff\n"
            "nvmlDeviceGetGraphicsRunningProcesses_v3 * 3\n"
        )
    )[0]
    assert (gpu.power_watts, gpu.temperature_celsius, gpu.ecc_uncorrected, gpu.compute_mode) == (None,) * 4
    assert set(gpu.unreadable) == {
        "power_watts",
        "temperature_celsius",
        "ecc_uncorrected",
        "ecc_corrected",
        "compute_mode",
    }
    assert gpu.processes == [GpuProcess(pid=4242, kind="compute", memory_used_bytes=None)]


def test_no_gpus_is_an_empty_list_not_a_silence(observe: Observe) -> None:
    assert observe("nvmlDeviceGetCount_v2 * 0 0\n").gpus == []


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ("nvmlDeviceGetEccMode 0 0 1 0", "ecc_mode_pending", "disabled"),
        ("nvmlDeviceGetMigMode 0 0 0 1", "mig_mode_pending", "enabled"),
        ("nvmlDeviceGetRemappedRows 0 0 2 4 1 0", "remapped_rows_pending", True),
        ("nvmlDeviceGetRemappedRows 0 0 2 4 1 0", "remapped_rows_uncorrectable", 4),
        ("nvmlDeviceGetRetiredPages 0 0 3", "retired_pages", 6),  # three of each cause
        ("nvmlDeviceGetSramEccErrorStatus 0 0 1", "ecc_sram_threshold_exceeded", True),
        ("nvmlDeviceGetFieldValues 0 0 2", "recovery_action", "reboot"),
        ("nvmlDeviceGetFieldValues 0 0 99", "recovery_action", None),
        ("nvmlDeviceGetFieldValues 0 3", "memory_temperature_celsius", None),
        ("nvmlDeviceGetGpuFabricInfoV 0 0 2 0", "fabric_state", "in-progress"),
        ("nvmlDeviceGetGpuFabricInfoV 0 0 2 0", "fabric_status", None),
        ("nvmlDeviceGetGpuFabricInfoV 0 0 3 999", "fabric_status", "error 999"),
        ("nvmlDeviceGetNvLinkState 0 0 0", "nvlinks", [NvLink(index=0, active=False), NvLink(index=1, active=False)]),
        ("nvmlDeviceGetNvLinkState 0 3", "nvlinks", None),
        ("nvmlDeviceGetPerformanceState 0 0 32", "performance_state", None),
        ("nvmlDeviceGetVirtualizationMode 0 0 2", "virtualization_mode", "vgpu"),
    ],
)
def test_a_fault_shows_in_its_field(observe: Observe, line: str, field: str, expected: object) -> None:
    gpu = gpus(observe(f"nvmlDeviceGetCount_v2 * 0 1\n{line}\n"))[0]
    assert getattr(gpu, field) == expected
    assert gpu.error is None
    assert (field in gpu.unreadable) is (expected is None)
