"""`envkit smoke --nproc N`: data-parallel training on many ranks, which must be that of one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from envkit.errors import InputError, did_you_mean
from envkit.smoke import cases
from envkit.smoke.distributed.judge import judge_world
from envkit.smoke.distributed.launch import Seat, Watch, run_ranks
from envkit.smoke.distributed.place import Place, place_of
from envkit.smoke.distributed.types import Framework, RankEnd, Task, TogetherEvent, TogetherReport, World

FOLDER = Path(__file__).parent
TRAINED: dict[Framework, tuple[str, ...]] = {
    "torch": ("mlp", "cnn-smooth", "lstm", "transformer"),
    "tensorflow": ("mlp", "cnn-smooth"),
    "jax": ("mlp", "cnn-smooth"),
}
"""Cases whose trajectory float32 can follow. Adam is blind to a gradient that is N times too large; SGD is not."""
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
        on_event: called when a rank enters a stage; from other threads, one call at a time.
        env: the environment of this process and its children; None: this process's.

    Raises:
        InputError: `nproc` is not what the launcher made, a batch does not divide by it, the launcher's variables are
            not usable, or a framework does not train so.
    """
    started = time.monotonic()
    base = dict(os.environ if env is None else env)
    place = place_of(base)
    size = _size(nproc, place)
    alone = [framework for framework in frameworks if framework != "torch"]
    if place and alone:
        raise InputError(f"{alone[0]} trains on many devices of one process: it has no ranks for a launcher")
    report = on_event or (lambda _event: None)
    worlds = []
    for framework in frameworks:
        task = Task(
            framework=framework,
            backend=backend,
            size=size,
            cases=_cases(framework, models),
            deadline_seconds=deadline_seconds,
        )
        _divides(task.cases, size)
        if framework == "torch":
            worlds.append(_many_processes(task, python, place, base, report))
        else:
            worlds.append(_one_process(task, python, base, report))
    return TogetherReport(
        status=_verdict(worlds), rank=place and place.rank, worlds=worlds, seconds=time.monotonic() - started
    )


def _size(nproc: int | None, place: Place | None) -> int:
    if place and nproc not in {None, place.size}:
        raise InputError(
            f"--nproc {nproc}, but the launcher made {place.size} ranks",
            hint="leave --nproc out under torchrun and srun",
        )
    size = place.size if place else 2 if nproc is None else nproc
    if size < 1:
        raise InputError(f"--nproc {size}: expected 1 or more")
    return size


def _cases(framework: Framework, models: Sequence[str]) -> list[str]:
    """The cases of these models, or of all, that can be trained together."""
    for model in models:
        if model not in cases.MODELS:
            raise InputError(
                f"no smoke model is called {model!r}{did_you_mean(model, cases.MODELS)}",
                hint=f"known models: {', '.join(cases.MODELS)}",
            )
    wanted = {case for model in models or cases.MODELS for case in cases.MODELS[model]}
    found = [case for case in TRAINED[framework] if case in wanted]
    if not found:
        known = [model for model, of_model in cases.MODELS.items() if set(of_model) & set(TRAINED[framework])]
        raise InputError(
            f"{framework} does not train {', '.join(models)} on many devices",
            hint=f"it does train {', '.join(known)}",
        )
    return found


def _divides(names: Sequence[str], size: int) -> None:
    """Every rank must have an equal share; with more ranks than samples, as many must have each sample."""
    for name in names:
        batch = cases.CASES[name](0).batches[0][0].shape[0]
        if batch % size and size % batch:
            shares = ", ".join(str(count) for count in range(1, batch + 1) if batch % count == 0)
            raise InputError(
                f"the {name}'s batch of {batch} samples does not divide by {size} ranks",
                hint=f"--nproc {shares}, or a multiple of {batch}",
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
    seats = {own.rank: Seat(program(task, own.rank), {**_defaults(task.size), **base, **own.env()}) for own in places}
    watch = Watch(task.deadline_seconds)
    elsewhere: dict[int, RankEnd] = {}
    with _ends_with_launcher(watch) if place else contextlib.nullcontext():
        ends = run_ranks(python, seats, watch, lambda rank, record: _hear(task, rank, record, elsewhere, on_event))
    known = {**elsewhere, **{end.rank: end for end in ends}}
    return judge_world(task, known, time.monotonic() - started)


def _one_process(task: Task, python: str, base: Mapping[str, str], on_event: OnEvent) -> World:
    """Many devices of one process: GPUs with NCCL, else parts of the CPU."""
    started = time.monotonic()
    flags = f"{base.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={task.size}".strip()
    seats = {0: Seat(program(task, 0), {**_defaults(1), **base, "XLA_FLAGS": flags})}
    watch = Watch(task.deadline_seconds)
    ends = run_ranks(python, seats, watch, lambda rank, record: _hear(task, rank, record, {}, on_event))
    return judge_world(task, {end.rank: end for end in ends}, time.monotonic() - started)


def program(task: Task, rank: int) -> bytes:
    """What a child reads on its stdin."""
    sources = read_sources(task.framework)
    child = sources.pop("child")
    # JSON text is a valid Python string literal; the task itself is decoded by the child.
    text = json.dumps(json.dumps({**msgspec.structs.asdict(task), "rank": rank, "sources": sources}))
    return f'exec(compile({json.dumps(child)}, "<envkit smoke child>", "exec"))\nmain({text})\n'.encode("ascii")


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
