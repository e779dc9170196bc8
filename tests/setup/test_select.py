"""Which profile is chosen for which machine, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts, absent, decode, ok, unknown
from envkit.facts.accelerators import Amd, AmdGpu, Apple, Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.machine import System
from envkit.findings import Report
from envkit.formats import Style
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires, SmokeRun, load
from envkit.setup.choosing.assume import assumed, parse
from envkit.setup.choosing.select import Choice, choose, render

KNOWLEDGE, CHECKS = Knowledge(), discover()
MACHINES = Path(__file__).parents[1] / "machines"
NAMES = ("apple", "cpu", "cuda12", "cuda12-tensorflow", "cuda12-torch", "cuda13", "rocm", "tpu")
PROFILES = {name: load(name) for name in NAMES}
LINUX = System(os="linux", architecture="x86_64", libc="glibc", libc_version="2.39")
NOTHING: dict[str, Any] = {kind: absent("looked for") for kind in ("nvidia", "amd", "tpu", "apple", "intel")}


def judge_of(facts: Facts) -> Callable[[Profile], Report]:
    return lambda p: examine(facts, p, KNOWLEDGE, CHECKS, select=("machine", "accelerators", "container"))


def chosen(facts: Facts, profiles: dict[str, Profile] = PROFILES, python: str = "") -> Choice:
    return choose(facts, profiles, judge_of(facts), KNOWLEDGE, python=python)


def machine(system: System = LINUX, **sections: Any) -> Facts:
    return Facts(system=ok(system), **{**NOTHING, **sections})


def with_gpu(name: str, capability: str, driver: str, cuda: str, system: System = LINUX) -> Facts:
    gpu = NvidiaGpu(index=0, name=name, compute_capability=capability)
    nvidia = Nvidia(nvml=Nvml(outcome="ok"), gpus=[gpu], driver_version=driver, cuda_driver_version=cuda)
    return machine(system, nvidia=ok(nvidia))


@pytest.mark.parametrize(
    ("name", "best", "reasons"),
    [
        ("driver-too-old-for-cuda13", "cuda12", {"cuda13": "needs driver >= 580.65.06, this is 550.54.15"}),
        ("cpu-server", "cpu", {"cuda12": "needs an NVIDIA GPU, there is none", "apple": "needs macOS, this is Linux"}),
        ("h100x8", "cuda12", {"cpu": "would leave 8 NVIDIA H100 80GB HBM3 idle"}),
        ("b200-with-tensorflow", "cuda13", {"cuda12-torch": "has CUDA 12.8, cuda13 13.0"}),
        ("b200-with-tensorflow", "cuda13", {"cuda12": "TensorFlow 2.20.0 has no code for compute capability 10.0"}),
        ("wsl2-rtx4080", "cuda12", {"cuda13": "needs a driver with CUDA 13, this one has 12.6"}),
        ("mi300x8", "rocm", {"cpu": "would leave 8 AMD Instinct MI300X OAM idle"}),
        ("tpu-v5e-held-by-another-user", "tpu", {"cpu": "would leave the TPU idle"}),
        ("p100-with-torch-2-10", "cuda12-tensorflow", {"cuda13": "needs compute capability >= 7.5, "}),
        ("mac-with-macos-13", "", {"apple": "PyTorch 2.14.1 needs macOS 14.0 for the GPU, this is 13.6.7"}),
        ("container-without-gpu", "", {"cuda12": "no GPU was passed into this container", "cpu": "idle"}),
        ("slurm-job-without-gpu", "", {"cuda12": "Slurm gave this job no GPU", "cpu": "idle"}),
        ("a10-without-driver", "", {"cuda12": "the NVIDIA kernel driver is not loaded", "cpu": "idle"}),
        ("driver-hangs", "", {"cuda12": "the NVIDIA driver does not answer", "cpu": "idle"}),
        ("h100x8-one-gpu-lost", "", {"cuda12": "GPU 3: the GPU has fallen off the bus", "cpu": "idle"}),
        ("arc-a770-with-cuda-build", "", {"cpu": "would leave the Arc A770 idle"}),
        ("pod-with-tight-limits", "", {"cpu": "memory is limited to 2.0 GiB, needs 4.0 GiB"}),
    ],
)
def test_a_machine_gets_the_profile_that_suits_it(name: str, best: str, reasons: dict[str, str]) -> None:
    choice = chosen(decode((MACHINES / name / "facts.json").read_bytes(), name))
    assert choice.best == best
    assert set(choice.others) == set(NAMES) - {best}
    assert all(choice.others.values())
    for other, reason in reasons.items():
        assert reason in choice.others[other]


@pytest.mark.parametrize("path", sorted(MACHINES.glob("*/facts.json")), ids=lambda path: path.parent.name)
def test_the_cpu_is_never_chosen_beside_an_accelerator(path: Path) -> None:
    facts = decode(path.read_bytes(), path.parent.name)
    sections = (facts.nvidia, facts.amd, facts.tpu, facts.apple, facts.intel)
    if any(section.outcome == "ok" for section in sections):
        choice = chosen(facts)
        assert choice.best != "cpu"
        assert choice.best or choice.advice


def test_volta_gets_the_profile_with_code_for_it_and_not_the_newest_cuda() -> None:
    choice = chosen(with_gpu("Tesla V100-SXM2-16GB", "7.0", "580.95.05", "13.0"))
    assert choice.best == "cuda12"
    assert choice.others["cuda13"] == "needs compute capability >= 7.5, the Tesla V100-SXM2-16GB has 7.0"


def test_blackwell_on_a_driver_before_cuda_13_gets_what_trains_there() -> None:
    choice = chosen(with_gpu("NVIDIA GeForce RTX 5090", "12.0", "570.124.06", "12.8"))
    assert choice.best == "cuda12-torch"
    assert choice.others["cuda12"] == "TensorFlow 2.20.0 has no code for compute capability 12.0"


def test_a_gpu_that_is_too_old_for_every_profile_is_no_reason_to_take_the_cpu() -> None:
    choice = chosen(with_gpu("Tesla M60", "5.2", "570.124.06", "12.8"))
    assert choice.best == ""
    assert choice.why == "none can use the Tesla M60 as things are"
    assert choice.others["cuda12"] == "needs compute capability >= 7.0, the Tesla M60 has 5.2"
    assert choice.advice.endswith("to train on the CPU all the same: envkit setup --profile cpu")


def test_a_gpu_that_could_not_be_asked_is_not_taken_for_none() -> None:
    choice = chosen(machine(nvidia=unknown("NVML did not answer")))
    assert choice.best == ""
    assert choice.others["cpu"] == "whether there is an NVIDIA GPU is unknown: NVML did not answer"
    assert chosen(machine()).best == "cpu"


def test_a_gpu_held_by_nobody_is_seen_on_the_bus() -> None:
    device = PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2330")
    choice = chosen(machine(nvidia=ok(Nvidia(pci_devices=[device], module_loaded=False))))
    assert choice.best == ""
    assert choice.others["cuda13"] == "the NVIDIA kernel driver is not loaded"
    assert choice.advice.startswith("`envkit doctor --profile cuda12` says what to do about it")


def test_no_profile_is_for_an_arm_server_with_an_nvidia_gpu() -> None:
    arm = System(os="linux", architecture="aarch64", libc="glibc", libc_version="2.39")
    choice = chosen(with_gpu("NVIDIA GH200 480GB", "9.0", "580.95.05", "13.0", arm))
    assert (choice.best, choice.others["cuda12"]) == ("", "needs x86_64, this is aarch64")
    assert chosen(machine(arm)).best == "cpu"


def test_an_apple_gets_its_own_profile() -> None:
    mac = System(os="darwin", architecture="arm64")
    assert chosen(machine(mac, apple=ok(Apple(chip="Apple M3", macos_version="15.1.1")))).best == "apple"


def test_the_gpu_inside_a_processor_is_not_trained_on_in_silence() -> None:
    inside = Amd(gpus=[AmdGpu(name="Raphael", gfx="gfx1036")])
    choice = chosen(machine(amd=ok(inside)))
    assert (choice.best, choice.others["rocm"]) == ("", "PyTorch 2.14.1+rocm7.2 has no code for gfx1036")


def test_python_and_the_c_library_count() -> None:
    assert chosen(machine(), python="3.14").others["cpu"] == "needs Python >= 3.10, < 3.14, 3.14 is asked for"
    assert chosen(machine(), python="3.12").best == "cpu"
    old = System(os="linux", architecture="x86_64", libc="glibc", libc_version="2.17")
    assert chosen(machine(old)).others["cpu"] == "needs glibc >= 2.28, this is 2.17"
    alpine = System(os="linux", architecture="x86_64", libc="musl", libc_version="1.2.5")
    assert chosen(machine(alpine)).others["cpu"] == "needs glibc >= 2.28, this system has musl"


def test_a_profile_of_the_users_own_is_weighed_like_the_others() -> None:
    runs = [SmokeRun(framework=name, device="cuda") for name in ("torch", "tensorflow", "jax")]
    mine = Profile(name="mine", requires=Requires(accelerator="nvidia", cuda="12.8"), smoke=list(runs))
    facts = with_gpu("NVIDIA L4", "8.9", "570.124.06", "12.8")
    choice = chosen(facts, {**PROFILES, "mine": mine})
    assert choice.best == "mine"
    assert choice.others["cuda12"] == "trains only PyTorch and TensorFlow there, mine PyTorch, TensorFlow and JAX"
    twin = chosen(facts, {"cuda12": PROFILES["cuda12"], "twin": PROFILES["cuda12"]})
    assert twin.others == {"twin": "serves as well as cuda12, which comes first by name"}


def test_what_is_assumed_is_what_is_chosen_for() -> None:
    assumptions = parse("driver=570,gpu=H100", KNOWLEDGE)
    choice = chosen(assumed(machine(), assumptions, KNOWLEDGE))
    assert (choice.best, choice.why) == ("cuda12", "trains PyTorch and TensorFlow on the H100, CUDA 12.8")
    assert choice.others["cuda13"] == "needs driver >= 580.65.06, this is 570"


def test_the_choice_is_printed_in_a_line_for_each_profile() -> None:
    choice = Choice(
        "cuda12", "trains PyTorch on the L4", {"cuda13": "needs driver >= 580", "cpu": "would " + "x " * 60}
    )
    lines = render(choice, Style(width=60)).splitlines()
    assert lines[:2] == ["✓ Profile cuda12: trains PyTorch on the L4", "  cuda13:  needs driver >= 580"]
    assert lines[2].startswith("  cpu:     would x")
    assert lines[3].startswith("           x")
    assert max(map(len, lines)) <= 60
    assert render(Choice("", "none suits this machine"), Style()).startswith("✗ No profile was chosen: none suits")
