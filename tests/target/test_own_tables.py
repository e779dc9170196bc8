"""What the frameworks themselves ship about versions and devices: stand-ins of each form, and the real PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envkit import harness, target
from envkit.target import deep, torch

ROOT = Path(__file__).parents[2]
PER_PROCESSOR = {
    "12.6": {"x86_64": {50, 90}, "aarch64": {80}},
    "13.0": {"x86_64": {75}, "aarch64": {110}},
}  # since 2.13
UNION = {"12.6": {50, 90, 80}, "13.0": {75, 110}}  # 2.11 and 2.12


class From:
    """A requirement as PyTorch has it: all it can do is to say whether a device is in it."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __contains__(self, device: int) -> bool:
        return device // 10 == self.start // 10 and device >= self.start


def test_which_device_runs_which_code_is_asked_device_by_device() -> None:
    cuda = SimpleNamespace(DEVICE_REQUIREMENT={100: From(100), 86: From(86), 101: {101, 110}})
    found = torch._code_runs_on(cuda, [13, 0])
    assert found is not None
    assert list(found) == ["sm_86", "sm_100", "sm_101"]
    assert found["sm_86"] == ["8.6", "8.7", "8.8", "8.9"]
    assert found["sm_101"] == ["10.1", "11.0"]


def test_from_cuda_13_2_on_the_table_without_jetsons_exceptions_counts() -> None:
    cuda = SimpleNamespace(
        DEVICE_REQUIREMENT={80: {80}}, DEVICE_REQUIREMENT_POST_JETSON_SBSA_UNIFICATION={80: {80, 87}}
    )
    assert torch._code_runs_on(cuda, [13, 0]) == {"sm_80": ["8.0"]}
    assert torch._code_runs_on(cuda, [13, 2]) == {"sm_80": ["8.0", "8.7"]}


