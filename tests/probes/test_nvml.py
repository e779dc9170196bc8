"""NVML as real drivers break it, played by a stand-in for libnvidia-ml.so.1 that the real nvidia-ml-py loads."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from envkit.facts.accelerators import GpuPair, GpuProcess, Nvidia, NvidiaGpu, NvLink
from envkit.probes import nvidia, nvml

Observe = Callable[..., Nvidia]


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
        mig=[],
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
        fabric_troubles=[],
        nvlinks=[
            NvLink(index=link, active=True, errors=0, remote="gpu", remote_address="0000:1b:00.0") for link in (0, 1)
        ],
        performance_state="P8",
        fan_percent=30,
        memory_temperature_celsius=44,
        memory_temperature_max_celsius=98,
        bar1_total_bytes=32 << 30,
        pcie_replays=7,
        display_active=False,
        virtualization_mode="pass-through",
        vbios_version="96.00.74.00.00",
        inforom_corrupted=False,
        temperature_celsius=41,
        temperature_slowdown_celsius=98,
        temperature_margin_celsius=57,
        power_watts=61.5,
        power_limit_watts=150.0,
        power_limit_default_watts=150.0,
        clock_sm_megahertz=1695,
        clock_sm_max_megahertz=6251,
        clock_sm_application_megahertz=1695,
        clock_sm_application_default_megahertz=1695,
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
        unreadable={"vgpu_licensed": "NOTHING_TO_LICENSE", "vgpu_product": "NOTHING_TO_LICENSE"},
    )
    others = {"error", "fabric_cluster", "fabric_clique", *first.unreadable}  # it is of no cluster of machines
    assert all(getattr(first, field) is not None for field in NvidiaGpu.__struct_fields__ if field not in others)
    assert facts.pairs == [GpuPair(first=0, second=1, path="numa-node", p2p_read="ok", p2p_write="ok", p2p_nvlink="ok")]
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


def test_supported_clocks_are_never_asked_for(observe: Observe) -> None:
    """The stand-in dies of it, as machines do; nor is it named in what is asked."""
    assert observe().nvml.outcome == "ok"
    programs = Path(nvidia.__file__).parent.glob("nvml*.py")
    assert not [path.name for path in programs if "nvmlDeviceGetSupported" in path.read_text()]


def test_a_count_that_cannot_be_had_is_an_error_of_nvml(observe: Observe) -> None:
    facts = observe("nvmlDeviceGetCount_v2 * UNKNOWN\n")
    assert (facts.nvml.outcome, facts.nvml.error, facts.gpus, facts.pairs) == ("error", "UNKNOWN", None, None)
    assert facts.driver_version == "570.133.20"


def test_a_count_that_cannot_be_is_no_count(observe: Observe) -> None:
    facts = observe("nvmlDeviceGetCount_v2 * ok 4000000000\n")
    assert (facts.nvml.outcome, facts.nvml.error, facts.gpus) == ("error", "4000000000 GPUs cannot be", None)


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


@pytest.mark.parametrize("why", ["GPU_IS_LOST", "RESET_REQUIRED"])
def test_a_gpu_lost_between_two_questions_is_asked_no_third(observe: Observe, why: str) -> None:
    facts = observe(f"nvmlDeviceGetEccMode 0 {why}\nnvmlDeviceGetTemperature 0 abort\nnvmlDeviceGetP2PStatus 0 abort\n")
    assert facts.nvml.outcome == "ok"
    assert gpus(facts)[0].error == why
    assert gpus(facts)[0].unreadable == {"ecc_mode": why}
    assert facts.pairs == []
    assert gpus(facts)[0].memory_total_bytes == 24 << 30
    assert gpus(facts)[1].error is None


def test_what_takes_nvml_long_is_asked_only_where_there_is_time(observe: Observe) -> None:
    damaged = "nvmlDeviceGetInforomConfigurationChecksum 0 CORRUPTED_INFOROM\n"
    (gpu,) = gpus(observe(damaged, deep=False))[:1]
    assert gpu.inforom_corrupted is None
    assert "inforom_corrupted" not in gpu.unreadable
    assert gpus(observe(damaged, deep=True))[0].inforom_corrupted


def test_a_child_that_is_stuck_in_the_driver_is_not_joined_by_others(
    observe: Observe, left_child: Callable[[], psutil.Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    observe("nvmlInitWithFlags * never\n", deadline_seconds=1.0)
    stuck = left_child()
    monkeypatch.setattr(nvml, "STUCK_SECONDS", 0.5)
    started = time.monotonic()
    seen = observe("nvmlInitWithFlags * never\n", deadline_seconds=0.5)
    assert time.monotonic() - started < 0.5
    assert seen.nvml.outcome == "timeout"
    assert f"process {stuck.pid}" in (seen.nvml.error or "")
    assert seen.gpus is None
    assert left_child() == stuck  # still the only one


def test_a_safe_path_does_not_keep_the_child_from_its_own_files(
    observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    assert len(gpus(observe("nvmlDeviceGetCount_v2 * 0 2\n"))) == 2
