"""NVML as real drivers break it, played by a stand-in for libnvidia-ml.so.1 that the real nvidia-ml-py loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from envkit.facts.accelerators import GpuProcess, Nvidia, NvidiaGpu
from envkit.probes import nvidia

SOURCE = Path(__file__).parents[1] / "nvml/nvml.c"
Observe = Callable[..., Nvidia]


def build(folder: Path, *options: str) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the NVML stand-in with")
    library = folder / "libnvidia-ml.so.570.133.20"
    subprocess.run([compiler, *options, "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    (folder / "libnvidia-ml.so.1").symlink_to(library.name)
    return folder


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="session")
def old_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("old_driver"), "-DOLD_DRIVER")


@pytest.fixture
def observe(driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Observe:
    def observe(script: str = "", *, folder: Path = driver, deadline_seconds: float = 30.0) -> Nvidia:
        (tmp_path / "script").write_text(script)
        monkeypatch.setenv("NVML_SCRIPT", str(tmp_path / "script"))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        section = nvidia.observe(deadline_seconds=deadline_seconds)
        assert section.outcome == "ok"
        assert section.facts is not None
        return section.facts

    return observe


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
        ecc_uncorrected=0,
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
    assert all(getattr(first, field) is not None for field in NvidiaGpu.__struct_fields__ if field != "error")
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
    assert set(gpu.unreadable) == {"power_watts", "temperature_celsius", "ecc_uncorrected", "compute_mode"}
    assert gpu.processes == [GpuProcess(pid=4242, kind="compute", memory_used_bytes=None)]


def test_no_gpus_is_an_empty_list_not_a_silence(observe: Observe) -> None:
    assert observe("nvmlDeviceGetCount_v2 * 0 0\n").gpus == []
