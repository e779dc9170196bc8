"""What envkit's adapters compute: the right implementations, which no check may fault."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.smoke_faults.training import difference, finite, lists
from envkit.smoke.cases import OPTIMIZERS, Case, prescribed


def observe(case: Case, task: dict[str, Any]) -> dict[str, Any]:
    """As `training.observe`, of the framework, device, dtype and variant of a task."""
    adapter = importlib.import_module(f"envkit.smoke.adapters.{task['framework']}")
    models = importlib.import_module(f"envkit.smoke.models.{task['framework']}")
    device, _ = adapter.open_device(task["device"], 0)
    network = adapter.build(models, case, device, task["dtype"], task["variant"])

    def gradient(batch: tuple[Any, Any]) -> dict[str, Any]:
        loss, gradients = network.gradient(*batch)
        return {"loss": finite(loss), "tensors": lists(gradients)}

    started = network.parameters()
    observation = {
        "gradient": gradient(case.batches[0]),
        "probe": gradient(case.probe) if case.probe else None,
    }
    losses = [finite(network.step(step)) for step in range(task["steps"] if case.steps else 0)]
    travel = difference(network.parameters(), started) if losses else {}
    described = {what: task[what] for what in ("case", "framework", "device", "dtype", "variant")}
    return {**described, **observation, "losses": losses, "travel": travel, "tensors": network.where()}


def optimize(name: str, seed: int, task: dict[str, Any]) -> list[float]:
    """The prescribed gradients through an optimizer of the task's framework, in the type of its weights."""
    adapter = importlib.import_module(f"envkit.smoke.adapters.{task['framework']}")
    device, _ = adapter.open_device(task["device"], 0)
    dtype = "float64" if task["dtype"] == "float64" else "float32"
    values: list[float] = adapter.optimize(OPTIMIZERS[name], prescribed(seed), device, dtype, task["variant"])
    return values


def form(framework: str) -> str:
    if framework == "numpy":
        return "torch"
    found: str = importlib.import_module(f"envkit.smoke.adapters.{framework}").FORM
    return found
