"""`envkit smoke --nproc N`: data-parallel training on many ranks, which must be that of one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

import envkit
from envkit import knowledge
from envkit.errors import InputError
from envkit.smoke import program
from envkit.smoke.distributed.asked import cases_of, need_equal_shares, need_memory, size_of
from envkit.smoke.distributed.judge import judge_world
from envkit.smoke.distributed.launch import Seat, Watch, run_ranks
from envkit.smoke.distributed.place import Place, place_of
from envkit.smoke.distributed.types import Framework, RankEnd, Task, TogetherEvent, TogetherReport, World

FOLDER = Path(__file__).parent
ELASTIC = "TORCHELASTIC_"
"""The beginning of variables of torchrun; ranks of our own would look for its agent."""

OnEvent = Callable[[TogetherEvent], None]


def train_together(
    python: str,
    nproc: int | None = None,
    *,
    frameworks: Sequence[Framework] = ("torch",),
    models: Sequence[str] = (),
    backend: str = "gloo",
    deadline_seconds: float = 120,
    memory_available_bytes: int | None = None,
    on_event: OnEvent | None = None,
    env: Mapping[str, str] | None = None,
) -> TogetherReport:
    """Train each framework on `nproc` ranks or devices, and judge it by what one process computes in float64.

    Under torchrun or srun this process takes part as the rank that it is, in PyTorch; otherwise it starts all ranks.

    Args:
        python: the inspected interpreter.
        nproc: ranks; None: as many as the launcher made, else 2.
        frameworks: one after the other.
        models: only these keys of `cases.MODELS`; none: all that can be.
        backend: "gloo" (CPU) or "nccl" (a GPU for each rank; RCCL has this name too).
        deadline_seconds: for every single step of a rank; the library's own timeout, too.
        memory_available_bytes: of this host; None: not known. Of a launcher's ranks each sees for itself.
        on_event: called when a rank enters a stage; from other threads, one call at a time.
        env: the environment of this process and its children; None: this process's.

    Raises:
        InputError: `nproc` is not what the launcher made, a batch does not divide by it, the launcher's variables are
            not usable, or a framework does not train so.
        CannotTell: that many processes do not fit into the memory; none was started.
    """
    started = time.monotonic()
    taken_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    base = dict(os.environ if env is None else env)
    place = place_of(base)
    size = size_of(nproc, place)
    alone = [framework for framework in frameworks if framework != "torch"]
    if place and alone:
        raise InputError(f"{alone[0]} trains on many devices of one process: it has no ranks for a launcher")
    report = on_event or (lambda _event: None)
    tasks = [
        Task(
            framework=framework,
            backend=backend,
            size=size,
            cases=cases_of(framework, models),
            deadline_seconds=deadline_seconds,
        )
        for framework in frameworks
    ]
    needs = knowledge.load().smoke_memory
    for task in tasks:
        need_equal_shares(task.cases, size)
        processes = size if task.framework == "torch" and not place else 1
        need_memory(task, processes, needs, memory_available_bytes)
    worlds = [
        _many_processes(task, python, place, base, report)
        if task.framework == "torch"
        else _one_process(task, python, base, report)
        for task in tasks
    ]
    return TogetherReport(
        envkit=envkit.__version__,
        taken_at=taken_at,
        python=python,
        status=_verdict(worlds),
        rank=place and place.rank,
        worlds=worlds,
        seconds=time.monotonic() - started,
    )


def _many_processes(task: Task, python: str, place: Place | None, base: Mapping[str, str], on_event: OnEvent) -> World:
    """One child for each rank that is ours: all of them, or the one that the launcher made of this process."""
    started = time.monotonic()
    if place:
        places = [place]
    else:
        port = _free_port()
        places = [Place(rank, task.size, rank, "127.0.0.1", port) for rank in range(task.size)]
        base = {name: value for name, value in base.items() if not name.startswith(ELASTIC)}
    seats = {own.rank: Seat(_program(task, own.rank), {**_defaults(task.size), **base, **own.env()}) for own in places}
    watch = Watch(task.deadline_seconds)
    elsewhere: dict[int, RankEnd] = {}
    with _ends_with_launcher(watch) if place else contextlib.nullcontext():
        ends = run_ranks(python, seats, watch, lambda rank, record: _hear(task, rank, record, elsewhere, on_event))
    if any(end.failed and end.failed["communication"] for end in ends) and not elsewhere:
        elsewhere = {0: RankEnd(rank=0, lost=True)}  # it holds the store, in which the others would be asked
    known = {**elsewhere, **{end.rank: end for end in ends}}
    return judge_world(task, known, time.monotonic() - started)


def _one_process(task: Task, python: str, base: Mapping[str, str], on_event: OnEvent) -> World:
    """Many devices of one process: GPUs with NCCL, else parts of the CPU."""
    started = time.monotonic()
    flags = f"{base.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={task.size}".strip()
    seats = {0: Seat(_program(task, 0), {**_defaults(1), **base, "XLA_FLAGS": flags})}
    watch = Watch(task.deadline_seconds)
    ends = run_ranks(python, seats, watch, lambda rank, record: _hear(task, rank, record, {}, on_event))
    return judge_world(task, {end.rank: end for end in ends}, time.monotonic() - started)


def _program(task: Task, rank: int) -> bytes:
    """What a child reads on its stdin."""
    sources = read_sources(task.framework)
    child = sources.pop("child")
    whole = {**msgspec.structs.asdict(task), "rank": rank, "envkit": envkit.__version__, "sources": sources}
    return program.program("smoke", child, whole)


def read_sources(framework: str) -> dict[str, str]:
    """The source of each module of a child."""
    files = {
        "child": FOLDER / "workers" / "child.py",
        "worker": FOLDER / "workers" / f"{framework}.py",
        "adapter": FOLDER.parent / "adapters" / f"{framework}.py",
        "models": FOLDER.parent / "models" / f"{framework}.py",
        "cases": FOLDER.parent / "cases.py",
        "shares": FOLDER / "workers" / "shares.py",
    }
    if framework == "torch":
        files["world"] = FOLDER / "workers" / "world.py"
    return {name: file.read_text("utf-8") for name, file in files.items()}


def _hear(task: Task, rank: int, record: dict[str, Any], elsewhere: dict[int, RankEnd], on_event: OnEvent) -> None:
    """Pass a stage on; keep what a rank knows of those that have no parent here."""
    if "stage" in record:
        on_event(TogetherEvent(framework=task.framework, rank=rank, **record))
    for name in ("world", "peers"):
        for other, told in record.get(name, {}).items():
            elsewhere[int(other)] = RankEnd(
                rank=int(other),
                done=name == "world",
                lost=name == "peers" and not told["failed"],
                trained={found["case"]: found for found in told.pop("trained", None) or []},
                **{what: value for what, value in told.items() if value},
            )


@contextlib.contextmanager
def _ends_with_launcher(watch: Watch) -> Iterator[None]:
    """Take SIGTERM, by which a launcher ends all ranks when one failed, for an alarm: a verdict is still due."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: watch.dismiss())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _defaults(ranks: int) -> dict[str, str]:
    """Settings of a child that its environment may override."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "OMP_NUM_THREADS": str(max(1, min(4, processors // ranks))),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "KERAS_BACKEND": "tensorflow",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TORCH_NCCL_BLOCKING_WAIT": "1",  # a timeout of NCCL is then an exception, with its words
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _verdict(worlds: Sequence[World]) -> Any:
    statuses = {world.status for world in worlds}
    if statuses & {"fail", "crash"}:
        return "unhealthy"
    return "healthy" if "pass" in statuses and "unknown" not in statuses else "unknown"
