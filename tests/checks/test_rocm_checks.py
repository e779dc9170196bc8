"""Checks of the frameworks on AMD GPUs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import amd, rocm
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu
from envkit.facts.software import Jax, Python, Torch, TorchDeep
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

ANY, NO_FACTS, KNOWLEDGE = Profile(), Facts(), Knowledge()
AMD = Profile(name="p", requires=Requires(accelerator="amd"))
ONE = Amd(gpus=[AmdGpu(gfx="gfx942")])


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def python(**environment: str) -> Python:
    return Python(executable="/v/bin/python", version="3.12.1", environment=environment)


ROCM = Torch(version="2.14.1+rocm7.14", hip="7.14")
SEES = TorchDeep(imported=True, cuda_available=True)


def deep(**changes: Any) -> TorchDeep:
    return TorchDeep(**{"imported": True, "cuda_available": False, **changes})


def with_python(deep: TorchDeep | None = None, **environment: str) -> Facts:
    return Facts(python=ok(python(**environment)), **({"torch_deep": ok(deep)} if deep else {}))


def gfx(*names: str | None) -> Amd:
    return Amd(gpus=[AmdGpu(gfx=name) for name in names])


@pytest.mark.parametrize(
    ("machine", "facts", "status"),
    [
        (gfx("gfx1031"), with_python(deep(arch_list=["gfx90a", "gfx1030"])), "fail"),
        (gfx("gfx906"), with_python(), "fail"),  # by the table
        (gfx("gfx1100", "gfx1036"), with_python(), "warn"),
        (gfx("gfx942"), with_python(deep(arch_list=["gfx11-generic"])), "fail"),
    ],
)
def test_rocm_gfx_unsupported_fires(machine: Amd, facts: Facts, status: str) -> None:
    assert one(rocm.rocm_gfx_unsupported(ROCM, machine, facts, AMD, KNOWLEDGE)).status == status


@pytest.mark.parametrize(
    ("torch", "machine", "facts"),
    [
        (ROCM, gfx("gfx1031"), with_python(deep(arch_list=["gfx1031:xnack-"]))),
        (ROCM, gfx("gfx1103"), with_python(deep(arch_list=["gfx11-generic"]))),
        (ROCM, gfx("gfx942:sramecc+", "gfx1201", None), with_python()),
        (ROCM, gfx("gfx906"), with_python(HSA_OVERRIDE_GFX_VERSION="9.0.0")),
        (Torch(version="2.14.1+rocm7.2", hip="7.2"), gfx("gfx906"), with_python()),
        (Torch(version="2.9.1+rocm7.2.0.git1", hip="7.2"), gfx("gfx1036"), with_python()),  # AMD's own build
        (Torch(version="2.14.1+rocm7.14"), gfx("gfx906"), with_python()),
    ],
)
def test_rocm_gfx_unsupported_near_miss(torch: Torch, machine: Amd, facts: Facts) -> None:
    assert not list(rocm.rocm_gfx_unsupported(torch, machine, facts, AMD, KNOWLEDGE))


def test_torch_rocm_init_fails_fires() -> None:
    finding = one(rocm.torch_rocm_init_fails(ROCM, deep(cuda_error="No HIP GPUs are available"), ONE, AMD))
    assert (finding.status, finding.evidence) == ("fail", ["No HIP GPUs are available"])


@pytest.mark.parametrize(
    ("torch", "said", "machine"),
    [
        (ROCM, SEES, ONE),
        (ROCM, deep(cuda_available=None), ONE),
        (ROCM, deep(imported=False), ONE),
        (Torch(version="2.14.1", cuda="13.0"), deep(), ONE),
        (ROCM, deep(), Amd(gpus=[])),
    ],
)
def test_torch_rocm_init_fails_near_miss(torch: Torch, said: TorchDeep, machine: Amd) -> None:
    assert not list(rocm.torch_rocm_init_fails(torch, said, machine, AMD))


JAX = Jax(version="0.12.0", plugins={"jax-rocm7-plugin": "0.12.0", "jax-rocm7-pjrt": "0.12.0"})
LIB6, LIB7 = "/opt/rocm-6.3.0/lib/libamdhip64.so.6.3.60300", "/opt/rocm/lib/libamdhip64.so.7"


@pytest.mark.parametrize(("libraries", "has"), [([], "no libamdhip64"), ([LIB6], "libamdhip64.so.6.3.60300")])
def test_jax_rocm_missing_fires(libraries: list[str], has: str) -> None:
    finding = one(rocm.jax_rocm_missing(JAX, Amd(gpus=ONE.gpus, hip_libraries=libraries), AMD))
    assert finding.message == f"jax-rocm7-plugin needs ROCm 7, and this machine has {has}"


@pytest.mark.parametrize(
    ("jax", "machine"),
    [
        (JAX, Amd(gpus=ONE.gpus, hip_libraries=[LIB6, LIB7])),
        (JAX, Amd(gpus=ONE.gpus, hip_libraries=None)),
        (JAX, Amd(gpus=[], hip_libraries=[])),
        (Jax(version="0.12.0", plugins={"jax-cuda13-plugin": "0.12.0"}), Amd(gpus=ONE.gpus, hip_libraries=[])),
        (Jax(version="0.5.0", plugins={"jax-rocm60-plugin": "0.5.0"}), Amd(gpus=ONE.gpus, hip_libraries=[LIB6])),
    ],
)
def test_jax_rocm_missing_near_miss(jax: Jax, machine: Amd) -> None:
    assert not list(rocm.jax_rocm_missing(jax, machine, AMD))


@pytest.mark.parametrize(
    ("gfx", "value", "said"),
    [
        ("gfx942", "11.0.0", "is not for a gfx942"),
        ("gfx1201", "1.1.0", "is not for a gfx1201"),
        ("gfx1036", "yes", "cannot be read"),
    ],
)
def test_amd_gfx_overridden_fires(gfx: str, value: str, said: str) -> None:
    machine = Amd(gpus=[AmdGpu(gfx=gfx)])
    assert said in one(amd.amd_gfx_overridden(machine, python(HSA_OVERRIDE_GFX_VERSION=value), AMD, NO_FACTS)).message


@pytest.mark.parametrize(
    ("gfx", "value"),
    [("gfx1036", "10.3.0"), ("gfx942", "9.4.2"), ("gfx1151", "11.0.0"), ("gfx942", ""), (None, "9.4.2")],
)
def test_amd_gfx_overridden_near_miss(gfx: str | None, value: str) -> None:
    machine = Amd(gpus=[AmdGpu(gfx=gfx)])
    assert not list(amd.amd_gfx_overridden(machine, python(HSA_OVERRIDE_GFX_VERSION=value), AMD, NO_FACTS))
    assert not list(amd.amd_gfx_overridden(machine, python(HSA_OVERRIDE_GFX_VERSION="99"), ANY, NO_FACTS))
