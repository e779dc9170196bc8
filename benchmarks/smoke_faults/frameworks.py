"""What envkit's adapters compute: the right implementations, which no check may fault."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks.smoke_faults.training import difference, finite, lists
from envkit.smoke.cases import OPTIMIZERS, Case, prescribed


def observe(framework: str, case: Case, dtype: str, variant: str, steps: int) -> dict[str, Any]:
    """As `training.observe`, of a framework on the CPU."""
    adapter = importlib.import_module(f"envkit.smoke.adapters.{framework}")
    models = importlib.import_module(f"envkit.smoke.models.{framework}")
    device, _ = adapter.open_device("cpu", 0)
    network = adapter.build(models, case, device, dtype, variant)

    def gradient(batch: tuple[Any, Any]) -> dict[str, Any]:
        loss, gradients = network.gradient(*batch)
        return {"loss": finite(loss), "tensors": lists(gradients)}

    started = network.parameters()
    observation = {
        "gradient": gradient(case.batches[0]),
        "probe": gradient(case.probe) if case.probe else None,
    }
    losses = [finite(network.step(step)) for step in range(steps if case.steps else 0)]
    travel = difference(network.parameters(), started) if losses else {}
    described = {"case": case.name, "framework": framework, "device": "cpu", "dtype": dtype, "variant": variant}
    return {**described, **observation, "losses": losses, "travel": travel, "tensors": network.where()}


def optimize(framework: str, name: str, seed: int, dtype: str, variant: str) -> list[float]:
    adapter = importlib.import_module(f"envkit.smoke.adapters.{framework}")
    device, _ = adapter.open_device("cpu", 0)
    values: list[float] = adapter.optimize(OPTIMIZERS[name], prescribed(seed), device, dtype, variant)
    return values


def form(framework: str) -> str:
    if framework == "numpy":
        return "torch"
    found: str = importlib.import_module(f"envkit.smoke.adapters.{framework}").FORM
    return found
