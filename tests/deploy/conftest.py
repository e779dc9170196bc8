"""Where the deployed files are, and the real Prometheus that judges them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("prometheus", "prometheus-node-exporter")  # Debian's


@pytest.fixture(scope="session")
def deploy() -> Path:
    return ROOT / "deploy"


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prometheus, promtool and prometheus-node-exporter, unpacked from Debian's packages (23 MB)."""
    if not shutil.which("apt-get"):
        pytest.skip("takes Prometheus from Debian's packages")
    folder = tmp_path_factory.mktemp("prometheus")
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
    return folder / "usr" / "bin"
