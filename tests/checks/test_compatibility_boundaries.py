"""Driver against wheel, GPU against code: exactly at the boundary and one step to each side."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from envkit.checks import driver_version, gpu_arch
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.machine import System
from envkit.facts.software import FrameworkDevice, Jax, JaxDeep, Package, Python, Tensorflow, Torch, TorchDeep
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, KNOWLEDGE, NO_FACTS = Profile(), Knowledge(), Facts()
ARM = Facts(system=ok(System(os="linux", architecture="aarch64")))
WSL = Facts(system=ok(System(os="linux", wsl=True)))


def driver(version: str | None, cuda: str | None, *capabilities: str) -> Nvidia:
    gpus = [NvidiaGpu(index=i, name="GPU", compute_capability=c) for i, c in enumerate(capabilities)]
    return Nvidia(driver_version=version, cuda_driver_version=cuda, gpus=gpus)


def torch(cuda: str, version: str = "2.10.0") -> Torch:
    return Torch(version=version, cuda=cuda)


def statuses(found: Iterable[Finding]) -> list[str]:
    return [finding.status for finding in found]


def too_old(cuda: str, nvidia: Nvidia, facts: Facts = NO_FACTS) -> list[str]:
    return statuses(driver_version.driver_too_old_for_torch(torch(cuda), nvidia, facts, ANY, KNOWLEDGE))


@pytest.mark.parametrize(
    ("cuda", "version", "implemented", "expected"),
    [
        ("11.8", "450.80.02", "11.0", []),  # the floor itself
        ("11.8", "450.51.06", "11.0", ["fail"]),  # of CUDA 11, and below the floor
        ("11.0", "450.51.06", "11.0", []),  # its own driver
        ("12.8", "525.60.13", "12.0", []),
        ("12.8", "525.53", "12.0", ["fail"]),
        ("12.8", "520.61.05", "11.8", ["fail"]),
        ("13.0", "575.57.08", "12.9", ["fail"]),
        ("13.0", "580.65.06", "13.0", []),
        ("13.2", "580.65.06", "13.0", []),
        ("12.8", "595.45.04", "13.2", []),  # drivers run what is older
        ("10.2", "418.39", "10.1", ["fail"]),  # before CUDA 11 each minor version counts
        ("10.2", "440.33", "10.2", []),
        ("10.1", "440.33", "10.2", []),
        ("14.1", "700.10", "14.0", []),  # newer than the tables: no failure
        ("14.1", "595.45.04", "13.2", ["fail"]),  # another major for sure
        ("13.0", "575.57.08", "unknown", ["unknown"]),
    ],
)
def test_a_driver_at_the_floor_of_a_wheel(cuda: str, version: str, implemented: str, expected: list[str]) -> None:
    assert too_old(cuda, driver(version, implemented)) == expected


@pytest.mark.parametrize(
    ("cuda", "version", "expected"),
    [
        ("11.8", "450.80.02", []),
        ("12.8", "525.60.13", []),
        ("12.8", "525.60.11", ["fail"]),
        ("13.0", "575.57.08", ["fail"]),
        ("13.0", "580.65.06", []),
        ("10.2", "418.39", ["fail"]),
        ("10.2", "440.33.01", []),
        ("14.1", "700.10", ["unknown"]),
    ],
)
def test_a_driver_whose_cuda_is_unknown_is_judged_by_its_version(cuda: str, version: str, expected: list[str]) -> None:
    assert too_old(cuda, driver(version, None)) == expected


@pytest.mark.parametrize(
    ("cuda", "version", "implemented", "expected"),
    [
        ("12.8", "527.41", "12.0", []),
        ("12.8", "527.27", "12.0", ["fail"]),
        ("12.8", "560.94", None, []),
        ("12.8", "516.01", None, ["fail"]),
        ("13.0", "576.57", "12.9", ["fail"]),
        ("13.0", "581.15", None, ["unknown"]),  # Windows has no driver of CUDA 13 in the tables
        ("13.0", "581.15", "13.0", []),
    ],
)
def test_under_wsl_the_versions_are_those_of_windows(
    cuda: str, version: str, implemented: str | None, expected: list[str]
) -> None:
    assert too_old(cuda, driver(version, implemented), WSL) == expected


def test_the_cuda_of_a_driver_counts_where_its_version_is_unknown() -> None:
    assert too_old("13.0", driver(None, "12.9")) == ["fail"]
    assert too_old("13.0", driver(None, "13.0")) == []
    assert too_old("13.0", driver(None, None)) == []


def test_a_framework_that_says_it_uses_the_gpu_needs_no_newer_driver() -> None:
    old = driver("575.57.08", "12.9")
    uses = [FrameworkDevice(kind="cuda")]
    assert too_old("13.0", old, Facts(torch_deep=ok(TorchDeep(imported=True, cuda_available=True)))) == []
    assert too_old("13.0", old, Facts(torch_deep=ok(TorchDeep(imported=True, cuda_available=False)))) == ["fail"]
    jax = Jax(version="0.12.0", plugins={"jax-cuda13-plugin": "0.12.0"})
    deep = Facts(jax_deep=ok(JaxDeep(imported=True, devices=uses)))
    assert not list(driver_version.driver_too_old_for_jax(jax, old, deep, ANY, KNOWLEDGE))


@pytest.mark.parametrize(
    ("cuda", "implemented", "expected"),
    [("12.8", "12.0", ["warn"]), ("12.8", "12.8", []), ("13.2", "13.0", ["warn"]), ("12.8", "13.0", [])],
)
def test_an_older_minor_version_runs_with_a_warning(cuda: str, implemented: str, expected: list[str]) -> None:
    nvidia = driver("525.60.13", implemented)
    assert (
        statuses(driver_version.driver_minor_compatibility(torch(cuda), nvidia, ANY, KNOWLEDGE, NO_FACTS)) == expected
    )


@pytest.mark.parametrize(
    ("capability", "words"),
    [("7.0", "branch 580 was its last"), ("9.0", "and 595 gets fixes"), ("3.7", "branch 470 was its last")],
)
def test_a_gpu_is_not_sent_to_a_driver_that_dropped_it(capability: str, words: str) -> None:
    facts = Facts(nvidia=ok(driver("580.65.06", "13.0", capability)))
    nvidia = driver("580.65.06", "13.0", capability)
    (finding,) = driver_version.driver_minor_compatibility(torch("13.2"), nvidia, ANY, KNOWLEDGE, facts)
    assert finding.remedy is not None
    assert words in finding.remedy.text


def arch(torch: Torch, nvidia: Nvidia, facts: Facts = NO_FACTS) -> list[str]:
    return statuses(gpu_arch.gpu_arch_not_in_torch(nvidia, torch, facts, ANY, KNOWLEDGE))


@pytest.mark.parametrize(
    ("version", "cuda", "capability", "expected"),
    [
        ("2.10.0", "12.6", "12.0", ["fail"]),  # Blackwell with a wheel of CUDA 12.6
        ("2.10.0", "12.8", "12.0", []),
        ("2.10.0", "12.8", "12.1", []),  # GB10 runs sm_120
        ("2.10.0", "12.8", "8.9", []),  # Ada runs sm_86
        ("2.8.0", "12.8", "6.1", ["fail"]),
        ("2.8.0", "12.9", "6.1", ["fail"]),
        ("2.8.0", "12.6", "6.1", []),
        ("2.0.1", "11.7", "9.0", ["fail"]),
        ("2.0.1", "11.8", "9.0", []),
        ("1.12.1", "10.2", "8.6", ["fail"]),
        ("1.12.1", "10.2", "7.5", []),  # Turing runs sm_70
        ("2.10.0", "13.4", "9.0", ["unknown"]),  # a variant that no table has
    ],
)
def test_a_gpu_against_an_official_wheel(version: str, cuda: str, capability: str, expected: list[str]) -> None:
    assert arch(torch(cuda, version), driver("595.45.04", "13.2", capability)) == expected


def test_a_wheel_for_arm_has_code_of_its_own() -> None:
    t4g, grace, orin, thor = "7.5", "9.0", "8.7", "11.0"
    nvidia = driver("595.45.04", "13.2", t4g, grace, orin, thor)
    assert arch(torch("12.8"), nvidia, ARM) == ["fail", "fail", "fail"]
    assert arch(torch("13.0", "2.13.0"), driver("595.45.04", "13.2", grace, thor), ARM) == []


@pytest.mark.parametrize("version", ["2.15.0.dev20260901+cu130", "2.16.0a0+git1234abc", "2.8.0a0+5228986c39.nv25.06"])
def test_nightly_own_and_container_builds_are_unknown_not_wrong(version: str) -> None:
    nvidia = driver("580.65.06", "13.0", "6.1")
    assert arch(torch("13.0", version), nvidia) == ["unknown"]
    assert too_old("13.0", nvidia) == []


@pytest.mark.parametrize(
    ("package", "system"),
    [
        (Package(name="torch", version="2.8.0", installer="conda"), None),
        (Package(name="torch", version="2.8.0", installer="pip", tags=["cp312-cp312-linux_x86_64"]), None),
        (None, System(os="windows")),
    ],
)
def test_a_pytorch_from_elsewhere_may_have_other_code(package: Package | None, system: System | None) -> None:
    python = Python(executable="/v/bin/python", version="3.12.1", packages=[package] if package else [])
    facts = Facts(python=ok(python), **({"system": ok(system)} if system else {}))
    assert arch(torch("12.8", "2.8.0"), driver("580.65.06", "13.0", "6.1"), facts) == ["unknown"]


def test_the_wheels_of_pytorchs_index_were_not_for_every_linux_and_are_official_all_the_same() -> None:
    package = Package(name="torch", version="2.5.1+cu121", tags=["cp312-cp312-linux_x86_64"])
    facts = Facts(python=ok(Python(executable="/v/bin/python", version="3.12.1", packages=[package])))
    assert arch(torch("12.1", "2.5.1+cu121"), driver("580.65.06", "13.0", "12.0"), facts) == ["fail"]


def test_a_report_that_names_no_operating_system_is_taken_for_linux() -> None:
    facts = Facts(system=ok(System(distribution_id="ubuntu")))
    assert arch(torch("12.8", "2.8.0"), driver("580.65.06", "13.0", "6.1"), facts) == ["fail"]


BLACKWELL = driver("580.65.06", "13.0", "12.0")


@pytest.mark.parametrize(
    ("tensorflow", "nvidia", "expected"),
    [
        (Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1"), BLACKWELL, ["fail"]),
        (
            Tensorflow(version="2.17.0+nv25.02", cuda_build=True, architectures=["sm_90", "sm_100", "sm_120"]),
            BLACKWELL,
            [],
        ),
        (Tensorflow(version="2.17.0+nv24.09", cuda_build=True), BLACKWELL, []),  # nobody knows
        (Tensorflow(version="2.22.0", cuda_build=True), BLACKWELL, ["unknown"]),
        (Tensorflow(version="2.22.0", cuda_build=True, architectures=["sm_80", "compute_90"]), BLACKWELL, []),
        (
            Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1", architectures=["sm_80"]),
            driver("580.65.06", "13.0", "7.0"),
            ["fail"],
        ),
        (Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1"), driver("555.42.02", "12.5", "9.0"), []),
        (Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1"), driver("550.54.14", "12.4", "9.0"), ["warn"]),
        (Tensorflow(version="2.20.0", cuda_build=True, cuda="12.5.1"), driver("550.54.14", "12.4", "8.9"), []),
    ],
)
def test_a_gpu_against_tensorflow(tensorflow: Tensorflow, nvidia: Nvidia, expected: list[str]) -> None:
    assert statuses(gpu_arch.gpu_arch_not_in_tensorflow(nvidia, tensorflow, ANY, KNOWLEDGE)) == expected


@pytest.mark.parametrize(
    ("plugin", "capability", "version", "implemented", "arch_fails", "driver_fails"),
    [
        (12, "7.0", "525.60.13", "12.0", False, False),
        (13, "7.0", "580.65.06", "13.0", True, False),
        (13, "7.5", "575.57.08", "12.9", False, True),
        (12, "5.0", "580.65.06", "13.0", True, False),
        (12, "12.1", "580.65.06", "13.0", False, False),
    ],
)
def test_the_plugins_of_jax(  # noqa: PLR0917 - a table
    plugin: int, capability: str, version: str, implemented: str, arch_fails: bool, driver_fails: bool
) -> None:
    jax = Jax(version="0.12.0", plugins={f"jax-cuda{plugin}-plugin": "0.12.0"})
    nvidia = driver(version, implemented, capability)
    assert bool(list(gpu_arch.gpu_arch_not_in_jax(nvidia, jax, ANY, KNOWLEDGE))) is arch_fails
    assert bool(list(driver_version.driver_too_old_for_jax(jax, nvidia, NO_FACTS, ANY, KNOWLEDGE))) is driver_fails
