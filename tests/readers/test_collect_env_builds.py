"""What a report of torch.utils.collect_env tells of the build of PyTorch, and what it leaves open."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.facts.software import Torch
from envkit.readers import collect_env


def read(text: str) -> Facts:
    found = collect_env.read(text)
    assert found
    return found


def torch(text: str) -> Torch:
    section = read(text).torch
    assert section.facts
    return section.facts


@pytest.mark.parametrize("word", ["None", "Could not collect"])
def test_a_build_without_cuda_is_known_to_be_one(word: str) -> None:
    found = torch(f"PyTorch version: 2.6.0+cpu\nCUDA used to build PyTorch: {word}\nROCM used to build PyTorch: N/A\n")
    assert (found.cuda, found.hip, found.build_known) == (None, None, True)


@pytest.mark.parametrize(
    ("version", "known", "cuda"), [("2.5.1", False, None), ("2.5.1+cu118", True, "11.8"), ("2.5.1+cpu", True, None)]
)
def test_a_build_that_is_not_stated_is_told_by_the_version_or_unknown(
    version: str, known: bool, cuda: str | None
) -> None:
    found = torch(f"PyTorch version: {version}\nIs CUDA available: False\n")
    assert (found.build_known, found.cuda) == (known, cuda)


def test_a_build_for_intel_gpus_is_not_called_one_for_the_cpu() -> None:
    assert torch("PyTorch version: 2.6.0+xpu\nCUDA used to build PyTorch: None\n").build_known is False


def test_no_cuda_means_that_no_gpu_was_found_and_could_not_collect_that_it_is_unknown() -> None:
    text = "PyTorch version: 2.6.0\nIs CUDA available: False\nNvidia driver version: "
    assert read(f"{text}No CUDA\nGPU models and configuration: No CUDA\n").nvidia.outcome == "absent"
    assert read(f"{text}Could not collect\nGPU models and configuration: Could not collect\n").nvidia.facts is None


def test_torch_that_could_not_be_imported_is_installed_all_the_same() -> None:
    text = "PyTorch version: N/A\nCUDA used to build PyTorch: N/A\nIs CUDA available: N/A\n[pip3] torch==2.1.0\n"
    found = read(text)
    assert found.torch.facts
    assert (found.torch.facts.version, found.torch.facts.build_known) == ("2.1.0", False)
    assert found.torch_deep.facts
    assert found.torch_deep.facts.imported is False
    assert collect_env.read(text.replace("[pip3]", "[nope]")) is None


def test_condas_build_string_tells_the_cuda_of_torch_where_the_report_does_not() -> None:
    row = "[conda] pytorch                   1.5.1           py3.7_cuda102_cudnn7_0    pytorch\n"
    found = torch(f"Versions of relevant libraries:\n[pip] numpy==1.18.1\n{row}")
    assert (found.version, found.cuda, found.build_known) == ("1.5.1", "10.2", True)
