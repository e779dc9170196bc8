"""Checks of environment variables, the container engine and the platform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import container_engine, environment, platform_match
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.machine import Container, ContainerEngine, Memory, System
from envkit.facts.software import Python, Tensorflow
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
GIB = 1024**3


def gpus(number: int = 1, **changes: Any) -> Facts:
    return Facts(nvidia=ok(Nvidia(gpus=[NvidiaGpu(index=i) for i in range(number)], **changes)))


def python(environment: dict[str, str], **changes: Any) -> Python:
    return Python(**{"executable": "/v/bin/python", "version": "3.11.7", "environment": environment, **changes})


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_debugging_variables_set_fires() -> None:
    said = python({"CUDA_LAUNCH_BLOCKING": "1", "CUDA_INJECTION64_PATH": "/x.so"})
    assert len(one(environment.debugging_variables_set(said, gpus(), ANY)).evidence) == 2


def test_debugging_variables_set_near_miss() -> None:
    off = python({"CUDA_LAUNCH_BLOCKING": "0", "CUDA_CACHE_PATH": "/c"})
    assert not list(environment.debugging_variables_set(off, gpus(), ANY))
    assert not list(environment.debugging_variables_set(python({"CUDA_LAUNCH_BLOCKING": "1"}), Facts(), ANY))


def test_nccl_transport_disabled_fires() -> None:
    assert one(environment.nccl_transport_disabled(python({"NCCL_P2P_DISABLE": "1"}), gpus(2), ANY)).status == "warn"


def test_nccl_transport_disabled_near_miss() -> None:
    assert not list(environment.nccl_transport_disabled(python({"NCCL_P2P_DISABLE": "0"}), gpus(2), ANY))
    assert not list(environment.nccl_transport_disabled(python({"NCCL_P2P_DISABLE": "1"}), gpus(1), ANY))


def test_wrong_interpreter_fires() -> None:
    other = python({"VIRTUAL_ENV": "/w"}, prefix="/v", found_by="python3 on PATH")
    assert "/w is activated" in one(environment.wrong_interpreter(other)).message


@pytest.mark.parametrize(
    ("variables", "found_by"),
    [
        ({"VIRTUAL_ENV": "/v/"}, "$VIRTUAL_ENV"),
        ({"VIRTUAL_ENV": "/w"}, "--python"),
        ({"CONDA_PREFIX": "/conda", "VIRTUAL_ENV": "/v"}, "$VIRTUAL_ENV"),
        ({}, "python3 on PATH"),
    ],
)
def test_wrong_interpreter_near_miss(variables: dict[str, str], found_by: str) -> None:
    assert not list(environment.wrong_interpreter(python(variables, prefix="/v", found_by=found_by)))


def test_container_runtime_lacks_nvidia_fires() -> None:
    engine = ContainerEngine(runtimes=["io.containerd.runc.v2", "runc"])
    assert one(container_engine.container_runtime_lacks_nvidia(engine, gpus(), ANY, KNOWLEDGE)).status == "warn"


@pytest.mark.parametrize(
    "engine",
    [
        ContainerEngine(runtimes=["runc", "nvidia"]),
        ContainerEngine(runtimes=None),
        ContainerEngine(runtimes=["runc"], cdi_devices=["nvidia.com/gpu=all"]),
    ],
)
def test_container_runtime_lacks_nvidia_near_miss(engine: ContainerEngine) -> None:
    assert not list(container_engine.container_runtime_lacks_nvidia(engine, gpus(), ANY, KNOWLEDGE))
    bare = ContainerEngine(runtimes=["runc"])
    assert not list(container_engine.container_runtime_lacks_nvidia(bare, Facts(), ANY, KNOWLEDGE))


OLD = Nvidia(driver_version="525.60.13", cuda_driver_version="12.0")


@pytest.mark.parametrize(
    "demand", ["cuda>=12.8 brand=tesla,driver>=535,driver<536 brand=tesla,driver>=550", "cuda>=12.1"]
)
def test_image_needs_newer_driver_fires(demand: str) -> None:
    assert one(container_engine.image_needs_newer_driver(Container(nvidia_require=demand), OLD, ANY)).evidence


@pytest.mark.parametrize(
    "demand", ["cuda>=12.8 brand=tesla,driver>=525,driver<526", "cuda>=11.8", "", None, "arch=8.0"]
)
def test_image_needs_newer_driver_near_miss(demand: str | None) -> None:
    assert not list(container_engine.image_needs_newer_driver(Container(nvidia_require=demand), OLD, ANY))
    unknown = Container(nvidia_require="cuda>=99")
    assert not list(container_engine.image_needs_newer_driver(unknown, Nvidia(), ANY))


WSL = Facts(system=ok(System(os="linux", wsl=True)))


def test_wsl_linux_driver_installed_fires() -> None:
    linux = Nvidia(libcuda_path="/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15")
    assert one(container_engine.wsl_linux_driver_installed(linux, WSL, ANY, KNOWLEDGE)).status == "fail"


@pytest.mark.parametrize("path", ["/usr/lib/wsl/lib/libcuda.so.1.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1.1", None])
def test_wsl_linux_driver_installed_near_miss(path: str | None) -> None:
    assert not list(container_engine.wsl_linux_driver_installed(Nvidia(libcuda_path=path), WSL, ANY, KNOWLEDGE))
    linux = Nvidia(libcuda_path="/usr/lib/libcuda.so.550.54.15")
    assert not list(
        container_engine.wsl_linux_driver_installed(linux, Facts(system=ok(System(wsl=False))), ANY, KNOWLEDGE)
    )


WINDOWS = System(os="windows")


def test_tensorflow_on_windows_fires() -> None:
    found = platform_match.tensorflow_on_windows(Tensorflow(version="2.20.0"), WINDOWS, gpus(), ANY)
    assert one(found).status == "warn"


def test_tensorflow_on_windows_near_miss() -> None:
    check = platform_match.tensorflow_on_windows
    assert not list(check(Tensorflow(version="2.10.1"), WINDOWS, gpus(), ANY))
    assert not list(check(Tensorflow(version="2.20.0"), System(os="linux"), gpus(), ANY))
    assert not list(check(Tensorflow(version="2.20.0"), WINDOWS, Facts(), ANY))


def eight(memory: int | None) -> Nvidia:
    return Nvidia(gpus=[NvidiaGpu(index=i, memory_total_bytes=memory) for i in range(8)])


def test_memory_below_gpu_memory_fires() -> None:
    found = platform_match.memory_below_gpu_memory(Memory(memory_total_bytes=32 * GIB), eight(80 * GIB), ANY)
    assert one(found).status == "warn"


@pytest.mark.parametrize(("have", "each"), [(128, 80), (32, None), (None, 80)])
def test_memory_below_gpu_memory_near_miss(have: int | None, each: int | None) -> None:
    memory = Memory(memory_total_bytes=have and have * GIB)
    assert not list(platform_match.memory_below_gpu_memory(memory, eight(each and each * GIB), ANY))
    assert not list(platform_match.memory_below_gpu_memory(memory, eight(each and each * GIB), CPU))
