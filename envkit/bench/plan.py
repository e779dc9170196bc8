"""What is measured where."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any, get_args

from envkit.bench.children import Task
from envkit.bench.types import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
DTYPES = ("float32", "tf32", "bfloat16", "float16", "fp8", "float64")
TRANSFERS = ("h2d-pinned", "h2d-pageable", "d2h-pinned", "d2h-pageable")
PAGEABLE = TRANSFERS[1::2]
MODELS = ("mlp", "cnn-smooth", "lstm", "transformer")
"""Of smoke; its cnn differs from cnn-smooth in nothing that takes time."""


def on_host(kinds: Collection[str]) -> list[Task]:
    """What needs no framework."""
    tasks = [Task("memory", "cpu"), Task("disk", "disk", "write"), Task("disk", "disk", "read")]
    return [task for task in tasks if task.kind in kinds]


def on_cpu(kinds: Collection[str]) -> list[Task]:
    """What the processors are asked in PyTorch; types narrower than these have their full speed on few of them."""
    tasks = [Task("matmul", "cpu", dtype) for dtype in ("float32", "float64")] + _steps("cpu")
    return [task for task in tasks if task.kind in kinds]


def on_gpu(about: Mapping[str, Any], kinds: Collection[str]) -> list[Task]:
    """What one GPU is asked, by what PyTorch tells of it."""
    name = about["device"]
    # Page-locked memory is CUDA's and ROCm's; Apple's GPUs share the memory with the CPU: a copy tells nothing.
    ways = {"cuda": TRANSFERS, "mps": ()}.get(name.partition(":")[0], PAGEABLE)
    tasks = [
        *(Task("matmul", name, dtype) for dtype in about["dtypes"]),
        Task("memory", name),
        *(Task("transfer", name, way) for way in ways),
        *_steps(name),
    ]
    return [task for task in tasks if task.kind in kinds]


def _steps(device: str) -> list[Task]:
    return [Task("step", device, model) for model in MODELS]


def between(names: Sequence[str], kinds: Collection[str]) -> list[Task]:
    """Copies between each two GPUs."""
    return [Task("peer", f"{a}-{b}") for a, b in combinations(names, 2)] if "peer" in kinds else []
