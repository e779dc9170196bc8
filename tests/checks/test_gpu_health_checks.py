"""Checks of each GPU by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import gpu_health
from envkit.facts import Facts, ok
from envkit.facts.accelerators import GpuProcess, MigDevice, Nvidia, NvidiaGpu, Nvml
from envkit.facts.cluster import Allocation
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

GIB = 1024**3
ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()


def gpu(index: int = 0, **changes: Any) -> NvidiaGpu:
    return NvidiaGpu(**{"index": index, "name": "NVIDIA A10", **changes})


def machine(*gpus: NvidiaGpu) -> Nvidia:
    return Nvidia(module_loaded=True, nvml=Nvml(outcome="ok"), gpus=list(gpus))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


LOST, RESET, OTHER = (gpu(error=error) for error in ("GPU_IS_LOST", "RESET_REQUIRED", "UNKNOWN"))


def test_gpu_lost_fires_for_that_gpu_only() -> None:
    finding = one(gpu_health.gpu_lost(machine(LOST, gpu(1)), ANY))
    assert (finding.status, finding.subject) == ("fail", "GPU 0, NVIDIA A10")


def test_gpu_lost_near_miss() -> None:
    assert not list(gpu_health.gpu_lost(machine(OTHER, RESET), ANY))
    assert not list(gpu_health.gpu_lost(machine(LOST), CPU))
    assert not list(gpu_health.gpu_lost(Nvidia(gpus=None), ANY))


def test_gpu_needs_reset_fires() -> None:
    finding = one(gpu_health.gpu_needs_reset(machine(gpu(0), gpu(1, error="RESET_REQUIRED")), ANY))
    assert finding.remedy is not None
    assert finding.remedy.commands == [["sudo", "nvidia-smi", "--gpu-reset", "-i", "1"]]


def test_gpu_needs_reset_near_miss() -> None:
    assert not list(gpu_health.gpu_needs_reset(machine(LOST, OTHER), ANY))


def test_gpu_unreadable_fires() -> None:
    assert one(gpu_health.gpu_unreadable(machine(OTHER), ANY, Facts())).evidence == ["NVML: UNKNOWN"]


def test_gpu_unreadable_near_miss() -> None:
    silent = gpu(error="no answer within 10 s, asked for power_watts")
    not_asked = gpu(error="not asked: NVML gave no answer before")
    assert not list(gpu_health.gpu_unreadable(machine(silent, not_asked), ANY, Facts()))
    assert not list(gpu_health.gpu_unreadable(machine(LOST, RESET, gpu(2)), ANY, Facts()))
    others = machine(gpu(0), gpu(1, error="NO_PERMISSION"))
    assert list(gpu_health.gpu_unreadable(others, ANY, Facts()))
    job = Facts(allocation=ok(Allocation(scheduler="slurm", gpus=1)))
    assert not list(gpu_health.gpu_unreadable(others, ANY, job))


def test_ecc_uncorrected_fires() -> None:
    assert one(gpu_health.ecc_uncorrected(machine(gpu(ecc_uncorrected=2)), ANY)).status == "fail"


def test_ecc_uncorrected_near_miss() -> None:
    assert not list(gpu_health.ecc_uncorrected(machine(gpu(ecc_uncorrected=0), gpu(1)), ANY))
    assert not list(gpu_health.ecc_uncorrected(machine(gpu(ecc_uncorrected=2)), ANY, allowed=2))


@pytest.mark.parametrize("reason", ["hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown"])
def test_gpu_throttled_fires(reason: str) -> None:
    assert reason in one(gpu_health.gpu_throttled(machine(gpu(throttle_reasons=["gpu_idle", reason])), ANY)).message


def test_gpu_throttled_near_miss() -> None:
    assert not list(gpu_health.gpu_throttled(machine(gpu(throttle_reasons=["gpu_idle", "sw_power_cap"])), ANY))
    assert not list(gpu_health.gpu_throttled(machine(gpu(throttle_reasons=None)), ANY))


def test_mig_without_instances_fires() -> None:
    assert one(gpu_health.mig_without_instances(machine(gpu(mig_mode="enabled", mig_devices=0)), ANY)).status == "fail"


def test_mig_without_instances_near_miss() -> None:
    split, unknown = gpu(mig_mode="enabled", mig_devices=7), gpu(mig_mode="enabled")
    assert not list(gpu_health.mig_without_instances(machine(split, unknown, gpu(mig_mode="disabled")), ANY))


def test_gpu_hot_fires_near_the_gpus_own_limit() -> None:
    hot = gpu(temperature_celsius=80, temperature_slowdown_celsius=82)
    assert one(gpu_health.gpu_hot(machine(hot), ANY)).status == "warn"


def test_gpu_hot_fires_at_a_stated_limit_where_the_gpu_tells_none() -> None:
    assert one(gpu_health.gpu_hot(machine(gpu(temperature_celsius=91)), ANY)).evidence == ["it slows down at: not told"]


def test_gpu_hot_fires_by_what_the_gpu_says_is_left() -> None:
    assert one(
        gpu_health.gpu_hot(machine(gpu(temperature_celsius=84, temperature_margin_celsius=2)), ANY)
    ).evidence == ["it slows down in: 2 °C"]


def test_gpu_hot_near_miss() -> None:
    assert not list(gpu_health.gpu_hot(machine(gpu(temperature_celsius=91, temperature_margin_celsius=9)), ANY))
    assert not list(gpu_health.gpu_hot(machine(gpu(temperature_celsius=91, temperature_slowdown_celsius=98)), ANY))
    assert not list(gpu_health.gpu_hot(machine(gpu(temperature_celsius=91)), ANY, limit_celsius=95))


def test_gpu_memory_held_fires_and_names_the_processes() -> None:
    processes = [GpuProcess(pid=42, kind="compute", memory_used_bytes=6 * GIB)]
    held = gpu(memory_total_bytes=8 * GIB, memory_used_bytes=6 * GIB, processes=processes)
    finding = one(gpu_health.gpu_memory_held(machine(held), ANY, KNOWLEDGE))
    assert finding.evidence == ["process 42 (compute): 6.0 GiB"]


def test_gpu_memory_held_fires_for_a_mig_device_by_itself() -> None:
    parts = [
        MigDevice(index=i, profile="3g.40gb", memory_total_bytes=40 * GIB, memory_used_bytes=used * GIB)
        for i, used in enumerate((1, 30))
    ]
    split = gpu(mig_mode="enabled", mig=parts, memory_total_bytes=80 * GIB, memory_used_bytes=31 * GIB)
    found = one(gpu_health.gpu_memory_held(machine(split), ANY, KNOWLEDGE))
    assert found.subject == "GPU 0, NVIDIA A10, MIG device 1 (3g.40gb)"


def test_gpu_memory_held_near_miss() -> None:
    unknown = gpu(memory_total_bytes=8 * GIB, memory_used_bytes=None)
    desktop = gpu(1, memory_total_bytes=8 * GIB, memory_used_bytes=GIB)
    assert not list(gpu_health.gpu_memory_held(machine(unknown, desktop), ANY, KNOWLEDGE))
    unified = gpu(name="NVIDIA GB10", memory_total_bytes=119 * GIB, memory_used_bytes=90 * GIB)
    assert not list(gpu_health.gpu_memory_held(machine(unified), ANY, KNOWLEDGE))


def test_compute_mode_prohibited_fires() -> None:
    assert one(gpu_health.compute_mode_prohibited(machine(gpu(compute_mode="prohibited")), ANY)).status == "fail"


def test_compute_mode_prohibited_fires_when_another_process_holds_the_gpu() -> None:
    held = gpu(compute_mode="exclusive-process", processes=[GpuProcess(pid=7, kind="compute")])
    assert "process 7" in one(gpu_health.compute_mode_prohibited(machine(held), ANY)).message


def test_compute_mode_prohibited_near_miss() -> None:
    display = gpu(compute_mode="exclusive-process", processes=[GpuProcess(pid=7, kind="graphics")])
    assert not list(gpu_health.compute_mode_prohibited(machine(display), ANY))
