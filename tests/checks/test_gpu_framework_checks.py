"""Checks of driver versions and GPU architectures against the frameworks' builds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import driver_version, gpu_arch
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.machine import System
from envkit.facts.software import Jax, Tensorflow, Torch, TorchDeep
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

ANY, CPU, NO_FACTS, KNOWLEDGE = Profile(), Profile(name="cpu"), Facts(), Knowledge()
TORCH_12, TORCH_13 = Torch(version="2.10.0+cu128", cuda="12.8"), Torch(version="2.14.1+cu130", cuda="13.0")
TENSORFLOW = Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1")
UBUNTU, WSL = (Facts(system=ok(s)) for s in (System(distribution_id="ubuntu"), System(wsl=True)))


def cuda_profile(**requires: Any) -> Profile:
    return Profile(name="p", requires=Requires(accelerator="nvidia", **requires))


def driver(version: str, cuda: str | None = None) -> Nvidia:
    return Nvidia(driver_version=version, cuda_driver_version=cuda)


def gpus(*capabilities: str | None, cuda: str = "13.0") -> Nvidia:
    found = [NvidiaGpu(index=i, name="GPU", compute_capability=c) for i, c in enumerate(capabilities)]
    return Nvidia(gpus=found, cuda_driver_version=cuda)


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_driver_too_old_for_profile_fires_and_names_a_driver_to_install() -> None:
    profile = cuda_profile(driver=">=525.60.13")
    nvidia = driver("470.57.02", "11.4")
    facts = Facts(system=UBUNTU.system, nvidia=ok(nvidia))
    finding = one(driver_version.driver_too_old_for_profile(nvidia, profile, KNOWLEDGE, facts))
    assert finding.status == "fail"
    assert finding.remedy is not None
    assert finding.remedy.commands[-1] == ["sudo", "ubuntu-drivers", "install", "nvidia:580"]
    assert finding.remedy.text.endswith(
        ": profile p needs 525.60.13 or newer, and 580, NVIDIA's long-term branch, gets fixes until 2028-06"
    )


def test_driver_too_old_for_profile_near_miss() -> None:
    profile = cuda_profile(driver=">=525.60.13")
    for nvidia, facts in ((driver("525.60.13"), NO_FACTS), (Nvidia(), NO_FACTS), (driver("512.1"), WSL)):
        assert not list(driver_version.driver_too_old_for_profile(nvidia, profile, KNOWLEDGE, facts))


@pytest.mark.parametrize("nvidia", [driver("570.26", "12.8"), driver("570.26")])
def test_driver_too_old_for_torch_fires(nvidia: Nvidia) -> None:
    finding = one(driver_version.driver_too_old_for_torch(TORCH_13, nvidia, NO_FACTS, ANY, KNOWLEDGE))
    assert finding.status == "fail"
    assert "580.65.06" in finding.evidence[1]


@pytest.mark.parametrize(
    ("torch", "nvidia"),
    [
        (TORCH_12, driver("525.60.13", "12.0")),
        (TORCH_12, driver("525.60.13")),
        (TORCH_13, driver("580.65.06", "13.0")),
        (Torch(version="2.13.0+cpu"), driver("470.57.02", "11.4")),
        (TORCH_13, Nvidia()),
    ],
)
def test_driver_too_old_for_torch_near_miss(torch: Torch, nvidia: Nvidia) -> None:
    assert not list(driver_version.driver_too_old_for_torch(torch, nvidia, NO_FACTS, ANY, KNOWLEDGE))
    assert not list(
        driver_version.driver_too_old_for_torch(TORCH_13, driver("470.1", "11.4"), NO_FACTS, CPU, KNOWLEDGE)
    )


@pytest.mark.parametrize(("cuda", "facts"), [("99.0", NO_FACTS), ("13.0", WSL)])
def test_a_cuda_that_no_table_knows_is_no_failure(cuda: str, facts: Facts) -> None:
    torch = Torch(version="9.0.0", cuda=cuda)
    found = driver_version.driver_too_old_for_torch(torch, driver("470.57.02"), facts, ANY, KNOWLEDGE)
    assert one(found).status == "unknown"


def test_driver_too_old_for_tensorflow_fires() -> None:
    nvidia = driver("470.57.02", "11.4")
    found = driver_version.driver_too_old_for_tensorflow(TENSORFLOW, nvidia, NO_FACTS, ANY, KNOWLEDGE)
    assert one(found).status == "fail"


def test_driver_too_old_for_tensorflow_near_miss() -> None:
    plain = Tensorflow(version="2.21.0", cuda_build=False)
    check = driver_version.driver_too_old_for_tensorflow
    assert not list(check(plain, driver("470.57.02", "11.4"), NO_FACTS, ANY, KNOWLEDGE))
    assert not list(check(TENSORFLOW, driver("535.54.03", "12.2"), NO_FACTS, ANY, KNOWLEDGE))


JAX_12, JAX_13 = (Jax(version="0.10.2", plugins={f"jax-cuda{n}-plugin": "0.10.2"}) for n in (12, 13))


def test_driver_too_old_for_jax_fires() -> None:
    found = driver_version.driver_too_old_for_jax(JAX_13, driver("570.26", "12.8"), NO_FACTS, ANY, KNOWLEDGE)
    assert one(found).status == "fail"


def test_driver_too_old_for_jax_near_miss() -> None:
    check = driver_version.driver_too_old_for_jax
    assert not list(check(JAX_12, driver("570.26", "12.8"), NO_FACTS, ANY, KNOWLEDGE))
    assert not list(check(Jax(version="0.10.2"), driver("470.57.02", "11.4"), NO_FACTS, ANY, KNOWLEDGE))


def test_driver_minor_compatibility_fires() -> None:
    check = driver_version.driver_minor_compatibility
    finding = one(check(TORCH_12, driver("535.54.03", "12.2"), ANY, KNOWLEDGE, NO_FACTS))
    assert finding.status == "warn"
    assert "570.26" in finding.evidence[1]


def test_driver_minor_compatibility_near_miss() -> None:
    check = driver_version.driver_minor_compatibility
    for torch, cuda in ((TORCH_12, "12.8"), (TORCH_12, "13.0"), (TORCH_13, "12.8")):
        assert not list(check(torch, driver("600.1", cuda), ANY, KNOWLEDGE, NO_FACTS))
    for torch, profile in ((TORCH_12, CPU), (Torch(version="2.13.0+cpu"), ANY)):
        assert not list(check(torch, driver("535.54.03", "12.2"), profile, KNOWLEDGE, NO_FACTS))


def test_gpu_arch_below_profile_fires_for_that_gpu_only() -> None:
    found = gpu_arch.gpu_arch_below_profile(gpus("6.1", "8.6"), cuda_profile(compute_capability=">=7.0"), KNOWLEDGE)
    assert one(found).subject == "GPU 0, GPU"


def test_gpu_arch_below_profile_near_miss() -> None:
    profile = cuda_profile(compute_capability=">=7.0")
    assert not list(gpu_arch.gpu_arch_below_profile(gpus("7.0", "12.0", None), profile, KNOWLEDGE))


DEEP = Facts(torch_deep=ok(TorchDeep(imported=True, arch_list=["sm_75", "sm_90a", "compute_120"])))


@pytest.mark.parametrize(
    ("torch", "nvidia", "facts", "status"),
    [
        (TORCH_12, gpus("6.1"), NO_FACTS, "fail"),
        (TORCH_13, gpus("7.0"), NO_FACTS, "fail"),
        (TORCH_12, gpus("6.1"), DEEP, "fail"),
        (TORCH_13, gpus("15.0"), NO_FACTS, "warn"),  # PTX only
        (TORCH_13, gpus("15.0", cuda="12.8"), NO_FACTS, "fail"),  # PTX that this driver cannot compile
        (Torch(version="99.0.0+cu130", cuda="13.0"), gpus("9.0"), NO_FACTS, "unknown"),
        (Torch(version="2.6.0a0+abc.nv25.01", cuda="12.8"), gpus("9.0"), NO_FACTS, "unknown"),
    ],
)
def test_gpu_arch_not_in_torch_fires(torch: Torch, nvidia: Nvidia, facts: Facts, status: str) -> None:
    assert one(gpu_arch.gpu_arch_not_in_torch(nvidia, torch, facts, ANY, KNOWLEDGE)).status == status


@pytest.mark.parametrize(
    ("torch", "nvidia", "facts"),
    [
        (TORCH_12, gpus("7.0", "8.9", "10.3", "12.1"), NO_FACTS),
        (TORCH_12, gpus(None), NO_FACTS),
        (TORCH_12, gpus("7.5", "9.0"), DEEP),
        (Torch(version="2.13.0+cpu"), gpus("6.1"), NO_FACTS),
    ],
)
def test_gpu_arch_not_in_torch_near_miss(torch: Torch, nvidia: Nvidia, facts: Facts) -> None:
    assert not list(gpu_arch.gpu_arch_not_in_torch(nvidia, torch, facts, ANY, KNOWLEDGE))
    assert not list(gpu_arch.gpu_arch_not_in_torch(gpus("6.1"), TORCH_12, facts, CPU, KNOWLEDGE))


@pytest.mark.parametrize(("version", "capability"), [("2.20.0", "12.0"), ("2.20.0", "5.2")])
def test_gpu_arch_not_in_tensorflow_fires(version: str, capability: str) -> None:
    tensorflow = Tensorflow(version=version, cuda_build=True, cuda="12.5.1")
    assert one(gpu_arch.gpu_arch_not_in_tensorflow(gpus(capability), tensorflow, ANY, KNOWLEDGE)).status == "fail"


def test_gpu_arch_not_in_tensorflow_near_miss() -> None:
    check = gpu_arch.gpu_arch_not_in_tensorflow
    assert not list(check(gpus("6.0", "7.5", "8.6", "9.0"), TENSORFLOW, ANY, KNOWLEDGE))
    newer = Tensorflow(version="2.99.0", cuda_build=True)
    assert one(check(gpus("12.0"), newer, ANY, KNOWLEDGE)).status == "unknown"


def test_gpu_arch_not_in_jax_fires() -> None:
    assert one(gpu_arch.gpu_arch_not_in_jax(gpus("7.0"), JAX_13, ANY, KNOWLEDGE)).status == "fail"


def test_gpu_arch_not_in_jax_near_miss() -> None:
    assert not list(gpu_arch.gpu_arch_not_in_jax(gpus("7.0"), JAX_12, ANY, KNOWLEDGE))
    assert not list(gpu_arch.gpu_arch_not_in_jax(gpus("7.5"), JAX_13, ANY, KNOWLEDGE))
