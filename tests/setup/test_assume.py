"""What is assumed of a machine that is not here, and the facts as they would be there."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import discover
from envkit.doctor import examine
from envkit.errors import InputError
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Amd, Nvidia, NvidiaGpu
from envkit.facts.cluster import Allocation
from envkit.facts.machine import Container, KernelLog, KernelMessage, System
from envkit.facts.software import Python
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires
from envkit.setup.choosing.assume import assumed, notes, parse, spoken

KNOWLEDGE, GIB = Knowledge(), 1 << 30
SYSTEM = System(os="linux", architecture="x86_64", libc="glibc", libc_version="2.39")


def failing(facts: Facts, **requires: Any) -> list[Finding]:
    profile = Profile(name="p", requires=Requires(accelerator="nvidia", **requires))
    report = examine(facts, profile, KNOWLEDGE, discover(), select=("accelerators", "container"))
    return [finding for finding in report.findings if finding.status in {"fail", "warn", "crash"}]


def on_builder(text: str, **sections: Any) -> Facts:
    return assumed(Facts(system=ok(SYSTEM), **sections), parse(text, KNOWLEDGE), KNOWLEDGE)


def test_a_named_gpu_tells_its_compute_capability() -> None:
    assert parse("driver=570, gpu=H100 ,gpus=8", KNOWLEDGE) == {
        "driver": "570",
        "cc": "9.0",
        "gpu": "H100",
        "gpus": "8",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is nothing to assume"),
        ("drver=570", "did you mean 'driver'?"),
        ("driver=570,driver=580", "driver is said twice"),
        ("driver=12.8", "driver=12.8 is no version of an NVIDIA driver"),
        ("driver=new", "driver=new is no version"),
        ("cc=90", "cc=90 is no compute capability"),
        ("gpus=0", "gpus=0 is no number of GPUs"),
        ("gpus=99999", "gpus=99999 is no number of GPUs"),
        ("gpu=H1000", "did you mean H100 80GB HBM3"),
        ("gpu=RTX 4000", "could be Quadro RTX 4000 or RTX 4000 Ada Generation"),
        ("gpu=", "gpu= is no GPU that envkit knows"),
        ("cc=8.0,gpu=H100", "cc=8.0, but the H100 has compute capability 9.0"),
    ],
)
def test_what_cannot_be_assumed_is_said_and_what_can(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, KNOWLEDGE)
    assert said in caught.value.message
    assert "--assume " in caught.value.hint


def test_a_machine_is_judged_as_the_one_that_is_assumed() -> None:
    facts = on_builder("driver=570,gpu=H100,gpus=2", nvidia=absent("no NVIDIA device"))
    assert failing(facts, driver=">=570.26", compute_capability=">=9.0", accelerators_min=2) == []
    assert [f.check for f in failing(facts, driver=">=580.65.06")] == ["driver-too-old-for-profile"]
    assert [f.check for f in failing(facts, compute_capability="<9")] == ["gpu-arch-below-profile"] * 2
    assert [f.check for f in failing(facts, accelerators_min=8)] == ["gpu-count-below-profile"]


@pytest.mark.parametrize(
    ("driver", "floor", "met"),
    [
        ("570", ">=570.124.06", True),
        ("570", ">=575.51.03", False),
        ("570.26", ">=570.124.06", False),
        ("570", "<575", True),
    ],
)
def test_a_bare_branch_meets_each_floor_within_it(driver: str, floor: str, met: bool) -> None:
    assert (failing(on_builder(f"driver={driver},cc=9.0"), driver=floor) == []) is met


def test_what_is_not_assumed_is_not_known() -> None:
    nvidia = on_builder("cc=9.0").nvidia.facts
    assert nvidia is not None
    assert nvidia.driver_version is nvidia.cuda_driver_version is nvidia.libcuda_version is None
    assert nvidia.gpus == [NvidiaGpu(index=0, compute_capability="9.0")]
    (named,) = (on_builder("gpu=B200,driver=570").nvidia.facts or nvidia).gpus or []
    assert (named.compute_capability, named.memory_total_bytes) == ("10.0", 180 * GIB)


def test_nothing_of_the_builder_is_taken_for_the_machine() -> None:
    text = "NVRM: API mismatch: the client has the version 570.1, but this kernel module has the version 535.1."
    facts = on_builder(
        "driver=570,gpu=H100",
        nvidia=ok(Nvidia(module_version="470.1", module_loaded=True, driver_version="470.1", gpus=[])),
        amd=ok(Amd()),
        container=ok(Container(host_nvidia_driver="470.1", nvidia_device_nodes=0, nvidia_visible_devices="void")),
        allocation=ok(Allocation(scheduler="slurm", gpus=0)),
        kernel_log=ok(KernelLog(messages=[KernelMessage(kind="driver-mismatch", text=text)])),
        python=ok(Python(executable="python", version="3.12.1", environment={"CUDA_VISIBLE_DEVICES": ""})),
    )
    assert failing(facts, driver=">=525.60.13") == []
    assert facts.amd.outcome == "absent"
    assert facts.container.facts == Container()
    assert facts.python.facts is not None
    assert facts.python.facts.environment == {}


def test_gpus_of_the_builder_that_contradict_are_named() -> None:
    assumptions = parse("driver=570,gpu=H100,gpus=8", KNOWLEDGE)
    (note,) = notes(Facts(nvidia=absent("none")), assumptions, KNOWLEDGE)
    assert note.endswith("8 NVIDIA GPUs (H100), compute capability 9.0, driver 570")
    t4 = NvidiaGpu(index=0, name="Tesla T4", compute_capability="7.5")
    other = Facts(nvidia=ok(Nvidia(gpus=[t4, t4], driver_version="535.183.06")))
    assert notes(other, assumptions, KNOWLEDGE)[1:] == [
        "this machine has Tesla T4, driver 535.183.06; what is assumed counts"
    ]
    h100 = NvidiaGpu(index=0, name="NVIDIA H100 PCIe", compute_capability="9.0")
    same = Facts(nvidia=ok(Nvidia(gpus=[h100], driver_version="570.124.06")))
    assert notes(same, assumptions, KNOWLEDGE)[1:] == []


def test_a_branch_is_spoken_of_as_it_was_given() -> None:
    (finding,) = failing(on_builder("driver=570,cc=9.0"), driver=">=580.65.06")
    assert spoken(finding.message) == "driver 570 is too old: profile p needs >=580.65.06"
    assert spoken("driver 570.124.06") == "driver 570.124.06"
