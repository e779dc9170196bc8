"""The sections `torch`, `tensorflow` and `jax` from metadata, in folders made here and in a real environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from envkit import harness, target
from envkit.target import jax, literals, tensorflow, torch

BUILD_INFO = """\
import collections
build_info = collections.OrderedDict([('cuda_version', '12.5.1'), ('cudnn_version', '9'),
    ('is_cuda_build', True), ('is_rocm_build', False), ('cuda_compute_capabilities', ['sm_60'])])
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def install(site: Path, name: str, version: str, *requires: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires), ""]
    (folder / "METADATA").write_text("\n".join(lines))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_not_installed_is_none(site: Path) -> None:
    assert (torch.observe(), tensorflow.observe(), jax.observe()) == (None, None, None)


def test_a_cuda_build_of_torch(site: Path) -> None:
    linux = '; platform_system == "Linux"'
    pins = [
        "nvidia-cudnn-cu12==9.10.2.21",
        "nvidia-nccl-cu12==2.27.5",
        "triton==3.5.0",
        "nvidia-cuda-nvrtc-cu12==12.8.93",
    ]
    install(site, "torch", "2.9.1+cu128", "filelock", *(pin + linux for pin in pins))
    write(
        site / "torch/version.py",
        "from typing import Optional\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n",
    )
    assert torch.observe() == {
        "version": "2.9.1+cu128",
        "location": str(site),
        "cuda": "12.8",
        "hip": None,
        "xpu": None,
        "cudnn": "9.10.2.21",
        "nccl": "2.27.5",
        "triton": "3.5.0",
        "build_known": True,
    }


def test_a_rocm_build_of_torch(site: Path) -> None:
    install(site, "torch", "2.9.1+rocm6.4", "pytorch-triton-rocm==3.5.0")
    write(site / "torch/version.py", "cuda = None\nhip = '6.4.43482'\n")
    found = torch.observe()
    assert found is not None
    assert (found["cuda"], found["hip"], found["triton"]) == (None, "6.4.43482", "3.5.0")


@pytest.mark.parametrize("text", [None, "", "cuda = '12.8", "\x00"])
def test_a_torch_whose_version_file_cannot_be_read_has_an_unknown_build(site: Path, text: str | None) -> None:
    install(site, "torch", "2.9.1")
    if text is not None:
        write(site / "torch/version.py", text)
    found = torch.observe()
    assert found is not None
    assert (found["build_known"], found["cuda"]) == (False, None)


def test_a_cuda_build_of_tensorflow(site: Path) -> None:
    install(site, "tensorflow", "2.21.0")
    install(site, "keras", "3.12.0")
    install(site, "nvidia-cudnn-cu12", "9.3")
    write(site / "tensorflow/python/platform/build_info.py", BUILD_INFO)
    expected = {
        "version": "2.21.0",
        "distribution": "tensorflow",
        "location": str(site),
        "cuda_build": True,
        "cuda": "12.5.1",
        "cudnn": "9",
        "architectures": ["sm_60"],
        "rocm_build": False,
        "keras": "3.12.0",
        "and_cuda": False,
    }
    assert tensorflow.observe() == expected
    install(site, "nvidia-cublas-cu12", "12.5")
    assert tensorflow.observe() == {**expected, "and_cuda": True}


@pytest.mark.parametrize("name", tensorflow.DISTRIBUTIONS)
def test_each_distribution_of_tensorflow_is_known_and_its_build_may_be_unknown(site: Path, name: str) -> None:
    install(site, name, "2.20.0")
    found = tensorflow.observe()
    assert found is not None
    assert (found["distribution"], found["cuda_build"], found["keras"]) == (name, None, None)


def test_the_parts_of_jax(site: Path) -> None:
    install(site, "jax", "0.9.0")
    install(site, "jaxlib", "0.9.0")
    install(site, "jax-cuda12-plugin", "0.8.0")
    install(site, "jax-cuda12-pjrt", "0.9.0")
    assert jax.observe() == {
        "version": "0.9.0",
        "location": str(site),
        "jaxlib": "0.9.0",
        "plugins": {"jax-cuda12-plugin": "0.8.0", "jax-cuda12-pjrt": "0.9.0"},
        "libtpu": None,
    }


def test_constants_are_read_without_running_the_file(tmp_path: Path) -> None:
    write(
        tmp_path / "x.py",
        "import os\na = 1\nb: str = 'x'\nc = os.getcwd()\nd = OrderedDict([('e', 2)])\nraise SystemExit\n",
    )
    assert literals.read(str(tmp_path / "x.py")) == {"a": 1, "b": "x", "d": [("e", 2)]}


def test_a_real_environment(cpu_stack: Path) -> None:
    child = harness.run(
        [str(cpu_stack), "-"], stdin=target.program(["torch", "tensorflow", "jax"]), deadline_seconds=30
    )
    found: dict[str, Any] = {record["section"]: record for record in child.records}
    assert found["torch"]["facts"]["build_known"] is True
    assert found["torch"]["facts"]["cuda"] is None
    assert found["tensorflow"]["facts"]["distribution"] == "tensorflow-cpu"
    assert found["tensorflow"]["facts"]["cuda_build"] is False
    assert found["jax"]["facts"]["version"].startswith("0.")
