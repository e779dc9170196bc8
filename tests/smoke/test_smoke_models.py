"""The reference models in the real frameworks: they compute what float64 does; a broken training is told as that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.profile import SmokeRun
from envkit.smoke import framework
from envkit.smoke.run import smoke
from envkit.smoke.types import Event, RunResult, SmokeReport

FRAMEWORKS = ["torch", "tensorflow", "jax"]
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
def test_every_check_passes_and_says_by_how_much(report: SmokeReport, name: str, model: str) -> None:
    run = of(report, name, model)
    assert (run.status, run.cause) == ("pass", None), run.message
    assert (run.device_used, run.dtype, run.precision_seen) == ("cpu", "float32", "float32")
    repeated = {"repetition"} if (name, model) == ("torch", "mlp") else set()
    assert {check.check for check in run.checks} == {"gradient", "optimizer", "trajectory", "device"} | repeated
    for check in run.checks:
        if check.check not in {"device", "repetition"}:
            assert check.deviation is not None
            assert check.tolerance is not None
            assert 1e-9 < check.deviation < check.tolerance
    assert run.steps == len(run.losses) == len(run.losses_expected) == 20
    assert run.losses == pytest.approx(run.losses_expected, rel=1e-5)
    assert run.version
    for number in (run.steps_per_second, run.import_seconds, run.build_seconds, run.first_step_seconds):
        assert number is not None
        assert number > 0
    assert run.peak_memory_bytes is not None
    assert 100e6 < run.peak_memory_bytes < 8e9
    assert run.device_peak_memory_bytes is None
    assert report.agreement == []


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
    told = [event for event in events if (event.framework, event.device, event.model) == ("torch", "cpu", "mlp")]
    stages = list(dict.fromkeys(event.stage for event in told))
    assert stages == ["device", "build", "gradient", "first-step", "train", "optimizer", "done"]
    steps = [(event.step, event.loss) for event in told if event.stage == "train"]
    assert steps[0] == (1, of(report, "torch", "mlp").loss_first)
    imported = [event.framework for event in events if event.stage == "import"]
    assert sorted(imported) == ["tensorflow"] * 2 + ["torch"] * 3  # once for each device
    results = [event.result for event in events if event.stage == "done"]
    assert sorted(map(repr, results)) == sorted(map(repr, report.runs))


@pytest.mark.heavy
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_model_is_right_eager_and_compiled(cpu_stack: Path, name: str, precision: str) -> None:
    models = ["mlp", "cnn", "lstm", "transformer"]
    runs = [SmokeRun(framework=name, models=models)]  # type: ignore[arg-type]
    report = smoke(str(cpu_stack), runs, variants=["eager", "compiled"], precisions=[precision])  # type: ignore[list-item]
    wrong = {(run.model, run.variant): run.message for run in report.runs if run.status != "pass"}
    if name == "torch":  # its compiler loses a gradient on the CPU; see the test below
        wrong.pop(("cnn", "compiled"), None)
    assert wrong == {}
    assert len(report.runs) == 8


@pytest.mark.heavy
def test_a_gradient_that_torch_compile_loses_is_named_and_eager_is_right(cpu_stack: Path) -> None:
    runs = [SmokeRun(framework="torch", models=["cnn"])]
    report = smoke(str(cpu_stack), runs, variants=["eager", "compiled"])
    eager, compiled = report.runs
    assert eager.status == "pass"
    if compiled.version != "2.13.0+cpu":
        pytest.skip(f"known of PyTorch 2.13.0, this is {compiled.version}")
    assert (compiled.status, compiled.cause) == ("fail", "wrong-gradient")
    assert "conv2.kernel" in compiled.message
    assert "max pool" in compiled.message
    assert "torch (compiled) alone is wrong, torch (eager) right here" in report.agreement[0]


# What is wrong with these: a learning rate that is off by 1 %; one that overflows; a first layer that never learns.
BROKEN = """
CASES["mlp"] = lambda seed: mlp(seed)._replace(optimizer=Optimizer("adam", 0.00101))
CASES["cnn-smooth"] = lambda seed: cnn_smooth(seed)._replace(optimizer=Optimizer("sgd", 1e38, momentum=0.9))
"""


@pytest.fixture(scope="module")
def broken(cpu_stack: Path) -> SmokeReport:
    whole = framework.read_sources

    def sources(name: str) -> dict[str, str]:
        text = whole(name)
        models = text["models"].replace(
            "self.dense = nn.Linear(16, 1)", "self.dense = nn.Linear(16, 1).requires_grad_(False)"
        )
        return {**text, "cases": text["cases"] + BROKEN, "models": models}

    runs = [SmokeRun(framework="torch", models=["mlp", "cnn", "lstm"]), SmokeRun(framework="tensorflow")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framework, "read_sources", sources)
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        return smoke(str(cpu_stack), runs, memory_available_bytes=8 << 30, env=env)


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_learning_rate_that_is_off_by_a_hundredth_fails(broken: SmokeReport, name: str) -> None:
    run = of(broken, name, "mlp")
    assert (run.status, run.cause) == ("fail", "wrong-trajectory")
    assert {check.check: check.status for check in run.checks if check.check != "repetition"} == {
        "gradient": "pass",
        "trajectory": "fail",
        "device": "pass",
        "optimizer": "pass",  # its own numbers are not those of the case
    }


@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_loss_that_overflows_fails(broken: SmokeReport, name: str) -> None:
    run = of(broken, name, "cnn")
    assert (run.status, run.cause, run.loss_last) == ("fail", "loss-not-finite", None)
    assert run.loss_first is not None
    assert run.steps is not None
    assert 1 < run.steps < 20


def test_a_layer_that_never_learns_is_named(broken: SmokeReport) -> None:
    run = of(broken, "torch", "lstm")
    assert (run.status, run.cause) == ("fail", "wrong-gradient")
    assert "dense.kernel" in run.message
    assert run.threads == "1"  # as the environment has it
