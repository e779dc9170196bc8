"""NVML as a stand-in for libnvidia-ml.so.1 plays it, which the real nvidia-ml-py loads."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from envkit.facts.accelerators import Nvidia
from envkit.probes import nvidia

STAND_IN = runpy.run_path(str(Path(__file__).parents[1] / "nvml/stand_in.py"))
Observe = Callable[..., Nvidia]


def built(factory: pytest.TempPathFactory, *options: str) -> Path:
    folder: Path | None = STAND_IN["build"](factory.mktemp("driver"), *options)
    if folder is None:
        pytest.skip("no C compiler to build the NVML stand-in with")
    return folder


@pytest.fixture(scope="session")
def stand_in() -> dict[str, Any]:
    """The names of tests/nvml/stand_in.py."""
    return STAND_IN


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory)


@pytest.fixture(scope="session")
def old_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory, "-DOLD_DRIVER")


@pytest.fixture(scope="session")
def libraries(driver: Path, old_driver: Path) -> dict[str, Path]:
    """The file of each build, by what it exports."""
    return {"": (driver / "libnvidia-ml.so.1").resolve(), "old": (old_driver / "libnvidia-ml.so.1").resolve()}


@pytest.fixture
def observe(driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Observe:
    def observe(script: str = "", *, folder: Path = driver, **options: Any) -> Nvidia:
        (tmp_path / "script").write_text(script)
        monkeypatch.setenv("NVML_SCRIPT", str(tmp_path / "script"))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        section = nvidia.observe(**{"deadline_seconds": 30.0, "deep": True, **options})
        assert section.outcome == "ok"
        assert section.facts is not None
        return section.facts

    return observe


@pytest.fixture
def left_child() -> Iterator[Callable[[], psutil.Process]]:
    """The child that was left behind; ended here, after the test."""
    before = set(psutil.Process().children())

    def left() -> psutil.Process:
        (child,) = set(psutil.Process().children()) - before
        return child

    yield left
    for child in set(psutil.Process().children()) - before:
        child.kill()
        os.waitpid(child.pid, 0)
