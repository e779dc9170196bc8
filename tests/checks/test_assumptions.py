"""An environment that was made for an assumed machine, when it first meets a GPU."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import discover
from envkit.checks.assumptions import environment_assumption_not_met, older
from envkit.doctor import examine
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml
from envkit.facts.machine import System
from envkit.facts.software import Python, SetUp, Torch
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

KNOWLEDGE = Knowledge()
PROFILE = Profile(name="cuda12", requires=Requires(accelerator="nvidia"))
TORCH = Torch(version="2.10.0+cu128", cuda="12.8")  # code for 7.0 to 12.0
H100, A100 = ("NVIDIA H100 80GB HBM3", "9.0"), ("NVIDIA A100-SXM4-80GB", "8.0")


def environment(**assumptions: str) -> Python:
    made = SetUp(
        profile="cuda12", made_at="2026-11-26T08:00:00+00:00", verdict="judged", packages={}, assumptions=assumptions
    )
    return Python(executable="/srv/env/bin/python", version="3.12.1", setup=made)


def gpus(*models: tuple[str, str], driver: str = "570.124.06") -> Nvidia:
    found = [NvidiaGpu(index=i, name=name, compute_capability=number) for i, (name, number) in enumerate(models)]
    return Nvidia(nvml=Nvml(outcome="ok"), gpus=found, driver_version=driver)


def findings(python: Python, nvidia: Nvidia, profile: Profile = PROFILE, **sections: Any) -> list[Finding]:
    return list(environment_assumption_not_met(nvidia, python, Facts(**sections), profile, KNOWLEDGE))


def test_environment_assumption_not_met_fires_for_an_older_driver() -> None:
    (finding,) = findings(environment(driver="580", gpu="H100", cc="9.0"), gpus(H100))
    assert (finding.status, finding.message) == (
        "warn",
        "driver 570.124.06 is older than 580, which the environment was made for",
    )
    assert finding.evidence == ["assumed: driver=580, gpu=H100, cc=9.0"]
    assert finding.remedy is not None
    assert finding.remedy.commands == [["envkit", "setup", "--profile", "cuda12"]]


def test_environment_assumption_not_met_fires_for_another_gpu() -> None:
    python = environment(gpu="H100", cc="9.0")
    (finding,) = findings(python, gpus(H100, A100, A100), torch=ok(TORCH))
    assert (finding.status, finding.subject) == ("warn", "GPU 1, NVIDIA A100-SXM4-80GB")
    assert finding.message == "compute capability 8.0, the environment was made for 9.0"
    (finding,) = findings(python, gpus(("NVIDIA B200", "10.0")), torch=ok(TORCH))  # newer, and of another major
    assert finding.message == "compute capability 10.0, the environment was made for 9.0"
    (finding,) = findings(python, gpus(("NVIDIA H200", "9.0")))
    assert (finding.status, finding.message) == ("warn", "the environment was made for a GPU H100, this is NVIDIA H200")


@pytest.mark.parametrize("torch", [TORCH, Torch(version="9.9.0", cuda="12.8")], ids=["no code", "not known"])
def test_environment_assumption_not_met_fires_as_a_failure_where_code_may_be_missing(torch: Torch) -> None:
    (finding,) = findings(environment(cc="9.0"), gpus(("Tesla P100-PCIE-16GB", "6.0")), torch=ok(torch))
    assert finding.status == "fail"


@pytest.mark.parametrize(
    ("python", "nvidia"),
    [
        (environment(driver="570", gpu="H100", cc="9.0", gpus="8"), gpus(H100)),
        (environment(driver="570.26"), gpus(H100)),
        (environment(cc="8.0"), gpus(("NVIDIA A10", "8.6"))),  # runs code for 8.0
        (environment(gpu="RTX 4090"), gpus(("NVIDIA GeForce RTX 4090", "8.9"))),
        (environment(), gpus(A100, driver="470.1")),
        (Python(executable="python", version="3.12.1"), gpus(A100)),
    ],
)
def test_environment_assumption_not_met_near_miss(python: Python, nvidia: Nvidia) -> None:
    assert findings(python, nvidia) == []


def test_environment_assumption_not_met_near_miss_where_no_nvidia_gpu_is_wanted() -> None:
    assert findings(environment(driver="580"), gpus(H100), Profile(name="cpu")) == []


def test_environment_assumption_not_met_near_miss_with_a_driver_of_windows() -> None:
    wsl = System(os="linux", wsl=True)
    assert findings(environment(driver="570.124.06"), gpus(H100, driver="560.94"), system=ok(wsl)) == []


def test_without_a_gpu_it_is_left_for_later() -> None:
    python = environment(driver="580", cc="9.0")
    (finding,) = findings(python, Nvidia(module_loaded=False))
    assert finding.status == "skip"
    facts = Facts(python=ok(python), nvidia=absent("no NVIDIA device"))
    report = examine(facts, Profile(), KNOWLEDGE, discover(), select=("environment-assumption-not-met",))
    assert [f.status for f in report.findings] == ["skip"]


def test_a_check_that_names_the_reason_explains_it() -> None:
    facts = Facts(python=ok(environment(cc="9.0")), nvidia=ok(gpus(("Tesla P100", "6.0"))), torch=ok(TORCH))
    report = examine(facts, PROFILE, KNOWLEDGE, discover(), select=("accelerators", "frameworks", "profile"))
    (finding,) = (f for f in report.findings if f.check == "environment-assumption-not-met")
    assert (finding.status, finding.caused_by) == ("fail", "gpu-arch-not-in-torch")


@pytest.mark.parametrize(
    ("driver", "assumed", "is_older"),
    [
        ("570.86.15", "570", False),
        ("565.57.01", "570", True),
        ("570.86.15", "570.124.06", True),
        ("580.65.06", "570.124.06", False),
        ("570.86.15", "", False),
    ],
)
def test_a_branch_is_compared_with_branches(driver: str, assumed: str, is_older: bool) -> None:
    assert older(driver, assumed) is is_older
