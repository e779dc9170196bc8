"""Checks of compiled packages, and of libraries that are really mapped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import extensions, libraries
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.machine import System
from envkit.facts.software import (
    FrameworkDevice,
    JaxDeep,
    Package,
    Python,
    Tensorflow,
    TensorflowDeep,
    Torch,
    TorchDeep,
)
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, KNOWLEDGE = Profile(), Knowledge()
TORCH = Torch(version="2.10.0+cu128", cuda="12.8", cudnn="9.10.2.21")
GPU = ok(Nvidia(gpus=[NvidiaGpu(index=0)]))
X86 = ok(System(os="linux", architecture="x86_64"))


def python(*packages: Package, **changes: Any) -> Python:
    return Python(**{"executable": "p", "version": "3.11.7", "packages": list(packages), **changes})


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


@pytest.mark.parametrize(
    ("name", "version"), [("flash-attn", "2.8.3+cu12torch2.7cxx11abiTRUE"), ("torch-scatter", "2.1.2+pt25cu124")]
)
def test_abi_symbol_mismatch_fires(name: str, version: str) -> None:
    assert one(extensions.abi_symbol_mismatch(python(Package(name=name, version=version)), TORCH)).subject == name


@pytest.mark.parametrize("version", ["2.8.3+cu12torch2.10cxx11abiTRUE", "2.1.2+pt210cu128", "2.8.3", "1.0+cu128"])
def test_abi_symbol_mismatch_near_miss(version: str) -> None:
    assert not list(extensions.abi_symbol_mismatch(python(Package(name="flash-attn", version=version)), TORCH))


@pytest.mark.parametrize(
    ("built", "torch", "fires"),
    [("10.1", "10.0", True), ("11.8", "12.1", True), ("10.1", "10.1", False), ("12.4", "12.1", False)],
)
def test_an_extension_says_which_cuda_it_was_built_with(built: str, torch: str, *, fires: bool) -> None:
    extension = python(Package(name="detectron2", version="0.6", built_for_cuda=built))
    found = list(extensions.abi_symbol_mismatch(extension, Torch(version="1.4.0", cuda=torch)))
    assert [f.status for f in found] == ["fail"] * fires


def test_an_extension_known_to_run_with_later_ones_is_doubted_only() -> None:
    found = extensions.abi_symbol_mismatch(python(Package(name="flashinfer", version="0.1.6+cu124torch2.4")), TORCH)
    assert one(found).status == "warn"


def wheel(*tags: str) -> Package:
    return Package(name="numpy", version="2.2.6", tags=list(tags))


@pytest.mark.parametrize("tag", ["cp312-cp312-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_28_aarch64"])
def test_wheel_tag_mismatch_fires(tag: str) -> None:
    assert tag in one(extensions.wheel_tag_mismatch(python(wheel(tag)), Facts(system=X86))).evidence[1]


@pytest.mark.parametrize(
    "tags",
    [
        ("cp311-cp311-manylinux_2_27_x86_64", "cp311-cp311-manylinux_2_28_x86_64"),
        ("cp38-abi3-manylinux1_x86_64",),
        ("py2-none-any", "py3-none-any"),
        ("py3-none-manylinux_2_18_x86_64",),
        (),
    ],
)
def test_wheel_tag_mismatch_near_miss(tags: tuple[str, ...]) -> None:
    assert not list(extensions.wheel_tag_mismatch(python(wheel(*tags)), Facts(system=X86)))


TRITON = Package(name="triton", version="3.6.0")
WITH_GPU = Facts(nvidia=GPU)


def test_compiler_or_toolchain_missing_fires() -> None:
    bare = python(TRITON, compiler=None, headers=False)
    assert (
        "a C compiler and Python.h"
        in one(extensions.compiler_or_toolchain_missing(bare, TORCH, WITH_GPU, KNOWLEDGE)).message
    )


def test_compiler_or_toolchain_missing_near_miss() -> None:
    whole = python(TRITON, compiler="/usr/bin/cc", headers=True)
    assert not list(extensions.compiler_or_toolchain_missing(whole, TORCH, WITH_GPU, KNOWLEDGE))
    bare = python(TRITON, compiler=None, headers=False)
    assert not list(extensions.compiler_or_toolchain_missing(bare, TORCH, Facts(), KNOWLEDGE))
    pasted = python(TRITON, compiler=None, headers=None)
    assert not list(extensions.compiler_or_toolchain_missing(pasted, TORCH, WITH_GPU, KNOWLEDGE))


def test_cuda_toolkit_mismatch_fires() -> None:
    old = python(environment={"CUDA_HOME": "/usr/local/cuda-11.8"})
    assert one(extensions.cuda_toolkit_mismatch(old, TORCH)).evidence == ["CUDA_HOME=/usr/local/cuda-11.8"]


@pytest.mark.parametrize("home", ["/usr/local/cuda-12.1", "/usr/local/cuda", ""])
def test_cuda_toolkit_mismatch_near_miss(home: str) -> None:
    assert not list(extensions.cuda_toolkit_mismatch(python(environment={"CUDA_HOME": home}), TORCH))


CUDA_TF = Facts(nvidia=GPU, tensorflow=ok(Tensorflow(version="2.20.0", cuda_build=True, and_cuda=True)))


def test_ptxas_libdevice_not_found_fires() -> None:
    finding = one(extensions.ptxas_libdevice_not_found(python(), CUDA_TF, ANY))
    assert finding.remedy is not None
    assert finding.remedy.commands[0][-1] == "tensorflow[and-cuda]==2.20.0"


def test_ptxas_libdevice_not_found_near_miss() -> None:
    nvcc = python(Package(name="nvidia-cuda-nvcc-cu12", version="12.8.93"))
    assert not list(extensions.ptxas_libdevice_not_found(nvcc, CUDA_TF, ANY))
    toolkit = python(environment={"CUDA_HOME": "/usr/local/cuda"})
    assert not list(extensions.ptxas_libdevice_not_found(toolkit, CUDA_TF, ANY))


def copies(*installers: str | None) -> Python:
    return python(*(Package(name="numpy", version="1.0", installer=i) for i in installers))


def test_conda_and_pip_copies_fires() -> None:
    assert "numpy" in one(extensions.conda_and_pip_copies(copies("conda", "pip"))).message


@pytest.mark.parametrize("installers", [("conda",), ("pip", "uv"), ("conda", None), ("conda", "conda")])
def test_conda_and_pip_copies_near_miss(installers: tuple[str | None, ...]) -> None:
    assert not list(extensions.conda_and_pip_copies(copies(*installers)))


def deep(*paths: str, **changes: Any) -> TorchDeep:
    return TorchDeep(**{"imported": True, "libraries": list(paths), **changes})


def test_library_mapped_twice_fires() -> None:
    both = deep("/venv/lib/libcudart.so.12", "/usr/local/cuda/lib64/libcudart.so.11.0")
    assert "libcudart" in one(libraries.library_mapped_twice(both, None, None)).message
    jax = JaxDeep(imported=True, libraries=["/a/libcudnn.so.9", "/b/libcudnn.so.9"])
    assert one(libraries.library_mapped_twice(deep(), None, jax)).subject == "JAX"


def test_library_mapped_twice_near_miss() -> None:
    apart = deep("/v/libcudnn.so.9", "/v/libcudnn_ops.so.9", "/v/libcublas.so.12", "/v/libcublasLt.so.12")
    assert not list(libraries.library_mapped_twice(apart, TensorflowDeep(imported=True), None))


def test_duplicate_openmp_runtime_fires() -> None:
    both = deep("/venv/lib/libiomp5.so", "/opt/conda/lib/libiomp5.so")
    assert len(one(libraries.duplicate_openmp_runtime(both, None, None)).evidence) == 2


def test_duplicate_openmp_runtime_near_miss() -> None:
    gnu = deep("/venv/torch/lib/libgomp-a34b3233.so.1", "/usr/lib/libgomp.so.1", "/venv/lib/libiomp5.so")
    assert not list(libraries.duplicate_openmp_runtime(gnu, None, None))


def test_cudnn_version_mismatch_fires() -> None:
    old = deep("/usr/lib/libcudnn.so.9", cudnn="9.1.0")
    assert one(libraries.cudnn_version_mismatch(TORCH, old)).evidence == ["/usr/lib/libcudnn.so.9"]


@pytest.mark.parametrize("loaded", ["9.10.2", "9.19.0", None])
def test_cudnn_version_mismatch_near_miss(loaded: str | None) -> None:
    assert not list(libraries.cudnn_version_mismatch(TORCH, deep(cudnn=loaded)))


NCCL = python(Package(name="nvidia-nccl-cu12", version="2.27.5"))


def test_nccl_version_mismatch_fires() -> None:
    assert one(libraries.nccl_version_mismatch(NCCL, deep(nccl="2.18.3"))).status == "warn"


@pytest.mark.parametrize("loaded", ["2.27.5", None])
def test_nccl_version_mismatch_near_miss(loaded: str | None) -> None:
    assert not list(libraries.nccl_version_mismatch(NCCL, deep(nccl=loaded)))
    assert not list(libraries.nccl_version_mismatch(python(), deep(nccl="2.18.3")))


def deep_with(**device: Any) -> TorchDeep:
    return TorchDeep(imported=True, devices=[FrameworkDevice(kind="cpu"), FrameworkDevice(kind="cuda", **device)])


def test_gpu_computation_fails_fires() -> None:
    broken = deep_with(name="NVIDIA A10", computes=False, error="RuntimeError: CUDA error: out of memory")
    found = one(libraries.gpu_computation_fails(broken, None, JaxDeep(imported=True)))
    assert (found.subject, found.evidence) == ("NVIDIA A10 0", ["RuntimeError: CUDA error: out of memory"])


@pytest.mark.parametrize("computes", [True, None])
def test_gpu_computation_fails_near_miss(*, computes: bool | None) -> None:
    assert not list(libraries.gpu_computation_fails(deep_with(computes=computes), None, None))
