"""A PyTorch with GPUs that are not there, and what a bench of it needs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envkit.bench.children import Conditions
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia
from envkit.facts.machine import Cpu, Memory
from envkit.facts.nvidia import NvidiaGpu

H100 = "NVIDIA H100 80GB HBM3"
SPEC: dict[str, Any] = {
    "gpus": [H100],
    "tflops": {"float32": 50.0, "tf32": 400.0, "bfloat16": 700.0, "float16": 690.0, "fp8": 1200.0, "float64": 60.0},
    "memory": 3000.0,
    "pinned": 55.0,
    "pageable": 400.0,
    "peer": 370.0,
}


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Variables under which `import torch` is the stand-in, with these of its figures changed."""
    package = tmp_path / "site/torch"
    package.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "stand_in_torch.py", package / "__init__.py")

    def make(**changes: object) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(package.parent), "STAND_IN": json.dumps({**SPEC, **changes})}

    return make


@pytest.fixture
def conditions() -> Callable[..., Conditions]:
    """Conditions of children of this Python."""
    made = Conditions(
        python=sys.executable,
        env=dict(os.environ),
        threads=2,
        memory_bytes=1 << 30,
        deadline_seconds=60,
        on_event=lambda _: None,
    )
    return lambda **changes: replace(made, **changes)


@pytest.fixture
def facts() -> Callable[..., Facts]:
    """The facts of a machine with GPUs of these names, as NVML tells them."""

    def make(*names: str, **changes: Any) -> Facts:
        gpus = [NvidiaGpu(index=i, name=name, uuid=f"GPU-uuid-{i}", **changes) for i, name in enumerate(names)]
        return Facts(
            cpu=ok(Cpu(model="AMD EPYC 9654", threads=8, cores=4, affinity_threads=8)),
            memory=ok(Memory(memory_available_bytes=1 << 30)),
            nvidia=ok(Nvidia(gpus=gpus)),
        )

    return make
