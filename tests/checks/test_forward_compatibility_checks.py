"""Compatibility packages: where they make a newer CUDA run, where they cannot, and where nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import driver_version, forward_compatibility, gpu_arch
from envkit.checks._compat import driver_of
from envkit.facts import Facts, ok
from envkit.facts.accelerators import CompatPackage, Nvidia, NvidiaGpu
from envkit.facts.machine import System
from envkit.facts.software import Jax, Tensorflow, Torch, TorchDeep
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

ANY, CPU, NO_FACTS, KNOWLEDGE = Profile(), Profile(name="cpu"), Facts(), Knowledge()
CUDA13 = Profile(name="cuda13", requires=Requires(accelerator="nvidia", driver=">=580.65.06"))
TORCH = Torch(version="2.14.1", cuda="13.0")
H100, A10, RTX = "NVIDIA H100 80GB HBM3", "NVIDIA A10", "NVIDIA GeForce RTX 4090"
FOLDER = "/usr/local/cuda-13.0/compat"


def machine(driver: str, cuda: str | None, compat: str | None = None, name: str = H100, **changes: Any) -> Nvidia:
    """A machine with one GPU; compat: the version of the package whose libcuda is loaded."""
    path = f"{FOLDER}/libcuda.so.{compat}" if compat else f"/usr/lib64/libcuda.so.{driver}"
    said: dict[str, Any] = {
        "driver_version": driver,
        "module_version": driver,
        "cuda_driver_version": cuda,
        "libcuda_path": path,
        "libcuda_version": compat or driver,
        "gpus": [NvidiaGpu(index=0, name=name)],
    }
    return Nvidia(**{**said, **changes})


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def too_old(nvidia: Nvidia, facts: Facts = NO_FACTS, torch: Torch = TORCH) -> list[Finding]:
    return list(driver_version.driver_too_old_for_torch(torch, nvidia, facts, ANY, KNOWLEDGE))


@pytest.mark.parametrize(
    "nvidia",
    [
        machine("580.95.05", "13.0", "570.86.10"),  # older than the driver
        machine("550.54.15", "13.0", "580.65.06", name=RTX),  # a desktop GPU
    ],
)
def test_cuda_compat_unsupported_fires(nvidia: Nvidia) -> None:
    finding = one(forward_compatibility.cuda_compat_unsupported(nvidia, NO_FACTS, ANY))
    assert finding.status == "fail"
    assert finding.evidence == [nvidia.libcuda_path]


def test_cuda_compat_unsupported_fires_where_cuda_itself_refuses_it() -> None:
    words = "RuntimeError: Error 804: forward compatibility was attempted on non supported HW"
    facts = Facts(torch_deep=ok(TorchDeep(imported=True, cuda_available=False, cuda_error=words)))
    workstation = machine("550.54.15", "13.0", "580.65.06", name="NVIDIA RTX A6000")
    finding = one(forward_compatibility.cuda_compat_unsupported(workstation, facts, ANY))
    assert finding.evidence[-1] == words


@pytest.mark.parametrize(
    "nvidia",
    [
        machine("550.54.15", "13.0", "580.65.06"),
        machine("550.54.15", "12.4"),
        machine("580.95.05", "13.0", "580.95.05", name=RTX),  # the driver's own, by another way
        machine("550.54.15", "13.0", "580.65.06", name="NVIDIA RTX A6000"),  # some of them may
    ],
)
def test_cuda_compat_unsupported_near_miss(nvidia: Nvidia) -> None:
    assert not list(forward_compatibility.cuda_compat_unsupported(nvidia, NO_FACTS, ANY))
    geforce = machine("550.54.15", "13.0", "580.65.06", name=RTX)
    assert not list(forward_compatibility.cuda_compat_unsupported(geforce, NO_FACTS, CPU))


@pytest.mark.parametrize("cuda", ["12.2", "13.0", None])  # NVML tells the CUDA of whichever libcuda it finds
@pytest.mark.parametrize("driver", ["535.183.01", "550.54.15", "570.133.20"])
def test_a_package_that_works_makes_no_driver_too_old(driver: str, cuda: str | None) -> None:
    nvidia = machine(driver, cuda, "580.95.05", name=A10)
    assert not too_old(nvidia)
    assert not list(driver_version.driver_minor_compatibility(TORCH, nvidia, ANY, KNOWLEDGE, NO_FACTS))
    assert not list(driver_version.driver_too_old_for_profile(nvidia, CUDA13, KNOWLEDGE, NO_FACTS))
    jax = Jax(version="0.12.0", plugins={"jax-cuda13-plugin": "0.12.0"})
    assert not list(driver_version.driver_too_old_for_jax(jax, nvidia, NO_FACTS, ANY, KNOWLEDGE))
    assert driver_of(nvidia, KNOWLEDGE) == ("580.95.05", "13.0", True)


def test_a_package_that_works_compiles_ptx_too() -> None:
    tensorflow = Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1")
    check = gpu_arch.gpu_arch_not_in_tensorflow
    assert one(check(machine("535.183.01", "12.2"), tensorflow, ANY, KNOWLEDGE)).status == "warn"
    assert not list(check(machine("535.183.01", "12.2", "570.86.10"), tensorflow, ANY, KNOWLEDGE))


def test_where_a_package_cannot_work_the_driver_itself_counts() -> None:
    geforce = machine("550.54.15", "13.0", "580.65.06", name=RTX)
    assert driver_of(geforce, KNOWLEDGE) == ("550.54.15", "12.4", True)
    assert one(too_old(geforce)).status == "fail"


@pytest.mark.parametrize(
    "nvidia",
    [
        machine("550.54.15", None, "580.65.06", name="NVIDIA RTX A6000"),
        machine("560.35.05", None, "580.65.06"),  # a branch that stands in no table
        machine("550.54.15", None, "580.65.06", gpus=None),
    ],
)
def test_where_nobody_knows_whether_a_package_works_neither_does_the_report(nvidia: Nvidia) -> None:
    finding = one(too_old(nvidia))
    assert finding.status == "unknown"
    assert FOLDER in finding.evidence[0]
    assert one(driver_version.driver_too_old_for_profile(nvidia, CUDA13, KNOWLEDGE, NO_FACTS)).status == "unknown"
    assert not list(driver_version.driver_minor_compatibility(TORCH, nvidia, ANY, KNOWLEDGE, NO_FACTS))


def advice(nvidia: Nvidia, facts: Facts = NO_FACTS) -> str:
    remedy = one(too_old(nvidia, facts)).remedy
    assert remedy is not None
    return remedy.text


def test_a_package_that_lies_unused_is_the_remedy() -> None:
    package = CompatPackage(path=f"{FOLDER}/libcuda.so.580.95.05", version="580.95.05")
    old = CompatPackage(path="/usr/local/cuda-12.8/compat/libcuda.so.570.86.10", version="570.86.10")
    assert f"put {FOLDER} first in LD_LIBRARY_PATH" in advice(machine("550.54.15", "12.4", cuda_compat=[old, package]))


def test_on_servers_the_package_to_install_is_named_and_nowhere_else() -> None:
    assert "install cuda-compat-13-0" in advice(machine("550.54.15", "12.4"))
    assert "compat" not in advice(machine("550.54.15", "12.4", name=RTX))
    assert "compat" not in advice(machine("560.35.05", "12.6"))
    wsl = Facts(system=ok(System(wsl=True)))
    assert "compat" not in advice(machine("551.61", "12.4"), wsl)
