"""PyTorch's own tables, where --deep has read them: they win over ours, but for what the index has not."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import gpu_arch
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.software import Package, Python, Torch, TorchDeep
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, KNOWLEDGE = Profile(), Knowledge()
RUNS_ON = {"sm_50": ["5.0", "5.2"], "sm_60": ["6.0", "6.1"], "sm_90": ["9.0", "11.0"]}
BY_CUDA = {"12.6": ["sm_50", "sm_60", "sm_90"], "13.6": ["sm_90"], "14.0": ["sm_60", "sm_90"]}


def facts(version: str, *capabilities: str, cuda: str = "13.6", packages: Any = (), **deep: Any) -> Facts:
    gpus = [NvidiaGpu(index=i, name="GPU", compute_capability=c) for i, c in enumerate(capabilities)]
    told: dict[str, Any] = {"arch_list": ["sm_90"], "code_runs_on": RUNS_ON, "code_by_cuda": BY_CUDA, **deep}
    return Facts(
        nvidia=ok(Nvidia(gpus=gpus, cuda_driver_version=cuda)),
        torch_deep=ok(TorchDeep(imported=True, **told)),
        python=ok(
            Python(executable="p", version="3.12.1", packages=[Package(name="torch", version=version), *packages])
        ),
    )


def judged(version: str, said: Facts) -> list[Finding]:
    torch = Torch(version=version, cuda="13.6")
    assert said.nvidia.facts is not None
    return list(gpu_arch.gpu_arch_not_in_torch(said.nvidia.facts, torch, said, ANY, KNOWLEDGE))


def command(version: str, said: Facts) -> list[str]:
    (finding,) = judged(version, said)
    assert finding.status == "fail"
    assert finding.remedy is not None
    return finding.remedy.commands[0] if finding.remedy.commands else []


def test_a_device_that_only_pytorchs_own_table_knows_is_no_failure() -> None:
    assert not judged("99.0.0", facts("99.0.0", "11.0"))
    assert judged("99.0.0", facts("99.0.0", "11.0", code_runs_on=None))


def test_for_a_release_that_no_table_of_ours_knows_pytorch_itself_names_the_build() -> None:
    vision = Package(name="torchvision", version="0.99.1+cu136")
    found = command("99.0.0+cu136", facts("99.0.0+cu136", "6.1", packages=[vision]))
    assert found[-3:] == ["--torch-backend=cu126", "torch==99.0.0", "torchvision==0.99.1"]


def test_a_build_that_the_driver_runs_is_chosen_the_newest_first() -> None:
    assert "--torch-backend=cu140" in command("99.0.0", facts("99.0.0", "6.1", cuda="14.2"))
    assert "--torch-backend=cu126" in command("99.0.0", facts("99.0.0", "6.1", cuda="13.6"))


def test_one_build_must_have_code_for_every_gpu() -> None:
    mixed = facts("99.0.0", "5.2", "9.0", cuda="14.2")
    assert "--torch-backend=cu126" in command("99.0.0", mixed)


def test_a_build_that_pytorch_lists_and_its_index_has_not_is_not_recommended() -> None:
    found = command("2.15.0", facts("2.15.0", "6.1", arch_list=["sm_75"]))
    assert "torch==2.14.1" in found
    assert "--torch-backend=cu126" in found


@pytest.mark.parametrize("version", ["99.0.0.dev20280101+cu136", "99.0.0a0+git123"])
def test_for_builds_that_are_on_no_index_ours_is_asked(version: str) -> None:
    assert "torch==2.14.1" in command(version, facts(version, "6.1"))


def test_without_pytorchs_tables_ours_is_asked() -> None:
    assert "torch==2.14.1" in command("99.0.0", facts("99.0.0", "6.1", code_by_cuda=None))
    assert "torch==2.10.0" in command("2.10.0", facts("2.10.0", "6.1", code_by_cuda=None))


def test_where_no_build_fits_it_says_so() -> None:
    assert command("99.0.0", facts("99.0.0", "2.0", code_by_cuda=None)) == []
