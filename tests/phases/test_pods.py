"""One image, started in pods with all, some and none of a machine's GPUs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from envkit.facts import Facts, ok
from envkit.facts.software import SetUp
from envkit.findings import Report
from envkit.phases.deferred import Deferred
from envkit.probes.allocation import kubernetes
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


UUIDS = ",".join(f"GPU-00000000-0000-4000-8000-00000000000{index}" for index in range(4))
CDI = ",".join(f"nvidia.com/gpu={index}" for index in range(4))


def handed_over(pod: Facts, value: str) -> Facts:
    """A pod with this NVIDIA_VISIBLE_DEVICES; "": without the variable, as where a device plugin passes nodes only."""
    variables = {"NVIDIA_VISIBLE_DEVICES": value} if value else {}
    assert pod.container.facts is not None
    container = ok(replace(pod.container.facts, nvidia_visible_devices=value or None))
    return replace(pod, container=container, allocation=ok(kubernetes(variables, "/nonexistent")))


@pytest.mark.parametrize("value", ["0,1,2,3", UUIDS, CDI, "all", "void", ""])
def test_four_gpus_are_as_good_however_they_were_handed_over(
    value: str, machine: Machine, built: Build, started: Start
) -> None:
    pod = machine("pod-with-4-of-8-gpus")
    _, left = built(pod, load("cuda12"), H100)
    assert started(handed_over(pod, value), left).status == "healthy"


@pytest.mark.parametrize("value", ["0", UUIDS, CDI, "all", "void", "none", ""])
@pytest.mark.parametrize("node", ["pod-allocated-1-sees-0", "cpu-server"])
def test_no_gpu_is_unhealthy_however_it_was_asked_for(
    value: str, node: str, machine: Machine, built: Build, started: Start
) -> None:
    pod = machine("pod-allocated-1-sees-0")
    assert pod.container.facts is not None
    if node == "cpu-server":
        elsewhere = ok(replace(pod.container.facts, host_nvidia_driver=None))
        pod = replace(machine(node), container=elsewhere, allocation=pod.allocation)
    _, left = built(machine("pod-with-4-of-8-gpus"), load("cuda12"), H100)
    assert started(handed_over(pod, value), left).status == "unhealthy"


@pytest.mark.parametrize(
    ("value", "status"), [("0,1", "healthy"), ("0", "healthy"), ("", "unhealthy"), ("-1", "unhealthy")]
)
def test_cuda_may_be_shown_fewer_but_not_none(
    value: str, status: str, machine: Machine, built: Build, started: Start
) -> None:
    pod = machine("pod-with-4-of-8-gpus")
    _, left = built(pod, load("cuda12"), H100)
    assert pod.python.facts is not None
    chosen = replace(pod, python=ok(replace(pod.python.facts, environment={"CUDA_VISIBLE_DEVICES": value})))
    assert started(chosen, left).status == status


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
