"""Smoke runs: a child for each framework, a verdict for each run whatever becomes of the child."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import envkit
from envkit.errors import InputError, did_you_mean
from envkit.profile import SmokeRun
from envkit.smoke.cases import MODELS
from envkit.smoke.conclude import agree
from envkit.smoke.framework import Conditions, Task, train
from envkit.smoke.types import Event, Precision, SmokeReport, Variant, verdict

SIDE_BY_SIDE_BYTES = 4 << 30  # CPU builds peak at 0.4 GB (PyTorch) and 0.6 GB (TensorFlow); GPU builds need more
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
    on_event: Callable[[Event], None] | None = None,
    env: Mapping[str, str] | None = None,
) -> SmokeReport:
    """Compute every model of `runs` in children of an interpreter; what becomes of the children is in the report.

    Args:
        python: the inspected interpreter.
        runs: what to compute; the runs of one framework share a child.
        variants: each run is done eagerly, compiled, or both.
        precisions: and in each of these.
        indices: and on each of these devices of its kind; the CPU is one.
        long: trajectories have 200 steps instead of 20.
        deadline_seconds: for one stage: an import, a gradient, a first step; for a training one step.
        memory_available_bytes: with 4 GiB or more the frameworks run side by side; less or None, one after the other.
        on_event: called when a run enters a stage and with its result; from other threads, one call at a time.
        env: environment of the children before envkit's own settings; None: this process's.

    Raises:
        InputError: a run names a model that does not exist.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `envkit smoke` alone needs it

    started = time.monotonic()
    taken_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    tasks = _tasks(runs, variants, precisions, indices, LONG_STEPS if long else STEPS)
    together = len(tasks) > 1 and (memory_available_bytes or 0) >= SIDE_BY_SIDE_BYTES
    workers = len(tasks) if together else 1
    environment = _environment(os.environ if env is None else env, workers)
    lock = threading.Lock()

    def report(event: Event) -> None:
        if on_event:
            with lock:
                on_event(event)

    conditions = Conditions(
        python=python,
        env=environment,
        threads=environment["OMP_NUM_THREADS"],
        deadline_seconds=deadline_seconds,
        on_event=report,
        stop=threading.Event(),
    )
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(train, framework, wanted, conditions) for framework, wanted in tasks.items()]
        try:
            outcomes = [outcome for future in futures for outcome in future.result()]
        except BaseException:  # Ctrl-C, or on_event failed: no child goes on
            conditions.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
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


def _tasks(
    runs: Sequence[SmokeRun],
    variants: Sequence[Variant],
    precisions: Sequence[Precision],
    indices: Sequence[int],
    steps: int,
) -> dict[str, list[Task]]:
    """What to do in each framework, in every way."""
    tasks: dict[str, list[Task]] = {}
    for run in runs:
        for model in run.models:
            if model not in MODELS:
                raise InputError(
                    f"no smoke model is called {model!r}{did_you_mean(model, MODELS)}",
                    hint=f"known models: {', '.join(MODELS)}",
                )
        devices = [run.device] if run.device == "cpu" else [_device(run.device, index) for index in indices]
        ways = itertools.product(run.models, devices, precisions, variants)
        tasks.setdefault(run.framework, []).extend(Task(*way, steps) for way in ways)
    return tasks


def _device(kind: str, index: int) -> str:
    return f"{kind}:{index}" if index else kind


def _environment(base: Mapping[str, str], workers: int) -> dict[str, str]:
    """The children's environment; threads, unless they are set already, share the processors.

    With more threads than processors the waiting threads of OpenMP spin: PyTorch then trains ten times slower.
    """
    threads = max(1, min(MAX_THREADS, _processors() // workers))
    defaults = {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    fixed = {
        "KERAS_BACKEND": "tensorflow",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # neither framework may take all of a GPU while the other trains on it
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONDONTWRITEBYTECODE": "1",  # proving changes nothing
    }
    return {**defaults, **base, **fixed}


def _processors() -> int:
    """Logical processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
