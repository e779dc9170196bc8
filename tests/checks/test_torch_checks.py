"""Checks of PyTorch: its build, its companions, and whether it starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import torch as torch_checks
from envkit.facts import Facts, absent, ok, unknown
from envkit.facts.accelerators import Amd, AmdGpu, Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.machine import Container
from envkit.facts.software import Package, Python, Torch, TorchDeep
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Accelerator, Profile, Requires

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()


def wanting(accelerator: Accelerator, **changes: Any) -> Profile:
    return Profile(name="p", requires=Requires(accelerator=accelerator), **changes)


CUDA = wanting("nvidia")
PCI = PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236", kernel_driver="nvidia")
SOUND = Nvidia(pci_devices=[PCI], gpus=[NvidiaGpu(index=0)], nvml=Nvml(outcome="ok"), module_loaded=True)
NO_DRIVER = Nvidia(pci_devices=[PCI], module_loaded=False)
GPU_HOST = Facts(nvidia=ok(SOUND))
BROKEN_HOST = Facts(nvidia=ok(NO_DRIVER))
WITHHELD = Facts(nvidia=ok(NO_DRIVER), container=ok(Container(host_nvidia_driver="550.54.15", nvidia_device_nodes=0)))
CPU_HOST = Facts(nvidia=absent("no device"), amd=absent("no device"), tpu=absent("no device"))
BLIND = Facts(nvidia=unknown("no /sys"))
CPU_TORCH, CUDA_TORCH = Torch(version="2.13.0+cpu"), Torch(version="2.10.0+cu128", cuda="12.8")


def python(*packages: Package) -> Python:
    return Python(executable="/venv/bin/python", version="3.11.7", packages=list(packages))


def package(name: str, version: str, *requires: str, tags: str = "cp311-cp311-manylinux_2_28_x86_64") -> Package:
    return Package(name=name, version=version, requires=list(requires), tags=[tags])


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


@pytest.mark.parametrize(("facts", "profile"), [(CPU_HOST, CUDA), (BROKEN_HOST, ANY), (CPU_HOST, wanting("amd"))])
def test_torch_trains_on_cpu_fires(facts: Facts, profile: Profile) -> None:
    assert one(torch_checks.torch_trains_on_cpu(CPU_TORCH, facts, profile)).message == (
        "PyTorch 2.13.0+cpu will train on the CPU"
    )


@pytest.mark.parametrize(
    ("facts", "profile"), [(CPU_HOST, CPU), (CPU_HOST, ANY), (GPU_HOST, CUDA), (BLIND, CUDA), (BROKEN_HOST, CPU)]
)
def test_torch_trains_on_cpu_near_miss(facts: Facts, profile: Profile) -> None:
    assert not list(torch_checks.torch_trains_on_cpu(CPU_TORCH, facts, profile))


@pytest.mark.parametrize(
    ("torch", "facts", "profile", "status"),
    [
        (CPU_TORCH, GPU_HOST, CUDA, "fail"),
        (CPU_TORCH, GPU_HOST, ANY, "warn"),
        (CUDA_TORCH, Facts(amd=ok(Amd(gpus=[AmdGpu()]))), wanting("amd"), "fail"),
    ],
)
def test_torch_cpu_build_on_gpu_host_fires(torch: Torch, facts: Facts, profile: Profile, status: str) -> None:
    assert one(torch_checks.torch_cpu_build_on_gpu_host(torch, facts, profile, KNOWLEDGE)).status == status


@pytest.mark.parametrize(
    ("torch", "facts", "profile"),
    [
        (CUDA_TORCH, GPU_HOST, CUDA),
        (CPU_TORCH, CPU_HOST, CUDA),
        (CPU_TORCH, WITHHELD, ANY),
        (CPU_TORCH, GPU_HOST, CPU),
        (CPU_TORCH, GPU_HOST, wanting("nvidia", torch_backend="cpu")),
        (Torch(version="2.13.0", build_known=False), GPU_HOST, CUDA),
    ],
)
def test_torch_cpu_build_on_gpu_host_near_miss(torch: Torch, facts: Facts, profile: Profile) -> None:
    assert not list(torch_checks.torch_cpu_build_on_gpu_host(torch, facts, profile, KNOWLEDGE))


def test_torch_cuda_init_fails_fires() -> None:
    deep = TorchDeep(imported=True, cuda_available=False, cuda_error="CUDA unknown error")
    finding = one(torch_checks.torch_cuda_init_fails(CUDA_TORCH, deep, SOUND, CUDA))
    assert finding.evidence == ["CUDA unknown error"]


@pytest.mark.parametrize(
    ("torch", "available", "nvidia"),
    [(CUDA_TORCH, True, SOUND), (CPU_TORCH, False, SOUND), (CUDA_TORCH, False, NO_DRIVER), (CUDA_TORCH, None, SOUND)],
)
def test_torch_cuda_init_fails_near_miss(torch: Torch, available: bool | None, nvidia: Nvidia) -> None:
    deep = TorchDeep(imported=True, cuda_available=available)
    assert not list(torch_checks.torch_cuda_init_fails(torch, deep, nvidia, CUDA))


@pytest.mark.parametrize(
    "companion",
    [
        package("torchvision", "0.25.0", "torch==2.10.0"),
        package("torchvision", "0.25.0"),
        package("torchaudio", "2.10.0", "torch==2.10.0"),
    ],
)
def test_torch_torchvision_mismatch_fires(companion: Package) -> None:
    finding = one(
        torch_checks.torch_torchvision_mismatch(python(package("torch", "2.9.1+cu128"), companion), KNOWLEDGE, ANY)
    )
    assert finding.remedy is not None
    assert finding.remedy.commands[0][-1] in {"torchvision==0.24.1", "torchaudio==2.9.1"}


@pytest.mark.parametrize(
    ("torch", "companion"),
    [
        ("2.10.0+cu128", package("torchvision", "0.25.0+cu128", "torch==2.10.0")),
        ("2.10.0", package("torchvision", "0.25.1")),
        ("2.15.0", package("torchaudio", "2.11.0")),
        ("99.0", package("torchvision", "0.25.0")),
        ("2.10.0+git1234567", package("torchvision", "0.24.0+89abcde")),
    ],
)
def test_torch_torchvision_mismatch_near_miss(torch: str, companion: Package) -> None:
    assert not list(torch_checks.torch_torchvision_mismatch(python(package("torch", torch), companion), KNOWLEDGE, ANY))


@pytest.mark.parametrize("version", ["0.28.0+cu130", "0.28.0"])
def test_torch_family_variant_mix_fires(version: str) -> None:
    mixed = python(package("torch", "2.13.0+cpu"), package("torchvision", version))
    assert one(torch_checks.torch_family_variant_mix(mixed, ANY)).status == "fail"


def test_torch_family_variant_mix_near_miss() -> None:
    same = python(package("torch", "2.13.0+cpu"), package("torchvision", "0.28.0+cpu"))
    pure = python(package("torch", "2.14.1+cpu"), package("torchvision", "0.29.2", tags="py3-none-any"))
    from_pypi = python(package("torch", "2.13.0"), package("torchvision", "0.28.0"))
    from_source = python(package("torch", "2.13.0a0+git1234567"), package("torchvision", "0.28.0a0+89abcde"))
    for inspected in (same, pure, from_pypi, from_source):
        assert not list(torch_checks.torch_family_variant_mix(inspected, ANY))
