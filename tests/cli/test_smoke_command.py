"""`envkit smoke` with real PyTorch and TensorFlow, and without."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

Envkit = Callable[..., Any]


def test_both_models_train_in_both_frameworks(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("smoke", "--python", cpu_stack, "--format", "json")
    assert (ran.status, ran.err) == (0, "")
    report = ran.json
    assert (report["schema"], report["status"]) == ("envkit.smoke/2", "healthy")
    assert report["python"] == str(cpu_stack)
    runs = {(run["framework"], run["model"]): run for run in report["runs"]}
    frameworks = ("torch", "tensorflow", "jax")
    assert set(runs) == {(framework, model) for framework in frameworks for model in ("mlp", "cnn")}
    for run in runs.values():
        assert (run["status"], run["device"], run["device_used"], run["dtype"]) == ("pass", "cpu", "cpu", "float32")
        checks = {check["check"] for check in run["checks"]} - {"repetition"}
        assert checks == {"gradient", "trajectory", "optimizer", "device"}
        assert all(check["status"] == "pass" for check in run["checks"])
        assert run["precision_seen"] == "float32"
        assert min(run["steps_per_second"], run["import_seconds"], run["train_seconds"]) > 0
        assert run["peak_memory_bytes"] > 50 << 20


def test_one_framework_and_one_model_can_be_chosen(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("smoke", "--python", cpu_stack, "--framework", "torch", "--model", "mlp")
    assert (ran.status, ran.err) == (0, "")
    assert ran.first_line.startswith("✓ smoke: 1 of 1 runs computed what they should, in ")
    assert "PyTorch 2." in ran.out
    assert "steps/s" in ran.out
    assert "TensorFlow" not in ran.out


def test_a_gpu_that_is_not_there_is_never_passed_on_the_cpu(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit(
        *("smoke", "--python", cpu_stack, "--device", "cuda", "--framework", "torch", "--format", "json"),
    )
    assert ran.status == 1
    assert ran.json["status"] == "unhealthy"
    for run in ran.json["runs"]:
        assert (run["status"], run["cause"]) == ("fail", "device-missing")
        assert "cuda cannot be used" in run["message"]
        assert run["loss_last"] is None


def test_a_missing_framework_is_a_verdict_with_its_cause(envkit: Envkit, bare: Path) -> None:
    ran = envkit("smoke", "--python", bare, "--profile", "cpu", "--format", "json")
    assert ran.status == 1
    assert {run["cause"] for run in ran.json["runs"]} == {"framework-missing"}
    assert len(ran.json["runs"]) == 4


def test_nothing_to_train_is_no_pass_and_says_what_to_do(envkit: Envkit, bare: Path) -> None:
    ran = envkit("smoke", "--python", bare)
    assert (ran.status, ran.first_line) == (3, "? smoke: nothing was trained")
    assert "no framework is installed" in ran.err
    assert "envkit setup --profile cpu" in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--framework", "pytorch"], "--framework: 'pytorch' is not one of jax, tensorflow, torch"),
        (["--device", "gpu"], "--device: 'gpu' is not one of cpu, cuda"),
        (["--format", "xml"], "--format: 'xml' is not one of text, json"),
        (["--profile", "cpuu"], "did you mean `cpu`?"),
        (["--python", "/no/python"], "--python /no/python: no such file"),
        (["--model", "mpl"], "'mpl'"),
    ],
)
def test_an_unknown_value_is_one_line(envkit: Envkit, bare: Path, options: list[str], said: str) -> None:
    ran = envkit("smoke", "--python", bare, *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error()


def test_an_interpreter_that_crashes_is_no_pass(envkit: Envkit, program: Callable[[str], Path]) -> None:
    ran = envkit("smoke", "--python", program("kill -SEGV $$"), "--profile", "cpu", "--format", "json")
    assert ran.status in {1, 3}
    assert all("SIGSEGV" in run["message"] for run in ran.json["runs"])


def test_an_interpreter_that_crashes_is_told_as_that_without_a_profile(
    envkit: Envkit, program: Callable[[str], Path]
) -> None:
    ran = envkit("smoke", "--python", program("kill -SEGV $$"))
    assert ran.status == 3
    assert "SIGSEGV" in ran.out + ran.err


def test_ctrl_c_ends_it_with_130_and_leaves_no_child(environ: dict[str, str], cpu_stack: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "envkit", "smoke", "--python", str(cpu_stack)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def trainers() -> list[psutil.Process]:
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if child.memory_info().rss > 60 << 20]

    deadline = time.monotonic() + 30
    while not (children := trainers()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    time.sleep(0.2)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
