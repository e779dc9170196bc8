"""Smoke runs: a child for each framework and device, a verdict for each run whatever becomes of the child."""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import envkit
from envkit import knowledge
from envkit.errors import InputError, did_you_mean
from envkit.probes import cgroup
from envkit.profile import SmokeRun
from envkit.smoke.cases import MODELS
from envkit.smoke.conclude import Outcome, agree
from envkit.smoke.framework import Conditions, Task, blame, train
from envkit.smoke.schedule import Child, Free, lanes, shortage
from envkit.smoke.types import Event, Precision, SmokeReport, Variant, verdict

MAX_THREADS = 4  # the models are too small to gain from more
STEPS, LONG_STEPS = 20, 200


def smoke(
    python: str,
    runs: Sequence[SmokeRun],
    *,
    variants: Sequence[Variant] = ("eager",),
    precisions: Sequence[Precision] = ("float32",),
    indices: Sequence[int] = (0,),
    long: bool = False,
    deadline_seconds: float = 300,
    memory_available_bytes: int | None = None,
    device_memory: Mapping[str, int] | None = None,
    on_event: Callable[[Event], None] | None = None,
    env: Mapping[str, str] | None = None,
) -> SmokeReport:
    """Compute every model of `runs` in children of an interpreter; what becomes of the children is in the report.

    Args:
        python: the inspected interpreter.
        runs: what to compute; the runs of one framework on one device share a child.
        variants: each run is done eagerly, compiled, or both.
        precisions: and in each of these.
        indices: and on each of these devices of its kind; the CPU is one.
        long: trajectories have 200 steps instead of 20.
        deadline_seconds: for one stage: an import, a gradient, a first step; for a training one step.
        memory_available_bytes: what is free of the machine's. Children that share a device run side by side only where
            that is enough for all; a child that needs more than there is is not started. None: not known.
        device_memory: what is free of a device's, likewise, by its name ("cuda:0").
        on_event: called when a run enters a stage and with its result; from other threads, one call at a time.
        env: environment of the children before envkit's own settings; None: this process's.

    Raises:
        InputError: a run names a model that does not exist.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `envkit smoke` alone needs it

    started = time.monotonic()
    taken_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    children = _children(runs, variants, precisions, indices, LONG_STEPS if long else STEPS)
    free = Free(memory_available_bytes, device_memory or {})
    short = {(child.framework, child.device): shortage(child, free) for child in children}
    side_by_side = lanes([child for child in children if not short[child.framework, child.device]], free)
    lock = threading.Lock()

    def report(event: Event) -> None:
        if on_event:
            with lock:
                on_event(event)

    with _scratch() as folder, ThreadPoolExecutor(max(1, len(side_by_side))) as pool:
        environment = _environment(os.environ if env is None else env, len(side_by_side), folder)
        conditions = Conditions(
            python=python,
            env=environment,
            threads=environment["OMP_NUM_THREADS"],
            deadline_seconds=deadline_seconds,
            on_event=report,
            stop=threading.Event(),
        )
        futures = [pool.submit(_train_all, lane, conditions) for lane in side_by_side]
        try:
            done = {key: outcomes for future in futures for key, outcomes in future.result().items()}
        except BaseException:  # Ctrl-C, or on_event failed: no child goes on
            conditions.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        for child in children:
            if verdict_on := short[child.framework, child.device]:
                blamed = [blame(child.framework, task, verdict_on, conditions) for task in child.tasks]
                done[child.framework, child.device] = blamed
    outcomes = [outcome for child in children for outcome in done[child.framework, child.device]]
    results = [outcome.result for outcome in outcomes]
    return SmokeReport(
        envkit=envkit.__version__,
        taken_at=taken_at,
        python=python,
        status=verdict(results),
        runs=results,
        agreement=agree(outcomes),
        seconds=time.monotonic() - started,
    )


def _train_all(lane: list[Child], conditions: Conditions) -> dict[tuple[str, str], list[Outcome]]:
    return {(child.framework, child.device): train(child.framework, child.tasks, conditions) for child in lane}


def _children(
    runs: Sequence[SmokeRun],
    variants: Sequence[Variant],
    precisions: Sequence[Precision],
    indices: Sequence[int],
    steps: int,
) -> list[Child]:
    """What to do in each framework on each device, in every way."""
    tasks: dict[tuple[str, str], list[Task]] = {}
    for run in runs:
        for model in run.models:
            if model not in MODELS:
                raise InputError(
                    f"no smoke model is called {model!r}{did_you_mean(model, MODELS)}",
                    hint=f"known models: {', '.join(MODELS)}",
                )
        devices = [run.device] if run.device == "cpu" else [_device(run.device, index) for index in indices]
        for device in devices:
            ways = itertools.product(run.models, [device], precisions, variants)
            tasks.setdefault((run.framework, device), []).extend(Task(*way, steps) for way in ways)
    table = knowledge.load().smoke_memory
    children = []
    for (framework, device), own in tasks.items():
        words = {framework, device.partition(":")[0], *(word for task in own for word in (task.model, task.variant))}
        children.append(Child(framework, device, own, table.need(words)))
    return children


def _device(kind: str, index: int) -> str:
    return f"{kind}:{index}" if index else kind


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder for what compilers leave behind; "" where there is no place for one."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="envkit-smoke-", ignore_cleanup_errors=True)
    except OSError:
        yield ""
        return
    with folder:
        yield folder.name


def _environment(base: Mapping[str, str], workers: int, folder: str) -> dict[str, str]:
    """The children's environment; threads, unless they are set already, share the processors.

    With more threads than processors the waiting threads of OpenMP spin: PyTorch then trains ten times slower.
    """
    threads = max(1, min(MAX_THREADS, _processors() // max(1, workers)))
    defaults = {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    fixed = {
        "KERAS_BACKEND": "tensorflow",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # neither framework may take all of a GPU while the other trains on it
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        # Proving changes nothing.
        "PYTHONDONTWRITEBYTECODE": "1",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        **(dict.fromkeys(("TMPDIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"), folder) if folder else {}),
    }
    return {**defaults, **base, **fixed}


def _processors() -> int:
    """Processors that this process may keep busy: what the scheduler and the control group allow."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup.cpu_quota("/")
    return max(1, min(allowed, int(quota))) if isinstance(quota, float) else allowed
