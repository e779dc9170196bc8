"""NVML as a stand-in for libnvidia-ml.so.1 plays it, which the real nvidia-ml-py loads."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.facts.accelerators import Nvidia
from envkit.probes import nvidia

SOURCE = Path(__file__).parents[1] / "nvml/nvml.c"
Observe = Callable[..., Nvidia]


def build(folder: Path, *options: str) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the NVML stand-in with")
    library = folder / "libnvidia-ml.so.570.133.20"
    subprocess.run([compiler, *options, "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    (folder / "libnvidia-ml.so.1").symlink_to(library.name)
    return folder


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="session")
def old_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("old_driver"), "-DOLD_DRIVER")


@pytest.fixture
def observe(driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Observe:
    def observe(script: str = "", *, folder: Path = driver, deadline_seconds: float = 30.0) -> Nvidia:
        (tmp_path / "script").write_text(script)
        monkeypatch.setenv("NVML_SCRIPT", str(tmp_path / "script"))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        section = nvidia.observe(deadline_seconds=deadline_seconds)
        assert section.outcome == "ok"
        assert section.facts is not None
        return section.facts

    return observe
