"""The sum over all GPUs: one child for each, which meet in a file."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from envkit.bench.children import Conditions, Task, one_child, told
from envkit.bench.types import Event, Measurement


def all_reduce(devices: Sequence[str], conditions: Conditions, *, backend: str = "nccl") -> Measurement:
    """The measurement of the first rank; when any rank failed, what it said, with its number.

    Args:
        devices: one for each rank.
        conditions: the deadline is for each rank.
        backend: of torch.distributed.
    """
    task = Task("all-reduce", "all", backend)
    conditions.on_event(Event(**task._asdict()))
    stop = threading.Event()
    silent = replace(conditions, on_event=lambda _: None)

    def run(number: int) -> Measurement:
        rank = {
            "number": number,
            "of": len(devices),
            "rendezvous": str(folder / "rendezvous"),
            "seconds": conditions.deadline_seconds,
        }
        tasks = [task._replace(device=devices[number])]
        said, blame = one_child(tasks, silent, torch=True, rank=rank, stopped=stop.is_set)
        result = said.results[0] if said.results else told(tasks[0], silent, **blame)
        if result.status != "pass" and not stop.is_set():
            stop.set()  # the others would wait for it
            failed.append((number, result))
        return result

    failed: list[tuple[int, Measurement]] = []
    with tempfile.TemporaryDirectory(prefix="envkit-bench-") as name:
        folder = Path(name)
        with ThreadPoolExecutor(len(devices)) as pool:
            try:
                results = list(pool.map(run, range(len(devices))))
            except BaseException:
                stop.set()
                raise
    number, result = failed[0] if failed else (0, results[0])
    outcome = {field: getattr(result, field) for field in result.__struct_fields__ if field not in task._fields}
    if failed:
        outcome["message"] = f"rank {number} ({devices[number]}): {result.message}"
    return told(task, conditions, **outcome)
