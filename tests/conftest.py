"""Fixtures shared by all tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """What is started in the background ignores SIGINT, and so would the commands under test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--heavy", action="store_true", help="also run what downloads or builds gigabytes")
    parser.addoption("--update", action="store_true", help="rewrite the reports expected of tests/machines/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--heavy"):
        for item in items:
            if "heavy" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="heavy: run with --heavy"))


@pytest.fixture(scope="session")
def cpu_stack() -> Path:
    """The Python of an environment with real PyTorch, TensorFlow and JAX (CPU builds), made by envkit itself.

    It stays for the next session, which then finds nothing to do.
    """
    folder = ROOT / ".test-stack"
    argv = [sys.executable, "-m", "envkit", "setup", "--profile", "cpu", "--with", "jax", "--venv", str(folder)]
    made = subprocess.run([*argv, "--no-smoke"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "bin" / "python"
