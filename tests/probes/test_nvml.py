"""NVML as real drivers break it, played by a stand-in for libnvidia-ml.so.1 that the real nvidia-ml-py loads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from envkit.facts.accelerators import GpuProcess, Nvidia, NvidiaGpu, NvLink

Observe = Callable[..., Nvidia]


@pytest.fixture
def left_child() -> Iterator[Callable[[], psutil.Process]]:
    """The child that was left behind; ended here, after the test."""
    before = set(psutil.Process().children())

    def left() -> psutil.Process:
        (child,) = set(psutil.Process().children()) - before
        return child

    yield left
    child = left()
    child.kill()
    os.waitpid(child.pid, 0)


def gpus(facts: Nvidia) -> list[NvidiaGpu]:
    assert facts.gpus is not None
    return facts.gpus


def test_two_healthy_gpus_fill_every_field(observe: Observe, driver: Path) -> None:
    facts = observe("nvmlDeviceGetClockInfo 1 0 210\nnvmlDeviceGetCurrentClocksEventReasons 1 0 0x4c\n")
    assert (facts.nvml.outcome, facts.nvml.error) == ("ok", None)
    assert facts.nvml.library_path == str(driver / "libnvidia-ml.so.570.133.20")
    assert facts.nvml.library_version == "570.133.20"
    assert (facts.driver_version, facts.cuda_driver_version) == ("570.133.20", "12.8")
    first, second = gpus(facts)
    assert first == NvidiaGpu(
        index=0,
        name="Stand-in 0",
        uuid="GPU-00000000-0000-0000-0000-000000000000",
        pci_address="0000:1a:00.0",
        compute_capability="8.6",
        memory_total_bytes=24 << 30,
        memory_used_bytes=4 << 30,
        memory_free_bytes=20 << 30,
        mig_mode="disabled",
        mig_devices=0,
        ecc_mode="enabled",
        mig_mode_pending="disabled",
        ecc_mode_pending="enabled",
        ecc_uncorrected=0,
        ecc_corrected=0,
        ecc_sram_threshold_exceeded=False,
        retired_pages=0,
        retired_pages_pending=False,
        remapped_rows_correctable=0,
        remapped_rows_uncorrectable=0,
        remapped_rows_pending=False,
        remapped_rows_failure=False,
        recovery_action="none",
        fabric_state="completed",
        fabric_status="success",
        nvlinks=[NvLink(index=0, active=True), NvLink(index=1, active=True)],
        performance_state="P8",
        fan_percent=30,
        memory_temperature_celsius=44,
        bar1_total_bytes=32 << 30,
        pcie_replays=7,
        display_active=False,
        virtualization_mode="pass-through",
        vbios_version="96.00.74.00.00",
        temperature_celsius=41,
        temperature_slowdown_celsius=98,
        power_watts=61.5,
        power_limit_watts=150.0,
        power_limit_default_watts=150.0,
        clock_sm_megahertz=1695,
        clock_sm_max_megahertz=6251,
        clock_memory_megahertz=1695,
        clock_memory_max_megahertz=6251,
        throttle_reasons=["gpu_idle"],
        pcie_generation=1,
        pcie_generation_max=4,
        pcie_width=8,
        pcie_width_max=16,
        persistence_mode=True,
        compute_mode="default",
        utilization_percent=37,
        processes=[GpuProcess(pid=4242, kind="compute", memory_used_bytes=3 << 30)],
    )
    others = {"error", "inforom_corrupted"}  # asking for the latter takes seconds
    assert all(getattr(first, field) is not None for field in NvidiaGpu.__struct_fields__ if field not in others)
    assert second.clock_sm_megahertz == 210
    assert second.throttle_reasons == ["sw_power_cap", "hw_slowdown", "hw_thermal_slowdown"]


@pytest.mark.parametrize(
    ("code", "name"),
    [(18, "LIB_RM_VERSION_MISMATCH"), (9, "DRIVER_NOT_LOADED"), (4, "NO_PERMISSION"), (999, "UNKNOWN")],
)
def test_nvml_that_does_not_start_says_why_in_its_own_name(observe: Observe, code: int, name: str) -> None:
    facts = observe(f"nvmlInitWithFlags * {code}\n")
    assert (facts.nvml.outcome, facts.nvml.error) == ("error", name)
    assert facts.nvml.library_version == "570.133.20"
    assert facts.gpus is None


def test_a_library_that_cannot_be_loaded_is_missing_in_the_loaders_words(observe: Observe, tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_text("no library")
    facts = observe(folder=tmp_path)
    assert facts.nvml.outcome == "library-missing"
    assert "libnvidia-ml.so.1" in (facts.nvml.error or "")
    assert facts.gpus is None


def test_nvml_that_never_starts_costs_the_deadline_and_is_left_alive(
    observe: Observe, left_child: Callable[[], psutil.Process]
) -> None:
    started = time.monotonic()
    facts = observe("nvmlInitWithFlags * never\n", deadline_seconds=1.0)
    assert time.monotonic() - started < 3.0
    assert (facts.nvml.outcome, facts.nvml.error) == ("timeout", "no answer within 1 s")
    assert facts.gpus is None
    assert left_child().status() == psutil.STATUS_SLEEPING


def test_a_loader_that_hangs_on_a_fifo_is_a_timeout(
    observe: Observe, tmp_path: Path, left_child: Callable[[], psutil.Process]
) -> None:
    os.mkfifo(tmp_path / "libnvidia-ml.so.1")
    assert observe(folder=tmp_path, deadline_seconds=1.0).nvml.outcome == "timeout"
    assert left_child().is_running()


def test_a_gpu_that_hangs_keeps_what_the_others_and_itself_had_said(
    observe: Observe, left_child: Callable[[], psutil.Process]
) -> None:
    facts = observe(
        "nvmlDeviceGetCount_v2 * 0 4\nnvmlDeviceGetPowerUsage 2 never\n",
        deadline_seconds=2.0,
    )
    assert facts.nvml.outcome == "timeout"
    assert [gpu.error for gpu in gpus(facts)] == [
        None,
        None,
        "no answer within 2 s, asked for power_watts",
        "not asked: NVML failed at an earlier GPU",
    ]
    assert gpus(facts)[1].processes is not None
    assert gpus(facts)[2].pci_address == "0000:1c:00.0"
    assert gpus(facts)[2].power_watts is None
    assert left_child().is_running()


def test_a_crash_in_a_getter_is_told_with_its_signal_and_its_question(observe: Observe) -> None:
    facts = observe("nvmlDeviceGetTemperature 1 abort\n")
    assert (facts.nvml.outcome, facts.nvml.error) == ("crashed", "SIGABRT")
    first, second = gpus(facts)
    assert first.error is None
    assert second.error == "killed by SIGABRT, asked for temperature_celsius"


@pytest.mark.parametrize(("code", "name"), [(15, "GPU_IS_LOST"), (16, "RESET_REQUIRED"), (999, "UNKNOWN")])
def test_a_gpu_whose_handle_fails_is_asked_nothing_more_and_the_others_are(
    observe: Observe, code: int, name: str
) -> None:
    facts = observe(f"nvmlDeviceGetCount_v2 * 0 3\nnvmlDeviceGetHandleByIndex_v2 1 {code}\n")
    assert facts.nvml.outcome == "ok"
    assert [gpu.error for gpu in gpus(facts)] == [None, name, None]
    assert gpus(facts)[1] == NvidiaGpu(index=1, error=name)
    assert gpus(facts)[2].name == "Stand-in 2"


def test_a_gpu_lost_between_two_questions_is_asked_no_third(observe: Observe) -> None:
    facts = observe("nvmlDeviceGetEccMode 0 15\nnvmlDeviceGetTemperature 0 abort\n")
    assert facts.nvml.outcome == "ok"
    assert gpus(facts)[0].error == "GPU_IS_LOST"
    assert gpus(facts)[0].unreadable == {"ecc_mode": "GPU_IS_LOST"}
    assert gpus(facts)[0].memory_total_bytes == 24 << 30
    assert gpus(facts)[1].error is None
