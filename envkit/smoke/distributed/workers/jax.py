"""JAX on many devices of one process: the batch is sharded over them, and XLA adds the sums between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

VERSION: str = jax.__version__

Say = Callable[[dict[str, Any]], None]


def meet(task: dict[str, Any], modules: Any, say: Say) -> None:
    """One process needs to wait for nobody."""


def run(task: dict[str, Any], modules: Any, _world: None, say: Say) -> None:
    """Train with the batch sharded."""
    kind = "gpu" if task["backend"] == "nccl" else "cpu"
    devices = jax.devices(kind)[: task["size"]]
    if len(devices) < task["size"]:
        flags = os.environ.get("XLA_FLAGS")
        raise LookupError(f"JAX sees {len(devices)} devices ({kind}), not {task['size']}; XLA_FLAGS={flags}")
    say({"version": VERSION, "device": devices[0].device_kind})
    mesh = jax.make_mesh((len(devices),), ("batch",), devices=devices)
    for name in task["cases"]:
        say({"trained": _train(name, modules, devices[0], mesh, say)})


def cause(error: BaseException) -> tuple[str, bool]:
    return ("device-missing" if type(error) is LookupError else "framework-error"), False


def _train(name: str, modules: Any, device: Any, mesh: Mesh, say: Say) -> dict[str, Any]:
    case = modules.cases.CASES[name](0)
    say({"stage": "build", "model": name})
    trained = modules.adapter.build(modules.models, case, device, "float32", "compiled")
    everywhere, sharded = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("batch"))
    trained.weights, trained.state = jax.device_put((trained.weights, trained.state), everywhere)
    trained.batches = jax.device_put(trained.batches, sharded)
    start = trained.parameters()
    losses = []
    for step in range(case.steps):
        losses.append(trained.step(step))
        say({"stage": "train", "model": name, "step": step, "loss": losses[-1]})
    spread = {len(weight.sharding.device_set) for weight in trained.weights.values()}
    if spread != {mesh.size}:
        raise RuntimeError(f"the weights lie on {sorted(spread)} devices, not on {mesh.size}")
    travel = modules.shares.travel(start, trained.parameters(), modules.cases.sketch)
    return {"case": name, "losses": losses, "travel": travel}
