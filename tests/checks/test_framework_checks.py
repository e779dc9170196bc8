"""Checks of TensorFlow and JAX, and of importing frameworks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import imports
from envkit.checks import jax as jax_checks
from envkit.checks import tensorflow as tensorflow_checks
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.software import (
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
from envkit.profile import Accelerator, Profile, Requires

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()


def wanting(accelerator: Accelerator, **changes: Any) -> Profile:
    return Profile(name="p", requires=Requires(accelerator=accelerator), **changes)


CUDA = wanting("nvidia")
CUDA13 = wanting("nvidia", packages=["tensorflow-cpu==2.21.0"])
PCI = PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236", kernel_driver="nvidia")
SOUND = Nvidia(pci_devices=[PCI], gpus=[NvidiaGpu(index=0)], nvml=Nvml(outcome="ok"), module_loaded=True)
LOST = Nvidia(pci_devices=[PCI], gpus=[NvidiaGpu(index=0, error="GPU_IS_LOST")], nvml=Nvml(outcome="ok"))
GPU_HOST = Facts(nvidia=ok(SOUND))
CPU_HOST = Facts(nvidia=absent("no device"), tpu=absent("no device"))
CPU_TF = Tensorflow(version="2.21.0", distribution="tensorflow-cpu", cuda_build=False)
CUDA_TF = Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1", and_cuda=True)
JAX = Jax(version="0.10.2", jaxlib="0.10.2", plugins={"jax-cuda12-plugin": "0.10.2"})
ON_CPU, ON_CUDA = [FrameworkDevice(kind="cpu")], [FrameworkDevice(kind="cpu"), FrameworkDevice(kind="cuda")]


def python(*packages: Package) -> Python:
    return Python(executable="/venv/bin/python", version="3.11.7", packages=list(packages))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_tensorflow_trains_on_cpu_fires() -> None:
    assert one(tensorflow_checks.tensorflow_trains_on_cpu(CPU_TF, CPU_HOST, CUDA)).status == "warn"
    assert one(tensorflow_checks.tensorflow_trains_on_cpu(CUDA_TF, Facts(nvidia=ok(LOST)), ANY)).status == "warn"


def test_tensorflow_trains_on_cpu_near_miss() -> None:
    assert not list(tensorflow_checks.tensorflow_trains_on_cpu(CPU_TF, CPU_HOST, CUDA13))
    assert not list(tensorflow_checks.tensorflow_trains_on_cpu(CUDA_TF, GPU_HOST, CUDA))


@pytest.mark.parametrize(("profile", "status"), [(CUDA, "fail"), (ANY, "warn")])
def test_tensorflow_cpu_build_on_gpu_host_fires(profile: Profile, status: str) -> None:
    finding = one(tensorflow_checks.tensorflow_cpu_build_on_gpu_host(CPU_TF, GPU_HOST, profile))
    assert finding.status == status
    assert finding.remedy is not None
    assert finding.remedy.commands[0] == ["uv", "pip", "uninstall", "tensorflow-cpu"]


def test_tensorflow_cpu_build_on_gpu_host_near_miss() -> None:
    check = tensorflow_checks.tensorflow_cpu_build_on_gpu_host
    unread = Tensorflow(version="2.20.0", cuda_build=None)
    rocm = Tensorflow(version="2.18.0", cuda_build=False, rocm_build=True)
    for tensorflow, profile in ((CPU_TF, CUDA13), (CPU_TF, CPU), (CUDA_TF, CUDA), (unread, CUDA), (rocm, CUDA)):
        assert not list(check(tensorflow, GPU_HOST, profile))
    assert not list(check(CPU_TF, CPU_HOST, CUDA))


def test_tensorflow_cuda_libraries_missing_fires() -> None:
    bare = Tensorflow(version="2.20.0", cuda_build=True, and_cuda=False)
    finding = one(tensorflow_checks.tensorflow_cuda_libraries_missing(bare, GPU_HOST, ANY))
    assert finding.remedy is not None
    assert finding.remedy.commands == [["uv", "pip", "install", "tensorflow[and-cuda]==2.20.0"]]


def test_tensorflow_cuda_libraries_missing_near_miss() -> None:
    bare = Tensorflow(version="2.20.0", cuda_build=True, and_cuda=False)
    assert not list(tensorflow_checks.tensorflow_cuda_libraries_missing(bare, CPU_HOST, ANY))
    assert not list(tensorflow_checks.tensorflow_cuda_libraries_missing(CUDA_TF, GPU_HOST, ANY))


def test_tensorflow_sees_no_gpu_fires() -> None:
    deep = TensorflowDeep(imported=True, devices=ON_CPU)
    assert one(tensorflow_checks.tensorflow_sees_no_gpu(CUDA_TF, deep, SOUND, CUDA)).status == "fail"


def test_tensorflow_sees_no_gpu_near_miss() -> None:
    blind, seeing = (TensorflowDeep(imported=True, devices=devices) for devices in (ON_CPU, ON_CUDA))
    check = tensorflow_checks.tensorflow_sees_no_gpu
    assert not list(check(CUDA_TF, seeing, SOUND, CUDA))
    assert not list(check(CPU_TF, blind, SOUND, CUDA))
    assert not list(check(CUDA_TF, blind, LOST, CUDA))


def test_jax_trains_on_cpu_fires() -> None:
    assert one(jax_checks.jax_trains_on_cpu(JAX, CPU_HOST, wanting("tpu"))).status == "warn"


def test_jax_trains_on_cpu_near_miss() -> None:
    assert not list(jax_checks.jax_trains_on_cpu(JAX, GPU_HOST, CUDA))
    assert not list(jax_checks.jax_trains_on_cpu(JAX, Facts(), wanting("tpu")))


TAKES = Package(name="jax", version="0.10.2", requires=["jaxlib<=0.10.2,>=0.10.1"])


@pytest.mark.parametrize(
    "jax",
    [
        Jax(version="0.10.2", jaxlib="0.9.0"),
        Jax(version="0.10.2", jaxlib=None),
        Jax(version="0.10.2", jaxlib="0.10.2", plugins={"jax-cuda12-plugin": "0.9.2"}),
    ],
)
def test_jax_jaxlib_mismatch_fires(jax: Jax) -> None:
    assert one(jax_checks.jax_jaxlib_mismatch(jax, python(TAKES), ANY)).status == "fail"


@pytest.mark.parametrize("jax", [JAX, Jax(version="0.10.2", jaxlib="0.10.1")])
def test_jax_jaxlib_mismatch_near_miss(jax: Jax) -> None:
    assert not list(jax_checks.jax_jaxlib_mismatch(jax, python(TAKES), ANY))


def test_jax_sees_no_gpu_fires() -> None:
    deep = JaxDeep(imported=True, devices=ON_CPU)
    assert one(jax_checks.jax_sees_no_gpu(JAX, deep, SOUND, CUDA)).status == "fail"


def test_jax_sees_no_gpu_near_miss() -> None:
    assert not list(jax_checks.jax_sees_no_gpu(JAX, JaxDeep(imported=True, devices=ON_CUDA), SOUND, CUDA))
    plain = Jax(version="0.10.2", jaxlib="0.10.2")
    assert not list(jax_checks.jax_sees_no_gpu(plain, JaxDeep(imported=True, devices=ON_CPU), SOUND, CUDA))


def test_torch_import_fails_fires_with_the_cause_in_words() -> None:
    deep = TorchDeep(imported=False, error="ImportError: libcudnn.so.9: cannot open shared object file")
    finding = one(imports.torch_import_fails(deep, KNOWLEDGE, Facts()))
    assert finding.message == "PyTorch cannot be imported: the shared library libcudnn.so.9 is missing"


def test_torch_import_fails_fires_and_damaged_bytecode_can_be_cleared_away() -> None:
    deep = TorchDeep(imported=False, error="EOFError: marshal data too short")
    inspected = Facts(python=ok(Python(executable="/venv/bin/python", version="3.11.7", prefix="/venv")))
    remedy = one(imports.torch_import_fails(deep, KNOWLEDGE, inspected)).remedy
    assert remedy is not None
    assert (remedy.safe, remedy.commands[0][:4]) == (True, ["find", "/venv", "-name", "__pycache__"])


def test_torch_import_fails_near_miss() -> None:
    assert not list(
        imports.torch_import_fails(TorchDeep(imported=True, error="a device could not be asked"), KNOWLEDGE, Facts())
    )


def test_tensorflow_import_fails_fires() -> None:
    finding = one(imports.tensorflow_import_fails(TensorflowDeep(imported=False, error="SIGILL"), KNOWLEDGE, Facts()))
    assert "lacks an instruction" in finding.message


def test_tensorflow_import_fails_near_miss() -> None:
    assert not list(imports.tensorflow_import_fails(TensorflowDeep(imported=True), KNOWLEDGE, Facts()))


def test_jax_import_fails_fires_even_for_an_error_nobody_knows() -> None:
    finding = one(imports.jax_import_fails(JaxDeep(imported=False, error="RuntimeError: new"), KNOWLEDGE, Facts()))
    assert (finding.message, finding.evidence) == ("JAX cannot be imported", ["RuntimeError: new"])


def test_jax_import_fails_near_miss() -> None:
    assert not list(imports.jax_import_fails(JaxDeep(imported=True), KNOWLEDGE, Facts()))


def with_versions(torch: str, tensorflow: str) -> Facts:
    return Facts(torch=ok(Torch(version=torch)), tensorflow=ok(Tensorflow(version=tensorflow)))


def test_numpy_abi_fires_for_each_framework_built_for_numpy_1() -> None:
    two = python(Package(name="numpy", version="2.2.6"))
    assert len(list(imports.numpy_abi(two, with_versions("2.2.2", "2.17.1"), ANY))) == 2


def test_numpy_abi_near_miss() -> None:
    two, old = (python(Package(name="numpy", version=version)) for version in ("2.2.6", "1.26.4"))
    assert not list(imports.numpy_abi(two, with_versions("2.3.0", "2.18.0"), ANY))
    assert not list(imports.numpy_abi(old, with_versions("2.2.2", "2.17.1"), ANY))
