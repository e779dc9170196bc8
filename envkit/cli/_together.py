"""`envkit smoke --nproc N`, and under torchrun or srun: data-parallel training, in words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import msgspec

from envkit.cli import _common
from envkit.interpreter import Interpreter

STATUSES = {"healthy": 0, "unhealthy": 1, "unknown": 3}


def launched() -> bool:
    """Whether torchrun or srun made this process one of several ranks."""
    from envkit.smoke.distributed.place import place_of

    return place_of(os.environ) is not None


def train(
    python: Interpreter,
    nproc: int | None,
    *,
    frameworks: Sequence[str],
    models: Sequence[str],
    format_: str,
    timeout: float,
) -> int:
    """Train together and print the report, rank 0 alone; the exit status."""
    from envkit.smoke.distributed.show import rank_lines, render
    from envkit.smoke.distributed.together import train_together
    from envkit.smoke.distributed.types import Framework

    report = train_together(
        python.path,
        nproc,
        frameworks=msgspec.convert(frameworks or ["torch"], list[Framework]),
        models=models,
        backend=_backend(python),
        deadline_seconds=timeout,
    )
    if report.rank in {None, 0} and format_ == "json":
        _common.write_json(report)
    elif report.rank in {None, 0}:
        _common.write(render(report, _common.style()))
    else:  # a rank that crashes is known to itself alone
        own = [rank for world in report.worlds for rank in world.ranks if rank.rank == report.rank]
        lines = [
            line for rank in own if rank.status not in {"pass", "skip"} for line in rank_lines(rank, _common.style())
        ]
        _common.write("".join(f"{line}\n" for line in lines), stream=sys.stderr)
    return STATUSES[report.status]


def _backend(python: Interpreter) -> str:
    """What the ranks talk by: nccl where NVIDIA GPUs can be used, else gloo."""
    from envkit.capture import capture
    from envkit.checks._gpus import usable

    return "nccl" if usable(capture(python=python, only=("nvidia",)).nvidia.facts) else "gloo"