@pytest.mark.parametrize(
    ("machine", "table", "expected"),
    [
        ("x86_64", PER_PROCESSOR, {"12.6": ["sm_50", "sm_90"], "13.0": ["sm_75"]}),
        ("aarch64", PER_PROCESSOR, {"12.6": ["sm_80"], "13.0": ["sm_110"]}),
        ("x86_64", UNION, {"12.6": ["sm_50", "sm_80", "sm_90"], "13.0": ["sm_75", "sm_110"]}),
    ],
)
def test_the_code_by_cuda_in_both_of_its_forms(
    monkeypatch: pytest.MonkeyPatch, machine: str, table: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    monkeypatch.setattr(torch.platform, "machine", lambda: machine)
    assert torch._code_by_cuda(SimpleNamespace(PYTORCH_RELEASES_CODE_CC=table)) == expected


@pytest.mark.parametrize(
    "cuda",
    [
        SimpleNamespace(),  # up to 2.10
        SimpleNamespace(DEVICE_REQUIREMENT=None, PYTORCH_RELEASES_CODE_CC=[1]),
        SimpleNamespace(DEVICE_REQUIREMENT={80: 3}, PYTORCH_RELEASES_CODE_CC={"13.0": {"riscv": {1}}}),
    ],
)
def test_a_table_that_is_not_there_or_of_another_form_is_none(cuda: SimpleNamespace) -> None:
    assert torch._code_runs_on(cuda, [12, 8]) is None
    assert torch._code_by_cuda(cuda) is None


def test_the_tables_in_the_real_pytorch_are_read(cpu_stack: Path) -> None:
    program = """
import json, torch
from envkit.target import torch as ours
print(json.dumps([torch.__version__, ours._code_runs_on(torch.cuda, [13, 0]), ours._code_by_cuda(torch.cuda)]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [str(cpu_stack), "-c", program]
    child = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, timeout=120)
    version, runs_on, by_cuda = json.loads(child.stdout)
    if tuple(map(int, version.partition("+")[0].split(".")[:2])) < (2, 11):
        pytest.skip(f"PyTorch {version} ships no tables")
    assert runs_on["sm_86"] == ["8.6", "8.8", "8.9"]  # not Jetson Orin's 8.7
    assert runs_on["sm_120"][:2] == ["12.0", "12.1"]
    assert "sm_90" in by_cuda["13.0"]


def test_numbers_of_versions() -> None:
    assert [deep.numbers(text) for text in ("13.2", "12.8.1", "", None, "13.x")] == [[13, 2], [12, 8, 1], [], [], []]
    assert deep.dotted(12090, 1_000, 10) == "12.9.0"
    assert deep.dotted(120901, 10_000) == "12.9.1"
    assert deep.dotted(0, 1_000) is None


TORCH = """
class version: cuda = "12.8"; hip = None
class _C:
    @staticmethod
    def _cuda_getArchFlags(): return "sm_75 sm_90 compute_90"
class cuda:
    DEVICE_REQUIREMENT = {75: {75, 80}}
    PYTORCH_RELEASES_CODE_CC = {"12.6": {75, 90}}
    @staticmethod
    def is_available(): return False
    @staticmethod
    def init(): raise RuntimeError("Found no NVIDIA driver on your system")
"""
JAX = """
import logging
__version__ = "9.9"
class Cpu: platform = "cpu"; device_kind = "cpu"
def devices():
    try: raise RuntimeError("Unable to load cuDNN. Is it installed?")
    except RuntimeError: logging.getLogger("jax._src.xla_bridge").exception("Exception when calling initialize()")
    return [Cpu()]
"""
VERSIONS = """
def cudnn_build_version(): return 90800
def cudnn_get_version(): raise RuntimeError("cuDNN not found.")
def cublas_build_version(): return 120901
def cublas_get_version(): return 120804
"""


def examined(tmp_path: Path, name: str, **files: str) -> dict[str, Any]:
    for path, text in files.items():
        place = tmp_path / path.replace("__", "/")
        place.parent.mkdir(exist_ok=True)
        place.with_suffix(".py").write_text(text)
    child = harness.run(
        [sys.executable, "-"],
        stdin=target.program([f"{name}_deep"]),
        deadline_seconds=30,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert child.succeeded, child.why()
    facts = child.records[-1]["facts"]
    assert isinstance(facts, dict)
    return facts


def test_pytorch_without_a_gpu_still_tells_its_code_and_its_tables(tmp_path: Path) -> None:
    found = examined(tmp_path, "torch", torch=TORCH)
    assert found["arch_list"] == ["sm_75", "sm_90", "compute_90"]
    assert found["code_runs_on"] == {"sm_75": ["7.5", "8.0"]}
    assert found["code_by_cuda"] == {"12.6": ["sm_75", "sm_90"]}
    assert found["cuda_error"] == "RuntimeError: Found no NVIDIA driver on your system"


def test_a_jax_that_falls_back_to_the_cpu_says_why_and_what_it_has_loaded(tmp_path: Path) -> None:
    found = examined(tmp_path, "jax", jax=JAX, jax_cuda12_plugin___versions=VERSIONS)
    assert found["cuda_error"] == "RuntimeError: Unable to load cuDNN. Is it installed?"
    assert [device["kind"] for device in found["devices"]] == ["cpu"]
    assert {each["name"]: (each["built"], each["loaded"]) for each in found["cuda_libraries"]} == {
        "cuda_runtime": (None, None),
        "cudnn": ("9.8.0", None),
        "cublas": ("12.9.1", "12.8.4"),
        "cufft": (None, None),
        "cusparse": (None, None),
    }


def test_a_jax_without_its_cuda_plugin_has_no_such_libraries(tmp_path: Path) -> None:
    found = examined(tmp_path, "jax", jax="def devices(): raise RuntimeError('no backend')")
    assert (found["cuda_libraries"], found["cuda_error"]) == ([], None)
    assert found["error"] == "RuntimeError: no backend"
