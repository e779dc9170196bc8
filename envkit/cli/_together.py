"""`envkit smoke --nproc N`, and under torchrun or srun: data-parallel training, in words."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from envkit.cli import _common
from envkit.errors import InputError
from envkit.interpreter import Interpreter

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.smoke.distributed.types import TogetherEvent, TogetherReport

STATUSES = {"healthy": 0, "unhealthy": 1, "unknown": 3}
BACKENDS = {"cpu": "gloo", "cuda": "nccl", "rocm": "nccl"}
"""What ranks on such devices talk by; RCCL has NCCL's name."""


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
    device: str = "",
    unused: Sequence[str] = (),
) -> int:
    """Train together and print the report, rank 0 alone; the exit status.

    Args:
        python: the inspected interpreter.
        nproc: ranks; None: as many as the launcher made.
        frameworks: none: PyTorch.
        models: none: all that can be.
        format_: "text" or "json".
        timeout: seconds for every single step of a rank.
        device: "cpu", "cuda", "rocm", or "" for GPUs where there are some.
        unused: options that were given and say nothing of many ranks, such as --compiled.
    """
    from envkit.capture import capture
    from envkit.smoke.distributed.together import train_together
    from envkit.smoke.distributed.types import Framework

    if unused:
        raise InputError(
            f"{', '.join(unused)}: not for training on many ranks, which is eager, in float32, for 20 steps",
            hint="leave it out, or `--nproc` (and under torchrun or srun start one process alone)",
        )
    if device and device not in BACKENDS:
        raise InputError(f"--device {device}: many ranks train on {', '.join(BACKENDS)}")
    facts = capture(python=python, only=("memory", "nvidia", "amd", "python", "torch"))
    backend = BACKENDS[device or _device(facts)]
    if nproc and backend == "nccl" and not launched():
        _need_gpus(nproc, facts)
    with _progress() as tell:
        report = train_together(
            python.path,
            nproc,
            frameworks=msgspec.convert(frameworks or ["torch"], list[Framework]),
            models=models,
            backend=backend,
            deadline_seconds=timeout,
            memory_available_bytes=memory.left_bytes if (memory := facts.memory.facts) else None,
            on_event=tell,
        )
    _show(report, format_)
    return STATUSES[report.status]


def _show(report: TogetherReport, format_: str) -> None:
    """The report of rank 0; of another rank what rank 0 may not know: how this one failed, or that rank 0 did."""
    from envkit.smoke.distributed.show import rank_lines, render

    style = _common.style()
    if report.rank in {None, 0} and format_ == "json":
        _common.write_json(report)
    elif report.rank in {None, 0}:
        _common.write(render(report, style))
    else:
        for world in report.worlds:
            by_number = {rank.rank: rank for rank in world.ranks}
            numbers = {report.rank} if by_number[0].status in {"pass", "skip", "unknown"} else {report.rank, 0}
            told = [by_number[number] for number in sorted(numbers)]
            if any(rank.status not in {"pass", "skip"} for rank in told):
                _common.write("".join(f"{line}\n" for rank in told for line in rank_lines(rank, style)), sys.stderr)


def _device(facts: Facts) -> str:
    """Where the ranks train: on GPUs that can be used, else on the CPU."""
    from envkit.checks._gpus import usable

    if usable(facts.nvidia.facts):
        return "cuda"
    amd, torch = facts.amd.facts, facts.torch.facts
    return "rocm" if amd and amd.gpus and torch and torch.hip else "cpu"


def _need_gpus(nproc: int, facts: Facts) -> None:
    """Refuse more ranks than there are GPUs; how many of them this process is shown, the framework says."""
    from envkit.checks._gpus import usable

    amd = facts.amd.facts
    count = len(usable(facts.nvidia.facts)) or len((amd.gpus if amd else None) or [])
    if nproc > count:
        raise InputError(
            f"--nproc {nproc}, but {count} {'GPU' if count == 1 else 'GPUs'} can be used here: each rank takes one",
            hint=f"--nproc {count}, or --device cpu" if count > 1 else "--device cpu",
        )


@contextmanager
def _progress() -> Iterator[Callable[[TogetherEvent], None] | None]:
    """A moving line on stderr that says what each rank is at; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    from envkit.smoke.distributed.blame import doing

    at: dict[int, str] = {}
    with Console(stderr=True).status("starting") as status:

        def tell(event: TogetherEvent) -> None:
            at[event.rank] = f"rank {event.rank}: {doing(msgspec.structs.asdict(event))}"
            status.update(f"{event.framework}  {'   '.join(at[rank] for rank in sorted(at)[:4])}")

        yield tell
