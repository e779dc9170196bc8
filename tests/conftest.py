"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cpu_stack() -> Path:
    """The Python of an environment with real PyTorch and real TensorFlow (CPU builds)."""
    return Path(os.environ["ENVKIT_CPU_STACK"])
