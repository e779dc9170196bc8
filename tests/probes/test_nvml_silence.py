"""NVML that does not answer, or late: it costs the deadline once, and what was asked of others is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from envkit.facts.accelerators import Nvidia, NvidiaGpu

Observe = Callable[..., Nvidia]


def gpus(facts: Nvidia) -> list[NvidiaGpu]:
    assert facts.gpus is not None
    return facts.gpus


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
        None,
    ]
    assert facts.nvml.unanswered == ["GPU 2: power_watts"]
    assert gpus(facts)[2].pci_address == "0000:1c:00.0"
    assert gpus(facts)[2].power_watts is None
    assert [set(gpu.unreadable) for gpu in gpus(facts) if not gpu.error] == [{"vgpu_licensed", "vgpu_product"}] * 3
    assert [(pair.first, pair.second) for pair in facts.pairs or []] == [(0, 1), (0, 3), (1, 3)]
    assert left_child().is_running()


def test_a_question_that_nobody_answers_is_put_to_two_gpus_and_costs_the_deadline_once(
    observe: Observe, left_child: Callable[[], psutil.Process]
) -> None:
    started = time.monotonic()
    facts = observe("nvmlDeviceGetCount_v2 * ok 5\nnvmlDeviceGetTemperature * never\n", deadline_seconds=2.0)
    assert time.monotonic() - started < 3.0
    assert facts.nvml.unanswered == ["GPU 0: temperature_celsius", "GPU 1: temperature_celsius"]
    others = gpus(facts)[2:]
    assert [gpu.error for gpu in others] == [None] * 3
    assert [gpu.unreadable["temperature_celsius"] for gpu in others] == ["not asked: two others gave no answer"] * 3
    assert [gpu.vbios_version for gpu in others] == [f"96.00.74.00.0{i}" for i in (2, 3, 4)]
    assert left_child().is_running()


def test_a_pair_that_hangs_costs_no_gpu_anything(observe: Observe, left_child: Callable[[], psutil.Process]) -> None:
    script = "nvmlDeviceGetCount_v2 * ok 3\nnvmlDeviceGetP2PStatus 0:2 never\n"
    facts = observe(script, deadline_seconds=1.0)
    assert facts.nvml.unanswered == ["GPU 0 with GPU 2: peers"]
    assert [gpu.error for gpu in gpus(facts)] == [None] * 3
    told = {(pair.first, pair.second): pair for pair in facts.pairs or []}
    assert told[0, 1].p2p_read == "ok"
    assert set(told[0, 2].unreadable.values()) == {"no answer"}
    assert left_child().is_running()


@pytest.mark.parametrize("question", ["nvmlSystemGetDriverVersion", "nvmlSystemGetCudaDriverVersion_v2"])
def test_a_question_about_the_machine_that_hangs_costs_no_gpu_anything(
    observe: Observe, left_child: Callable[[], psutil.Process], question: str
) -> None:
    facts = observe(f"{question} * never\n", deadline_seconds=1.0)
    assert facts.nvml.outcome == "timeout"
    assert len(facts.nvml.unanswered) == 1
    assert [gpu.error for gpu in gpus(facts)] == [None, None]
    assert gpus(facts)[1].vbios_version is not None


def test_a_slow_answer_is_an_answer_and_what_was_left_is_asked_after_it(observe: Observe) -> None:
    script = "nvmlDeviceGetPowerUsage 0 after=0.6 ok 99000\nnvmlDeviceGetHandleByIndex_v2 1 after=0.6 ok\n"
    facts = observe(script, deadline_seconds=2.0)
    assert (facts.nvml.outcome, facts.nvml.unanswered) == ("ok", [])
    assert [gpu.power_watts for gpu in gpus(facts)] == [99.0, 61.5]
    assert [gpu.fan_percent for gpu in gpus(facts)] == [30, 30]
    assert [pair.p2p_nvlink for pair in facts.pairs or []] == ["ok"]


def test_nobody_asks_a_lost_gpu_about_one_that_was_silent_for_a_while(observe: Observe) -> None:
    script = """
        nvmlDeviceGetCount_v2 * ok 3
        nvmlDeviceGetPowerUsage 0 after=1 ok
        nvmlDeviceGetVbiosVersion 2 GPU_IS_LOST
        nvmlDeviceGetP2PStatus *:2 abort
    """
    facts = observe(script, deadline_seconds=2.0)
    assert facts.nvml.outcome == "ok"
    assert [gpu.error for gpu in gpus(facts)] == [None, None, "GPU_IS_LOST"]
    assert [(pair.first, pair.second) for pair in facts.pairs or []] == [(0, 1)]


def test_the_deadline_may_come_in_the_middle(observe: Observe, left_child: Callable[[], psutil.Process]) -> None:
    script = (
        "nvmlDeviceGetName 0 after=0.1 ok\nnvmlDeviceGetUUID * after=0.15 ok\nnvmlDeviceGetVbiosVersion * after=5 ok\n"
    )
    facts = observe(script, deadline_seconds=1.0)
    assert facts.nvml.outcome == "timeout"
    assert {gpu.name for gpu in gpus(facts)} == {"Stand-in 0", "Stand-in 1"}
    unasked = [set(gpu.unreadable.values()) for gpu in gpus(facts) if gpu.error is None]
    assert all("not asked: NVML gave no answer before" in reasons for reasons in unasked)
    assert [gpu.error for gpu in gpus(facts)].count("no answer within 1 s, asked for vbios_version") > 0
