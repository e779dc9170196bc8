"""Libraries of CUDA: those required, those that would be loaded, those that are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import jax, libraries, nvidia_packages, shadowed_libraries, tensorflow
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.software import (
    BuiltWith,
    FrameworkDevice,
    Jax,
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

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
GPU = Nvidia(gpus=[NvidiaGpu(index=0, name="NVIDIA A10")])
JAX = Jax(version="0.10.2", jaxlib="0.10.2", plugins={"jax-cuda12-plugin": "0.10.2"})
ON_CPU, ON_CUDA = [FrameworkDevice(kind="cpu")], [FrameworkDevice(kind="cuda")]


def package(name: str, version: str = "1.0", *requires: str) -> Package:
    return Package(name=name, version=version, location="/venv/lib", requires=list(requires))


def python(*installed: Package, **changes: Any) -> Python:
    said = {"executable": "/venv/bin/python", "version": "3.12.1", "prefix": "/venv", "packages": list(installed)}
    return Python(**{**said, **changes})


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def loaded(**versions: str | None) -> list[BuiltWith]:
    built = {"cuda_runtime": "12.9.0", "cudnn": "9.8.0", "cublas": "12.9.1", "cufft": "11.4.1", "cusparse": "12.5.10"}
    return [BuiltWith(name=name, built=version, loaded=versions.get(name, version)) for name, version in built.items()]


def unfit(deep: JaxDeep, nvidia: Nvidia = GPU, profile: Profile = ANY) -> list[Finding]:
    facts = Facts(jax=ok(JAX), python=ok(python()))
    return list(jax.jax_cuda_library_unfit(deep, nvidia, facts, profile, KNOWLEDGE))


@pytest.mark.parametrize(
    ("name", "version"),
    [("cudnn", "9.7.1"), ("cudnn", "8.9.7"), ("cublas", "12.0.2"), ("cuda_runtime", "12.0.0"), ("cusparse", "12.0.9")],
)
def test_jax_cuda_library_unfit_fires(name: str, version: str) -> None:
    deep = JaxDeep(
        imported=True,
        devices=ON_CUDA,
        cuda_libraries=loaded(**{name: version}),
        libraries=["/opt/lib/libcudnn.so.9", "/opt/lib/libcudart.so.12"],
    )
    finding = one(unfit(deep))
    assert (finding.status, finding.subject) == ("fail", name)
    assert version in finding.message
    assert finding.remedy is not None
    assert finding.remedy.commands[0][-1] == "jax[cuda12]==0.10.2"


def test_jax_cuda_library_unfit_fires_once_for_all_that_are_missing() -> None:
    deep = JaxDeep(
        imported=True,
        devices=ON_CPU,
        cuda_error="RuntimeError: cuDNN not found.",
        cuda_libraries=loaded(cudnn=None, cufft=None),
    )
    finding = one(unfit(deep))
    assert finding.message == "JAX could not load cudnn and cufft"
    assert finding.evidence[-1] == "RuntimeError: cuDNN not found."


@pytest.mark.parametrize(
    "deep",
    [
        JaxDeep(imported=True, devices=ON_CUDA, cuda_libraries=loaded()),
        # What PyTorch 2.10 pins: JAX takes it.
        JaxDeep(
            imported=True,
            devices=ON_CUDA,
            cuda_libraries=loaded(cudnn="9.10.2", cublas="12.8.4", cufft="11.3.3", cusparse="12.5.8"),
        ),
        JaxDeep(imported=True, devices=ON_CUDA, cuda_libraries=loaded(cufft=None)),  # it would not say, yet JAX runs
        JaxDeep(imported=True, error="RuntimeError: no backend", cuda_libraries=loaded(cudnn=None)),
        JaxDeep(imported=True, devices=ON_CPU),
    ],
)
def test_jax_cuda_library_unfit_near_miss(deep: JaxDeep) -> None:
    assert not unfit(deep)
    broken = JaxDeep(imported=True, devices=ON_CPU, cuda_libraries=loaded(cudnn="9.1.0"))
    assert not unfit(broken, Nvidia())
    assert not unfit(broken, profile=CPU)


def test_a_jax_that_sees_no_gpu_says_why_in_its_own_words() -> None:
    deep = JaxDeep(imported=True, devices=ON_CPU, cuda_error="RuntimeError: CUDA_ERROR_NO_DEVICE")
    assert one(jax.jax_sees_no_gpu(JAX, deep, GPU, ANY)).evidence == ["RuntimeError: CUDA_ERROR_NO_DEVICE"]


def test_plugins_for_rocm_and_metal_have_versions_of_their_own() -> None:
    for plugins in ({"jax-rocm7-plugin": "0.12.0", "jax-rocm7-pjrt": "0.12.0"}, {"jax-metal": "0.1.1"}):
        other = Jax(version="0.12.0.1", jaxlib="0.12.0.1", plugins=plugins)
        assert not list(jax.jax_jaxlib_mismatch(other, python(), ANY))


def test_a_tensorflow_that_sees_no_gpu_names_what_it_has_not_loaded() -> None:
    built = Tensorflow(version="2.21.0", cuda_build=True, cuda="12.5.1")
    mapped = [f"/v/lib{name}.so.1" for name in ("cudart", "cublas", "cublasLt", "cufft", "cusolver", "cusparse")]
    deep = TensorflowDeep(imported=True, devices=ON_CPU, libraries=mapped)
    assert one(tensorflow.tensorflow_sees_no_gpu(built, deep, GPU, ANY)).evidence[-1] == "not loaded: libcudnn"


@pytest.mark.parametrize(
    ("pinned", "told", "fires"),
    [
        ("9.20.0.48", "9.20.0", False),  # trailing zeros mean nothing
        ("9.1.0.70", "9.1.0", False),
        ("9.10.2.21", "9.10.1", False),  # PyTorch takes an older patch
        ("9.10.2.21", "9.9.0", True),
        ("9.10.2.21", "8.9.7", True),
        ("9.10.2.21", None, False),
        (None, "9.1.0", False),
    ],
)
def test_the_cudnn_that_pytorch_takes(pinned: str | None, told: str | None, fires: bool) -> None:
    torch = Torch(version="2.13.0", cuda="13.0", cudnn=pinned)
    assert bool(list(libraries.cudnn_version_mismatch(torch, TorchDeep(imported=True, cudnn=told)))) is fires


def test_more_libraries_than_cublas_can_be_mapped_twice() -> None:
    both = TorchDeep(imported=True, libraries=["/v/libnvJitLink.so.12", "/usr/local/cuda/lib64/libnvJitLink.so.12"])
    assert "libnvJitLink" in one(libraries.library_mapped_twice(both, None, None)).message


TOOLKIT = package(
    "cuda-toolkit",
    "13.0.3.0",
    "nvidia-cublas==13.1.1.3.*; (sys_platform == 'linux' and platform_machine == 'x86_64') and extra == 'cublas'",
    "nvidia-npp==13.0.1.2.*; sys_platform == 'linux' and extra == 'npp'",
    "nvidia-cufile==1.15.1.6.*; sys_platform == 'win32' and extra == 'cublas'",
)
TORCH_13 = package("torch", "2.13.0", "cuda-toolkit[cublas,cudart]==13.0.3; platform_system == 'Linux'")
PLUGIN = package(
    "jax-cuda12-plugin", "0.10.2", "nvidia-cudnn-cu12<10.0,>=9.8; sys_platform == 'linux' and extra == 'with-cuda'"
)


def pins(*installed: Package) -> list[Finding]:
    inspected = python(*installed)
    return list(nvidia_packages.nvidia_pin_mismatch(inspected, Facts(python=ok(inspected)), ANY))


def test_what_pytorch_requires_by_way_of_the_toolkit_is_looked_at() -> None:
    assert not pins(TORCH_13, TOOLKIT, package("nvidia-cublas", "13.1.1.3"))
    wrong = one(pins(TORCH_13, TOOLKIT, package("nvidia-cublas", "13.3.0.5")))
    assert (wrong.subject, wrong.evidence) == ("torch 2.13.0", ["nvidia-cublas==13.1.1.3.*: 13.3.0.5 installed"])
    assert one(pins(TORCH_13, TOOLKIT)).evidence == ["nvidia-cublas==13.1.1.3.*: not installed"]
    assert not pins(TORCH_13)  # that the toolkit itself is missing, broken-requirements says


def test_what_jaxs_plugin_requires_may_be_missing_but_not_of_another_version() -> None:
    assert one(pins(PLUGIN, package("nvidia-cudnn-cu12", "9.1.0.70"))).subject == "jax-cuda12-plugin 0.10.2"
    assert not pins(PLUGIN, package("nvidia-cudnn-cu12", "9.10.2.21"))
    assert not pins(PLUGIN)


def test_libraries_of_two_cudas_that_lie_apart_are_a_warning() -> None:
    apart = python(package("nvidia-cublas-cu12"), package("nvidia-cublas"))
    assert one(nvidia_packages.mixed_cuda_majors(apart, ANY)).status == "warn"
    overwritten = python(package("nvidia-nccl-cu12"), package("nvidia-nccl-cu13"))
    assert one(nvidia_packages.mixed_cuda_majors(overwritten, ANY)).status == "fail"


CUBLAS, CUDA_TORCH = package("nvidia-cublas-cu12"), Torch(version="2.10.0", cuda="12.8")
OLD_FOLDER = {"LD_LIBRARY_PATH": "/usr/local/cuda-11.8/lib64:/opt/x:/usr/local/cuda/compat"}


def shadowed(inspected: Python, **sections: Any) -> list[Finding]:
    told = {name: ok(section) for name, section in {"torch": CUDA_TORCH, **sections}.items()}
    return list(shadowed_libraries.framework_libraries_shadowed(inspected, Facts(**told)))


def test_framework_libraries_shadowed_fires_by_what_lies_in_the_folders() -> None:
    found = {"/usr/local/cuda/lib64": ["libcublas.so.12", "libcudnn.so.9"]}
    finding = one(shadowed(python(CUBLAS, environment=OLD_FOLDER, library_path=found)))
    assert finding.status == "warn"
    assert finding.evidence == ["LD_LIBRARY_PATH: /usr/local/cuda/lib64 (libcublas.so.12, libcudnn.so.9)"]


def test_framework_libraries_shadowed_fires_by_their_names_where_nobody_looked() -> None:
    finding = one(shadowed(python(CUBLAS, environment=OLD_FOLDER)))
    assert finding.evidence == ["LD_LIBRARY_PATH: /usr/local/cuda-11.8/lib64"]


@pytest.mark.parametrize("framework", ["torch_deep", "tensorflow_deep", "jax_deep"])
def test_framework_libraries_shadowed_fires_by_what_is_mapped(framework: str) -> None:
    kinds: dict[str, Any] = {"torch_deep": TorchDeep, "tensorflow_deep": TensorflowDeep, "jax_deep": JaxDeep}
    mapped = ["/venv/lib/libcudnn.so.9", "/venv2/lib/libcublas.so.12", "/usr/lib/libcuda.so.1"]
    deep = {framework: kinds[framework](imported=True, libraries=mapped)}
    finding = one(shadowed(python(CUBLAS, environment=OLD_FOLDER), **deep))
    assert (finding.status, finding.evidence[0]) == ("fail", "/venv2/lib/libcublas.so.12")


@pytest.mark.parametrize(
    ("inspected", "sections"),
    [
        (python(CUBLAS, environment=OLD_FOLDER, library_path={}), {}),
        (python(CUBLAS, environment={"LD_LIBRARY_PATH": "/usr/local/cuda/compat:/usr/local/nvidia/lib64"}), {}),
        (python(CUBLAS, environment=OLD_FOLDER), {"torch": Torch(version="2.13.0+cpu")}),
        (
            python(CUBLAS, environment=OLD_FOLDER),
            {"torch_deep": TorchDeep(imported=True, libraries=["/venv/lib/libcublas.so.12", "/usr/lib/libcuda.so.1"])},
        ),
        # In a text nobody can look into the folders: these are the wheels' own.
        (
            python(environment={"LD_LIBRARY_PATH": "/venv/lib/python3.11/site-packages/nvidia/cublas/lib"}),
            {},
        ),
        # A library that no wheel here brings is rightly the system's, whatever nvidia-ml-py is called.
        (
            python(package("nvidia-ml-py")),
            {"torch_deep": TorchDeep(imported=True, libraries=["/usr/local/cuda/lib64/libcublas.so.12"])},
        ),
    ],
)
def test_framework_libraries_shadowed_near_miss(inspected: Python, sections: dict[str, Any]) -> None:
    assert not shadowed(inspected, **sections)
