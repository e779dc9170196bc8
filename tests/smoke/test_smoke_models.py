"""The reference models in the real frameworks: they train, and a broken training fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.profile import SmokeRun
from envkit.smoke import framework
from envkit.smoke.data import MODELS
from envkit.smoke.run import smoke
from envkit.smoke.types import Event, RunResult, SmokeReport

RUNS = [
    SmokeRun(framework="torch"),
    SmokeRun(framework="torch", models=["mlp"], device="cuda"),
    SmokeRun(framework="torch", models=["mlp"], device="rocm"),
    SmokeRun(framework="tensorflow"),
    SmokeRun(framework="tensorflow", models=["mlp"], device="cuda"),
]


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def report(cpu_stack: Path, events: list[Event]) -> SmokeReport:
    return smoke(str(cpu_stack), RUNS, memory_available_bytes=8 << 30, on_event=events.append)


def of(report: SmokeReport, name: str, model: str, device: str = "cpu") -> RunResult:
    return next(run for run in report.runs if (run.framework, run.model, run.device) == (name, model, device))


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_model_trains_and_says_how(report: SmokeReport, name: str, model: str) -> None:
    run = of(report, name, model)
    assert (run.status, run.cause) == ("pass", None), run.message
    assert (run.device_used, run.dtype) == ("cpu", "float32")
    assert run.loss_first is not None
    assert run.loss_last is not None
    assert run.loss_bound is not None
    assert run.loss_last < run.loss_bound <= run.loss_first / 2
    assert run.loss_last < run.loss_bound / 2  # the margin of the bound
    assert run.version
    assert run.steps == {"mlp": 61, "cnn": 17}[model]
    for number in (run.steps_per_second, run.import_seconds, run.build_seconds, run.first_step_seconds):
        assert number is not None
        assert number > 0
    assert run.peak_memory_bytes is not None
    assert 100e6 < run.peak_memory_bytes < 8e9
    assert run.device_peak_memory_bytes is None


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_both_frameworks_begin_with_the_same_loss(report: SmokeReport, model: str) -> None:
    first = [of(report, name, model).loss_first for name in ("torch", "tensorflow")]
    assert first[0] == pytest.approx(first[1], rel=1e-5)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_both_frameworks_follow_nearly_the_same_path(report: SmokeReport, model: str) -> None:
    last = [of(report, name, model).loss_last for name in ("torch", "tensorflow")]
    assert last[0] == pytest.approx(last[1], rel=1e-2)


@pytest.mark.parametrize(
    ("name", "device", "words"),
    [
        ("torch", "cuda", "Torch not compiled with CUDA enabled"),
        ("torch", "rocm", "not built for ROCm"),
        ("tensorflow", "cuda", "not built with CUDA"),
    ],
)
def test_a_cpu_build_asked_for_a_gpu_fails(report: SmokeReport, name: str, device: str, words: str) -> None:
    run = of(report, name, "mlp", device)
    assert (run.status, run.cause) == ("fail", "device-missing")
    assert words in run.message
    assert run.device_used is None
    assert report.status == "unhealthy"


def test_events_tell_every_stage_and_every_result(report: SmokeReport, events: list[Event]) -> None:
    told = [event.stage for event in events if (event.framework, event.device) == ("torch", "cpu")]
    assert told == ["device", "build", "first-step", "train", "done"] * 2
    assert sorted(event.framework for event in events if event.stage == "import") == ["tensorflow", "torch"]
    results = [event.result for event in events if event.stage == "done"]
    assert sorted(map(repr, results)) == sorted(map(repr, report.runs))


# What is wrong with these: everything frozen; a learning rate that overflows; a first layer that never learns.
BROKEN_MODELS = """
MODELS = {
    "mlp": lambda: mlp()._replace(learning_rate=0.0),
    "cnn": lambda: cnn()._replace(learning_rate=1e38),
    "half": cnn,
}
"""


@pytest.fixture(scope="module")
def broken(cpu_stack: Path) -> SmokeReport:
    whole = framework.read_sources
    frozen = "if model == 'half': network[0].requires_grad_(False)\n    network.to(device)"

    def sources(name: str) -> dict[str, str]:
        text = whole(name)
        adapter = text["adapter"].replace("network.to(device)", frozen)
        return {**text, "data": text["data"] + BROKEN_MODELS, "adapter": adapter}

    runs = [SmokeRun(framework="torch", models=["mlp", "cnn", "half"]), SmokeRun(framework="tensorflow")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framework, "read_sources", sources)
        patch.setitem(MODELS, "half", MODELS["cnn"])
        return smoke(str(cpu_stack), runs, memory_available_bytes=8 << 30, env=env)


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_frozen_model_fails(broken: SmokeReport, name: str) -> None:
    run = of(broken, name, "mlp")
    assert (run.status, run.cause) == ("fail", "loss-not-falling")
    assert run.loss_last == pytest.approx(run.loss_first)


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_loss_that_overflows_fails(broken: SmokeReport, name: str) -> None:
    run = of(broken, name, "cnn")
    assert (run.status, run.cause, run.loss_last) == ("fail", "loss-not-finite", None)
    assert run.loss_first is not None
    assert run.steps is not None
    assert 1 < run.steps < 17


def test_a_layer_that_never_changes_fails_though_the_loss_falls(broken: SmokeReport) -> None:
    run = of(broken, "torch", "half")
    assert (run.status, run.cause) == ("fail", "parameters-unchanged")
    assert run.message == "training never changed 0.weight, 0.bias"
    assert run.loss_last is not None
    assert run.loss_bound is not None
    assert run.loss_last < run.loss_bound
    assert run.threads == "1"  # as the environment has it
