"""One image, started in pods with all, some and none of a machine's GPUs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from envkit.facts import Facts, ok
from envkit.facts.software import SetUp
from envkit.findings import Report
from envkit.phases.deferred import Deferred
from envkit.profile import load

Machine = Callable[[str], Facts]
Build = Callable[..., tuple[Report, Deferred]]
Start = Callable[[Facts, Deferred], Report]

H100 = {"driver": "570", "cc": "9.0", "gpu": "H100"}


def test_an_image_for_a_gpu_is_good_where_there_is_none_and_claims_nothing_of_it(
    machine: Machine, built: Build
) -> None:
    report, left = built(machine("pod-with-4-of-8-gpus"), load("cuda12"), H100)
    assert report.status == "healthy"
    assert report.headline.startswith("the image is good with profile cuda12; ")
    assert report.headline.endswith(f"{len(left.checks)} checks wait for the machine")
    assert "container" not in report.summary
    of_devices = {"gpu-count-below-profile", "scheduler-no-gpu", "shm-small", "environment-assumption-not-met"}
    assert of_devices <= set(left.checks)
    assert {f.status for f in report.findings if f.check in of_devices} == {"skip"}
    assert "amd-gpu-missing" not in left.checks
    assert "amd" not in left.sections


def test_what_does_not_fit_the_machine_that_is_assumed_fails_the_build(machine: Machine, built: Build) -> None:
    report, _ = built(machine("pod-with-4-of-8-gpus"), load("cuda12"), {**H100, "driver": "470"})
    assert report.status == "unhealthy"
    assert "driver-too-old-for-profile" in {f.check for f in report.findings if f.status == "fail"}


def test_packages_that_do_not_match_fail_the_build(machine: Machine, built: Build) -> None:
    report, _ = built(machine("torn-install"), load("cuda12"), H100)
    assert report.status == "unhealthy"


@pytest.mark.parametrize(
    ("where", "trouble"),
    [
        ("h100x8", ""),
        ("pod-with-4-of-8-gpus", ""),
        ("pod-allocated-1-sees-0", "scheduler-no-gpu"),
        ("container-without-gpu", "container-without-gpu"),
        ("cpu-server", "nvidia-gpu-missing"),
    ],
)
def test_an_image_for_a_gpu_is_healthy_where_it_gets_what_it_asked_for(
    where: str, trouble: str, machine: Machine, built: Build, started: Start
) -> None:
    _, left = built(machine("pod-with-4-of-8-gpus"), load("cuda12"), H100)
    report = started(machine(where), left)
    assert report.status == ("unhealthy" if trouble else "healthy")
    assert next((f.check for f in report.findings if f.status == "fail"), "") == trouble


@pytest.mark.parametrize("where", ["cpu-server", "pod-with-4-of-8-gpus", "h100x8"])
def test_an_image_for_the_cpu_is_healthy_with_and_without_gpus(
    where: str, machine: Machine, built: Build, started: Start
) -> None:
    _, left = built(machine("cpu-server"), load("cpu"))
    report = started(machine(where), left)
    assert report.status == "healthy"
    assert not {"nvidia", "amd", "tpu"} & set(left.sections)
    assert "accelerators" not in report.summary


def test_what_was_assumed_is_compared_with_the_machine(machine: Machine, built: Build, started: Start) -> None:
    pod = machine("pod-with-4-of-8-gpus")
    assert pod.python.facts is not None
    made = SetUp(profile="cuda12", made_at="2026-11-26T08:14:24+00:00", verdict="judged", packages={})
    image = replace(pod, python=ok(replace(pod.python.facts, setup=made)))
    _, left = built(image, load("cuda12"), {"driver": "580", "cc": "9.0"})
    told = [f.message for f in started(pod, left).findings if f.check == "environment-assumption-not-met"]
    assert told == ["driver 570.172.08 is older than 580, which the environment was made for"]


def test_a_variable_that_the_start_sets_is_judged_there(machine: Machine, built: Build, started: Start) -> None:
    pod = machine("pod-with-4-of-8-gpus")
    _, left = built(pod, load("cuda12"), H100)
    assert pod.python.facts is not None
    set_there = replace(pod.python.facts, environment={"NCCL_P2P_DISABLE": "1"})
    report = started(replace(pod, python=ok(set_there)), left)
    assert "nccl-transport-disabled" in {f.check for f in report.findings if f.status == "warn"}
