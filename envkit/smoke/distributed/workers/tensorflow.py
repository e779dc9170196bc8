"""TensorFlow on many devices of one process: MirroredStrategy, which adds the gradients between its replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

VERSION: str = tf.__version__

Say = Callable[[dict[str, Any]], None]


def meet(task: dict[str, Any], modules: Any, say: Say) -> None:
    """One process needs to wait for nobody."""


def run(task: dict[str, Any], modules: Any, _world: None, say: Say) -> None:
    """Train with a replica on each device."""
    devices = _devices(task["backend"], task["size"])
    kind = devices[0].partition(":")[0].lower()
    say({"version": VERSION, "device": kind})
    strategy = tf.distribute.MirroredStrategy(devices)
    for name in task["cases"]:
        say({"trained": _train(name, modules, strategy, say)})


def cause(error: BaseException) -> tuple[str, bool]:
    return ("device-missing" if type(error) is LookupError else "framework-error"), False


def _devices(backend: str, size: int) -> list[str]:
    """GPUs with NCCL, else so many logical devices of the one CPU."""
    if backend == "nccl":
        found = tf.config.list_logical_devices("GPU")
    else:
        (processor,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * size)
        found = tf.config.list_logical_devices("CPU")
    if len(found) < size:
        raise LookupError(f"TensorFlow sees {len(found)} devices, not {size}")
    return [device.name.removeprefix("/device:") for device in found[:size]]


def _train(name: str, modules: Any, strategy: Any, say: Say) -> dict[str, Any]:
    case, size = modules.cases.CASES[name](0), strategy.num_replicas_in_sync
    say({"stage": "build", "model": name})
    first = "/" + strategy.extended.worker_devices[0].rpartition("device:")[2]
    with strategy.scope():
        trained = modules.adapter.build(modules.models, case, first, "float32", "eager")
    own_loss = trained.loss_function
    own_loss.reduction = "none"
    # What Keras adds up between the replicas: each one's part of the mean over the whole batch.
    trained.loss_function = lambda y, output: tf.reduce_mean(own_loss(y, output)) / size

    @tf.function  # type: ignore[untyped-decorator,unused-ignore]
    def step(x: Any, y: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(trained.train, (x, y)), axis=None)

    parts = [modules.shares.share(case, rank, size).batches for rank in range(size)]
    batches = [_spread(trained, strategy, [part[number] for part in parts]) for number in range(len(case.batches))]
    start = trained.parameters()
    losses = []
    for number in range(case.steps):
        losses.append(float(step(*batches[number % len(batches)])))
        say({"stage": "train", "model": name, "step": number, "loss": losses[-1]})
    travel = modules.shares.travel(start, trained.parameters(), modules.cases.sketch)
    return {"case": name, "losses": losses, "travel": travel}


def _spread(trained: Any, strategy: Any, shares: list[Any]) -> list[Any]:
    """Inputs and targets with each replica's share on its device."""
    batches = [trained._batch(*share) for share in shares]  # noqa: SLF001 - a Network of the adapter
    return [
        strategy.experimental_distribute_values_from_function(
            lambda context, which=which: batches[context.replica_id_in_sync_group][which]
        )
        for which in range(2)
    ]
