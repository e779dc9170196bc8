"""Checks of installed distributions and of what the profile installs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import nvidia_packages, packages, profile_match
from envkit.facts import Facts, absent, ok
from envkit.facts.software import Collision, Package, Python, Tensorflow
from envkit.findings import Finding
from envkit.profile import Profile

ANY = Profile()


def package(name: str, version: str = "1.0", **changes: Any) -> Package:
    return Package(name=name, version=version, location="/venv/lib", **changes)


def python(*installed: Package, **changes: Any) -> Python:
    return Python(executable="/venv/bin/python", version="3.11.7", packages=list(installed), **changes)


def facts(inspected: Python, **sections: Any) -> Facts:
    return Facts(python=ok(inspected), **sections)


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


NUMPY = package("numpy", "2.2.6")


@pytest.mark.parametrize(
    ("name", "line", "status"),
    [
        ("tensorflow", "h5py<3.15", "fail"),
        ("tensorflow", "numpy>=1.26,<2.2", "fail"),
        ("pandas", "Num_Py >= 2.3 ; python_version >= '3.11'", "warn"),
    ],
)
def test_broken_requirements_fires(name: str, line: str, status: str) -> None:
    inspected = python(package(name, requires=[line]), NUMPY, package("num-py"))
    finding = one(packages.broken_requirements(inspected, facts(inspected), ANY))
    assert (finding.status, finding.subject) == (status, f"{name} 1.0")
    assert finding.remedy is not None
    assert finding.remedy.commands[0][:5] == ["uv", "pip", "install", "--python", "/venv/bin/python"]


@pytest.mark.parametrize(
    "line",
    [
        "numpy>=1.26,<2.3",
        "h5py>=3.11; extra == 'io'",
        "tomli>=1; python_version < '3.11'",
        "colorama; sys_platform == 'win32'",
        "nvidia-cublas-cu12==12.8.4.1",  # said by nvidia-pin-mismatch
        "thing @ file:///thing.whl",
        "((",
    ],
)
def test_broken_requirements_near_miss(line: str) -> None:
    inspected = python(package("torch", requires=[line]), NUMPY)
    assert not list(packages.broken_requirements(inspected, facts(inspected), ANY))


def test_broken_requirements_near_miss_where_a_version_could_not_be_read() -> None:
    unread = Package(name="numpy", version=None)
    inspected = python(package("torch", requires=["numpy>=2", "unversioned"]), unread, package("unversioned"))
    assert not list(packages.broken_requirements(inspected, facts(inspected), ANY))


def test_duplicate_distributions_fires() -> None:
    inspected = python(NUMPY, duplicates={"numpy": ["2.2.6", "1.26.4"]})
    finding = one(packages.duplicate_distributions(inspected, ANY))
    assert finding.remedy is not None
    assert [command[2] for command in finding.remedy.commands] == ["uninstall", "uninstall", "install"]


def test_duplicate_distributions_fires_and_keeps_what_the_others_take() -> None:
    needs = package("tensorflow", requires=["numpy<2.2", "numpy<1 ; python_version < '3'"])
    inspected = python(NUMPY, needs, duplicates={"numpy": ["1.26.4", "2.2.6", "?"], "odd": ["?", "dev"]})
    numpy, odd = packages.duplicate_distributions(inspected, ANY)
    assert numpy.remedy is not None
    assert odd.remedy is not None
    assert (numpy.remedy.commands[-1][-1], odd.remedy.commands[-1][-1]) == ("numpy==1.26.4", "odd")


def test_duplicate_distributions_near_miss() -> None:
    elsewhere = python(NUMPY, Package(name="numpy", version="1.26.4", location="/usr/lib"))
    assert not list(packages.duplicate_distributions(elsewhere, ANY))


def test_files_missing_fires_once_for_all_torn_packages() -> None:
    torn = [package(n, files_missing=[f"{n}/x.so"], files_missing_count=3) for n in ("torch", "numpy")]
    finding = one(packages.files_missing(python(*torn)))
    assert len(finding.evidence) == 2
    assert finding.remedy is not None
    assert finding.remedy.commands[0][-3:] == ["--reinstall", "torch==1.0", "numpy==1.0"]


def test_files_missing_fires_for_metadata_and_takes_the_version_from_its_folder() -> None:
    hollow = Package(name="torch", version=None, location="/venv/lib", metadata="torch-2.9.1+cpu.dist-info")
    finding = one(packages.files_missing(python(hollow)))
    assert finding.remedy is not None
    assert finding.remedy.commands[0][-1] == "torch==2.9.1+cpu"


def test_files_missing_near_miss() -> None:
    whole = package("torch", files_missing=[], files_missing_count=0)
    assert not list(packages.files_missing(python(whole, package("unexamined"))))


def test_files_overwritten_fires() -> None:
    both = Collision(packages=["tensorflow", "tensorflow-cpu"], example="tensorflow/__init__.py", count=14513)
    finding = one(packages.files_overwritten(python(collisions=[both]), ANY))
    assert "14513" in finding.message


def test_files_overwritten_fires_and_is_safe_to_mend_only_where_one_of_them_is_required() -> None:
    both = Collision(packages=["tensorflow", "tensorflow-cpu"], example="tensorflow/__init__.py", count=1)
    names = (package("tensorflow", "2.20.0"), package("tensorflow-cpu", "2.20.0"))
    needs = package("tf-agents", requires=["tensorflow-cpu"])
    doubtful = one(packages.files_overwritten(python(*names, collisions=[both]), ANY))
    clear = one(packages.files_overwritten(python(*names, needs, collisions=[both]), ANY))
    assert doubtful.remedy is not None
    assert clear.remedy is not None
    assert (doubtful.remedy.safe, clear.remedy.safe) == (False, True)
    assert clear.remedy.commands[-1][-1] == "tensorflow-cpu==2.20.0"


CUDNN = Collision(packages=["nvidia-cudnn-cu12", "nvidia-cudnn-cu13"], example="nvidia/cudnn/lib/x.so", count=9)


def test_files_overwritten_near_miss() -> None:
    assert not list(packages.files_overwritten(python(collisions=[CUDNN]), ANY))


@pytest.mark.parametrize("other", ["nvidia-cudnn-cu13", "nvidia-cudnn"])
def test_mixed_cuda_majors_fires(other: str) -> None:
    inspected = python(package("nvidia-cudnn-cu12"), package(other), collisions=[CUDNN])
    finding = one(nvidia_packages.mixed_cuda_majors(inspected, ANY))
    assert "cudnn" in finding.message
    assert len(finding.evidence) == 2


def test_mixed_cuda_majors_fires_and_what_nothing_requires_can_go() -> None:
    torch = package("torch", requires=["nvidia-cudnn-cu12==9.10.2.21"])
    libraries = (package("nvidia-cudnn-cu12", "9.10.2.21"), package("nvidia-cudnn-cu13", "9.19"))
    remedy = one(nvidia_packages.mixed_cuda_majors(python(torch, *libraries), ANY)).remedy
    assert remedy is not None
    assert (remedy.safe, [command[-1] for command in remedy.commands]) == (
        True,
        ["nvidia-cudnn-cu13", "nvidia-cudnn-cu12==9.10.2.21"],
    )
    other = package("tensorflow", requires=["nvidia-cudnn-cu13>=9; extra == 'and-cuda'"])
    disputed = one(nvidia_packages.mixed_cuda_majors(python(torch, other, *libraries), ANY)).remedy
    assert disputed is not None
    assert not disputed.safe


def test_mixed_cuda_majors_near_miss() -> None:
    names = ("nvidia-cudnn-cu12", "nvidia-cublas-cu12", "nvidia-ml-py", "nvidia-cuda-runtime-cu12")
    assert not list(nvidia_packages.mixed_cuda_majors(python(*map(package, names)), ANY))


PIN = ["nvidia-cublas-cu12==12.8.4.1; platform_machine == 'x86_64'"]
AND_CUDA = ["nvidia-nccl-cu12<3.0,>=2.27.7; extra == 'and-cuda'"]


@pytest.mark.parametrize(
    "installed",
    [
        [package("torch", requires=PIN), package("nvidia-cublas-cu12", "12.6.4.1")],
        [package("torch", requires=PIN)],
        [package("tensorflow", requires=AND_CUDA), package("nvidia-nccl-cu12", "2.27.5")],
    ],
)
def test_nvidia_pin_mismatch_fires(installed: list[Package]) -> None:
    inspected = python(*installed)
    assert one(nvidia_packages.nvidia_pin_mismatch(inspected, facts(inspected), ANY)).status == "fail"


@pytest.mark.parametrize(
    "installed",
    [
        [package("torch", requires=PIN), package("nvidia-cublas-cu12", "12.8.4.1")],
        [package("torch", requires=["nvidia-cublas-cu12==12.8.4.1; platform_machine == 'aarch64'"])],
        [package("tensorflow", requires=AND_CUDA)],
    ],
)
def test_nvidia_pin_mismatch_near_miss(installed: list[Package]) -> None:
    inspected = python(*installed)
    assert not list(nvidia_packages.nvidia_pin_mismatch(inspected, facts(inspected), ANY))


PINS = Profile(
    name="p",
    packages=["torch==2.13.0+cpu", "tensorflow-cpu==2.21.0", "numpy==2.2.6", "pywin==1; sys_platform == 'win32'"],
)
NONE = {name: absent("not installed") for name in ("torch", "tensorflow", "jax")}


def test_frameworks_missing_fires_once_with_all_that_is_missing() -> None:
    inspected = python(NUMPY)
    finding = one(profile_match.frameworks_missing(inspected, facts(inspected), PINS))
    assert finding.message == "torch and tensorflow-cpu of profile p are not installed"
    assert finding.remedy is not None
    assert finding.remedy.commands == [["envkit", "setup", "--profile", "p"]]


def test_frameworks_missing_fires_without_a_profile_where_nothing_could_train() -> None:
    assert one(profile_match.frameworks_missing(python(NUMPY), facts(python(NUMPY), **NONE), ANY)).status == "fail"
    no_python = Facts(python=absent("no python3 on PATH"))
    assert one(profile_match.frameworks_missing(None, no_python, ANY)).evidence == ["no python3 on PATH"]


def test_frameworks_missing_near_miss() -> None:
    # The CUDA build of TensorFlow is TensorFlow too.
    whole = python(package("torch", "2.13.0+cpu"), package("tensorflow", "2.21.0"), NUMPY)
    assert not list(profile_match.frameworks_missing(whole, facts(whole), PINS))
    unknown = {**NONE, "tensorflow": ok(Tensorflow(version="2.21.0"))}
    assert not list(profile_match.frameworks_missing(python(), facts(python(), **unknown), ANY))


def test_profile_packages_differ_fires_once_with_every_difference() -> None:
    other = python(package("torch", "2.13.0+cu130"), package("tensorflow-cpu", "2.20.0"), NUMPY)
    finding = one(profile_match.profile_packages_differ(other, facts(other), PINS))
    assert finding.status == "warn"
    assert finding.evidence == [
        "torch 2.13.0+cu130 is installed, ==2.13.0+cpu wanted",
        "tensorflow-cpu 2.20.0 is installed, ==2.21.0 wanted",
    ]


def test_profile_packages_differ_near_miss() -> None:
    loose = Profile(name="p", packages=["torch==2.13.0", "numpy==1.0; sys_platform == 'darwin'", "absent==1"])
    same = python(package("torch", "2.13.0+cpu"), NUMPY)
    assert not list(profile_match.profile_packages_differ(same, facts(same), loose))
