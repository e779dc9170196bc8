"""The rules of drivers and of CUDA code, at their boundaries."""

from __future__ import annotations

import pytest

from envkit.knowledge import Knowledge
from envkit.knowledge.wheels import code_of

KNOWLEDGE = Knowledge()
DRIVERS, TORCH = KNOWLEDGE.drivers, KNOWLEDGE.torch


@pytest.mark.parametrize(
    ("architectures", "capability", "expected"),
    [
        (["sm_86"], "8.9", "binary"),
        (["sm_89"], "8.6", "no"),
        (["sm_90a"], "9.0", "binary"),
        (["sm_90a"], "10.0", "no"),
        (["sm_100a"], "10.3", "no"),  # for that device alone
        (["sm_100f"], "10.3", "binary"),  # for its family
        (["sm_100f"], "12.0", "no"),
        (["sm_120"], "12.1", "binary"),  # GB10
        (["sm_100"], "12.0", "no"),
        (["sm_90", "compute_90"], "12.0", "ptx"),
        (["sm_90", "compute_90a"], "12.0", "no"),
        (["sm_86", "compute_90"], "8.0", "no"),  # PTX is for newer devices only
        (["gfx942", ""], "9.0", "no"),
    ],
)
def test_what_a_framework_says_it_has_runs_where_nvidia_says(
    architectures: list[str], capability: str, expected: str
) -> None:
    assert TORCH.runs_on(code_of(architectures), capability, "12.8") == expected


def test_code_is_named_as_nvidia_writes_it() -> None:
    assert code_of(["sm_75", "sm_90a", "compute_120"]).names == "sm_75 sm_90a compute_120"


def test_the_frameworks_own_table_wins_over_ours_for_the_code_it_knows() -> None:
    own = {"sm_90": ["9.0", "11.0"]}
    assert TORCH.runs_on(code_of(["sm_90"]), "11.0", "13.0", own) == "binary"
    assert TORCH.runs_on(code_of(["sm_90"]), "9.9", "13.0", own) == "no"
    assert TORCH.runs_on(code_of(["sm_80"]), "8.6", "13.0", own) == "binary"  # it says nothing of sm_80


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("570.133.20", "12.8"),
        ("570.26", "12.8"),
        ("565.57.01", "12.6"),  # it has 12.7, which no toolkit had: at least 12.6
        ("580.65.06", "13.0"),
        ("590.48.01", "13.1"),
        ("418.40", "10.1"),
        ("384.81", "9.0"),
        ("367.48", None),
        ("", None),
    ],
)
def test_the_cuda_of_a_driver(driver: str, cuda: str | None) -> None:
    assert DRIVERS.cuda_of(driver) == cuda


@pytest.mark.parametrize(
    ("cuda", "driver", "expected"),
    [
        ("13.0", "535.183.01", True),
        ("13.0", "570.172.08", True),
        ("13.0", "560.35.05", None),  # a branch that stands in no table
        ("13.0", "590.48.01", False),  # older than the driver
        ("12.8", "570.133.20", None),  # the driver has it itself
        ("12.4", "550.54.14", None),
        ("12.4", "570.26", False),
        ("13.2", "580.173.02", True),
        ("99.0", "580.173.02", None),
    ],
)
def test_a_compatibility_package_works_in_front_of_older_branches_that_are_listed(
    cuda: str, driver: str, expected: bool | None
) -> None:
    assert DRIVERS.works_in_front_of(cuda, driver) is expected


@pytest.mark.parametrize(("capability", "branch"), [("3.5", "470"), ("6.1", "580"), ("7.0", "580"), ("7.5", None)])
def test_old_gpus_have_a_last_branch(capability: str, branch: str | None) -> None:
    assert DRIVERS.last_branch(capability) == branch


def test_windows_has_drivers_of_its_own_and_none_for_cuda_13() -> None:
    assert DRIVERS.floor("12.8", windows=True) == "527.41"
    assert DRIVERS.of_toolkit("12.8", windows=True) == "570.65"
    assert DRIVERS.floor("13.0", windows=True) is None


@pytest.mark.parametrize(
    ("version", "cuda", "expected"),
    [("2.14.1", "12.6", True), ("2.15.0", "12.6", False), ("2.13.0", "12.9", False), ("99.0.0", "12.6", None)],
)
def test_what_pytorchs_index_has(version: str, cuda: str, expected: bool | None) -> None:
    assert TORCH.offers(version, cuda, "x86_64") is expected


def test_the_installed_pytorch_is_preferred_where_it_has_a_build_that_fits() -> None:
    def build(capability: str, preferred: str) -> tuple[str, str] | None:
        return TORCH.build([capability], driver_cuda="13.0", python="", architecture="x86_64", preferred=preferred)

    assert build("6.1", "2.10.0") == ("2.10.0", "cu126")
    assert build("6.1", "2.15.0") == ("2.14.1", "cu126")


@pytest.mark.parametrize(
    ("version", "python"),
    [
        ("0.4.30", ">=3.9,<3.13"),
        ("0.7.0", ">=3.11,<3.14"),  # 3.14 came with the next
        ("0.7.1", ">=3.11,<3.15"),
        ("0.12.0.1", ">=3.12,<3.16"),
    ],
)
def test_each_jax_has_pythons_of_its_own(version: str, python: str) -> None:
    assert KNOWLEDGE.pythons("jax", version) == python


def test_the_libraries_of_jax_have_a_least_version_or_that_of_the_build() -> None:
    assert KNOWLEDGE.jax.libraries["cublas"].least == "12.1"
    assert KNOWLEDGE.jax.libraries["cudnn"].least == ""
