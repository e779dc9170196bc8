"""What new packages cannot live beside: broken requirements, files of others."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.errors import SetupError
from envkit.facts.software import Collision, Package, Python
from envkit.setup.mending import clash
from envkit.setup.mending.mend import Changes
from envkit.setup.resolving.resolve import Package as Locked

LINUX = {"extra": "", "sys_platform": "linux", "python_version": "3.11"}


def python(*packages: Package, **changes: Any) -> Python:
    return Python(executable="/v/bin/python", version="3.11.7", packages=list(packages), **changes)


def package(name: str, version: str = "1.0", *requires: str) -> Package:
    return Package(name=name, version=version, requires=list(requires))


def locked(**versions: str) -> list[Locked]:
    return [Locked(name=name.replace("_", "-"), version=version) for name, version in versions.items()]


@pytest.mark.parametrize(
    ("requirement", "told"),
    [
        ("protobuf<5", "it takes protobuf 6.31, but onnx 1.14, which is installed, needs protobuf<5"),
        ("protobuf>=5", ""),
        ("protobuf<5; sys_platform == 'win32'", ""),
        ("protobuf<5; extra == 'old'", ""),
        ("other<5", ""),
    ],
)
def test_a_requirement_of_what_stays_is_not_to_be_broken(requirement: str, told: str) -> None:
    inspected = python(package("onnx", "1.14", requirement), package("protobuf", "4.25"))
    found = clash.broken(locked(protobuf="6.31"), inspected, LINUX)
    assert "; ".join(map(str, found)) == told
    assert clash.broken(locked(protobuf="6.31"), inspected, LINUX, remove=["onnx"]) == []


def test_the_companions_of_torch_come_along() -> None:
    inspected = python(package("torch"), package("torchvision"), package("numpy"))
    assert clash.prepared(Changes(install=["torch==2"]), inspected).install == ["torch==2", "torchvision"]
    assert clash.prepared(Changes(install=["numpy"]), inspected).install == ["numpy"]


def test_builds_for_another_cuda_go_when_nothing_needs_them() -> None:
    inspected = python(
        package("torch", "2.9", "nvidia-cudnn-cu12", "nvidia-cublas-cu12"),
        package("nvidia-cudnn-cu12", "9", "nvidia-cublas-cu12"),
        package("nvidia-cublas-cu12"),
        package("nvidia-ml-py"),
    )
    found = clash.cleared(Changes(), locked(torch="2.11", nvidia_cudnn_cu13="9", nvidia_cublas="13"), inspected)
    assert sorted(found.remove) == ["nvidia-cublas-cu12", "nvidia-cudnn-cu12"]


def test_one_that_something_needs_is_a_clash_where_the_files_are_the_same() -> None:
    inspected = python(
        package("tensorflow", "2.20", "nvidia-cudnn-cu12; extra == 'and-cuda'"), package("nvidia-cudnn-cu12")
    )
    with pytest.raises(SetupError, match=r"nvidia-cudnn-cu13, but tensorflow 2.20, .* needs nvidia-cudnn-cu12, and bo"):
        clash.cleared(Changes(), locked(nvidia_cudnn_cu13="9"), inspected)


def test_one_that_something_needs_stays_where_the_files_lie_apart() -> None:
    inspected = python(package("cupy", "13", "nvidia-cublas-cu12"), package("nvidia-cublas-cu12"))
    assert clash.cleared(Changes(), locked(nvidia_cublas="13"), inspected).remove == []


def test_what_was_overwritten_or_is_there_twice_is_installed_anew() -> None:
    inspected = python(
        package("opencv-python"),
        package("opencv-python-headless"),
        package("numpy"),
        collisions=[Collision(packages=["opencv-python", "opencv-python-headless"], example="cv2/a.so", count=9)],
        duplicates={"numpy": ["1.0", "2.0"], "six": ["1", "2"]},
    )
    found = clash.cleared(Changes(), locked(opencv_python="1.0", numpy="2.0"), inspected)
    assert (found.remove, sorted(found.anew)) == (["opencv-python-headless"], ["numpy", "opencv-python"])
