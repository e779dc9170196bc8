"""Libraries that the loader takes before those of the wheels, and what mapped ones are called."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envkit.target import deep, libraries


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "venv/site-packages"
    for name in ("cudnn/lib/libcudnn.so.9", "cublas/lib/libcublas.so.12", "cublas/lib/libcublasLt.so.12"):
        touch(folder / "nvidia" / name)
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_what_a_folder_holds_under_the_same_name_shadows_a_wheel(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libcublas.so.12", "libcublas.so.12.4.5.8", "libcudnn.so.8", "libcuda.so.1", "libmine.so.1"):
        touch(tmp_path / "cuda-12.4/lib64" / name)
    touch(tmp_path / "cuda-11.8/lib64/libcublas.so.11")
    touch(tmp_path / "compat/libcuda.so.1")
    folders = [f"{tmp_path}/{name}" for name in ("cuda-12.4/lib64", "cuda-11.8/lib64", "compat", "gone")]
    monkeypatch.setenv("LD_LIBRARY_PATH", ":".join([*folders, "relative", "", str(site / "nvidia/cudnn/lib")]))
    assert libraries.shadowing() == {f"{tmp_path}/cuda-12.4/lib64": ["libcublas.so.12"]}


def test_without_the_variable_nothing_shadows(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    assert libraries.shadowing() == {}


def test_a_library_in_an_installers_cache_is_told_by_the_link_in_the_environment(site: Path, tmp_path: Path) -> None:
    cached = touch(tmp_path / "cache/nvidia/nccl/lib/libnccl.so.2")
    link = site / "nvidia/nccl/lib/libnccl.so.2"
    link.parent.mkdir(parents=True)
    link.symlink_to(cached)
    assert deep._linked({str(cached), "/usr/lib/nvidia/nccl/lib/libnccl.so.2"}) == {str(cached): str(link)}


def test_an_environment_behind_a_link_is_told_as_it_was_asked_for(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "current").symlink_to(tmp_path / "venv")
    folder = f"{tmp_path}/current/site-packages"
    monkeypatch.setattr(sys, "path", [folder])
    real = f"{site}/nvidia/cudnn/lib/libcudnn.so.9"
    assert deep._linked({real, "/usr/lib/libcudnn.so.9"}) == {real: f"{folder}/nvidia/cudnn/lib/libcudnn.so.9"}
