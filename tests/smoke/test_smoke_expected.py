"""Which runs are expected of a machine, and the verdict on them together."""

from __future__ import annotations

import pytest

from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Amd, AmdGpu, Apple, Nvidia, NvidiaGpu
from envkit.facts.software import Tensorflow, Torch
from envkit.profile import Profile, SmokeRun
from envkit.smoke.expected import expected_runs
from envkit.smoke.types import RunResult, verdict

TORCH = ok(Torch(version="2.13.0"))
TENSORFLOW = ok(Tensorflow(version="2.21.0"))
NVIDIA = ok(Nvidia(gpus=[NvidiaGpu(index=0)]))
AMD = ok(Amd(gpus=[AmdGpu(gfx="gfx942")]))


def devices(facts: Facts) -> dict[str, str]:
    return {run.framework: run.device for run in expected_runs(Profile(), facts)}


def test_the_profile_decides() -> None:
    wanted = [SmokeRun(framework="jax", models=["cnn"], device="tpu")]
    assert expected_runs(Profile(smoke=wanted), Facts(torch=TORCH, nvidia=NVIDIA)) == wanted


def test_without_a_profile_what_is_installed_trains_both_models_on_the_cpu() -> None:
    both = expected_runs(Profile(), Facts(torch=TORCH, tensorflow=TENSORFLOW))
    assert both == [SmokeRun(framework="torch"), SmokeRun(framework="tensorflow")]
    assert both[0].models == ["mlp", "cnn"]
    assert devices(Facts(torch=absent("not installed"), tensorflow=TENSORFLOW)) == {"tensorflow": "cpu"}
    assert devices(Facts()) == {}


def test_a_gpu_that_answers_is_asked_for_even_of_a_cpu_build() -> None:
    assert devices(Facts(torch=TORCH, tensorflow=TENSORFLOW, nvidia=NVIDIA)) == {"torch": "cuda", "tensorflow": "cuda"}


@pytest.mark.parametrize("nvidia", [Nvidia(), Nvidia(gpus=[]), Nvidia(gpus=[NvidiaGpu(index=0, error="GPU_IS_LOST")])])
def test_a_gpu_that_does_not_answer_is_not(nvidia: Nvidia) -> None:
    assert devices(Facts(torch=TORCH, nvidia=ok(nvidia))) == {"torch": "cpu"}


def test_amd_gpus_are_asked_of_builds_for_rocm_only() -> None:
    assert devices(Facts(torch=ok(Torch(version="2.13.0", hip="7.2")), tensorflow=TENSORFLOW, amd=AMD)) == {
        "torch": "rocm",
        "tensorflow": "cpu",
    }
    assert devices(Facts(tensorflow=ok(Tensorflow(version="2.21.0", rocm_build=True)), amd=AMD)) == {
        "tensorflow": "rocm"
    }


def test_apple_silicon_is_asked_of_torch() -> None:
    apple = ok(Apple(chip="Apple M4"))
    assert devices(Facts(torch=TORCH, tensorflow=TENSORFLOW, apple=apple)) == {"torch": "mps", "tensorflow": "cpu"}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "unknown"),
        (["pass"], "healthy"),
        (["pass", "skip"], "healthy"),
        (["skip"], "unknown"),
        (["pass", "unknown"], "unknown"),
        (["pass", "fail"], "unhealthy"),
        (["pass", "unknown", "crash"], "unhealthy"),
    ],
)
def test_the_verdict_on_all_runs(statuses: list[str], expected: str) -> None:
    runs = [RunResult(framework="torch", model="mlp", device="cpu", status=status) for status in statuses]
    assert verdict(runs) == expected
