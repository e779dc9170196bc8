"""PyTorch on many ranks: known values through every collective, and DistributedDataParallel against one process.

How the ranks find and hear each other: `world.py`.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

VERSION: str = torch.__version__

SIZES = (1, 1 << 16, 1 << 22)
"""Numbers sent at a time: 4 B, 256 KiB and 16 MiB, for which NCCL has different protocols."""
COMMUNICATION = ("gloo", "nccl", "connection", "timed out", "timeout", "socket", "remote", "peer")
"""Words of errors that another rank may be the cause of."""

Say = Callable[[dict[str, Any]], None]


def meet(task: dict[str, Any], modules: Any, say: Say) -> Any:
    """Find the store, in which the ranks find each other: a `world.World`."""
    say({"stage": "meet"})
    return modules.world.World(task, say)


def run(task: dict[str, Any], modules: Any, world: Any, say: Say) -> None:
    """All checks of this rank."""
    device = _device(task["backend"])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    say({"version": VERSION, "device": name})
    world.tell("device", name)
    world.tell("host", task["host"])
    world.need_same({"PyTorch": VERSION, "backend": task["backend"], "cases": ", ".join(task["cases"])}, task["envkit"])
    group = dist.PrefixStore("group", world.store)
    dist.init_process_group(task["backend"], store=group, rank=world.rank, world_size=world.size, timeout=world.timeout)
    _collectives(world, device, modules.shares.pairs(world.rank, world.size))
    trained = []
    for case in task["cases"]:
        trained.append(_train(case, modules, world, device))
        say({"trained": trained[-1]})
        world.tell("trained", trained)
    world.say(stage="agree")
    world.tell("done", True)
    world.await_all("done")
    say({"world": world.all_told()})
    world.await_readers()


def cause(error: BaseException) -> tuple[str, bool]:
    """The error's name, and whether another rank may be behind it."""
    words = str(error).lower()
    if "eaddrinuse" in words or "address already in use" in words:
        return "port-in-use", False
    if type(error).__name__ == "UnlikeError":
        return "unlike-software", False
    if type(error) is LookupError:
        return ("address-wrong" if "MASTER_ADDR" in str(error) else "device-missing"), False
    if any(text in words for text in ("out of memory", "can't allocate memory")):
        return "out-of-memory", False
    of_others = isinstance(error, (OSError, dist.DistBackendError)) or any(word in words for word in COMMUNICATION)
    return ("communication" if of_others else "framework-error"), of_others


def _device(backend: str) -> torch.device:
    """One GPU for each rank of a host with NCCL (RCCL), the CPU with gloo."""
    if not dist.is_backend_available(backend):
        raise LookupError(f"this PyTorch has no {backend}")
    if backend == "gloo":
        return torch.device("cpu")
    index, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if index >= count:
        raise LookupError(f"no GPU for local rank {index}: PyTorch sees {count} here")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _train(name: str, modules: Any, world: Any, device: torch.device) -> dict[str, Any]:
    """Train one case on this rank's share of every batch; the losses are the mean over all ranks."""
    case = modules.cases.CASES[name](0)
    world.say(stage="build", model=name)
    trained = modules.adapter.build(
        modules.models, modules.shares.share(case, world.rank, world.size), device, "float32", "eager"
    )
    trained.network = DistributedDataParallel(trained.network)
    start = trained.parameters()
    losses = []
    for step in range(case.steps):
        loss = torch.tensor(trained.step(step), dtype=torch.float64, device=device)
        dist.all_reduce(loss)
        losses.append(float(loss) / world.size)
        world.say(stage="train", model=name, step=step, loss=losses[-1])
    end = trained.parameters()
    found: dict[str, Any] = {"case": name, "losses": losses}
    found["digests"] = {tensor: hashlib.sha256(array("d", end[tensor])).hexdigest()[:16] for tensor in end}
    if world.rank == 0:  # the others have the same, or their digests tell
        found["travel"] = modules.shares.travel(start, end, modules.cases.sketch)
    return found


def _processor() -> str:
    """The CPU's model where Linux tells it: unlike ones may round unlike."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "cpu"


# Known values: small integers, so that every sum is exact in float32 whatever the order.


def _collectives(world: Any, device: torch.device, pairs: Iterator[list[int]]) -> None:
    everybody = list(range(world.size))
    world.say(stage="all-reduce")
    _all_reduce("all-reduce", everybody, None, world, device)
    for pair in pairs:
        world.say(stage="all-reduce-pairs", ranks=pair)
        group = dist.new_group(pair, use_local_synchronization=True, timeout=world.timeout)
        _all_reduce("all-reduce-pairs", pair, group, world, device)
        dist.destroy_process_group(group)
    for root in everybody:
        world.say(stage="broadcast", ranks=[root])
        for size in SIZES:
            values = _known(world.rank, size, device)
            dist.broadcast(values, src=root)
            _compare("broadcast", [root], values, _known(root, size, device), world)
    world.say(stage="all-gather")
    for size in SIZES[:2]:
        gathered = [torch.zeros(size, device=device) for _ in everybody]
        dist.all_gather(gathered, _known(world.rank, size, device))
        for rank, values in enumerate(gathered):
            _compare("all-gather", [rank], values, _known(rank, size, device), world)


def _all_reduce(check: str, ranks: list[int], group: Any, world: Any, device: torch.device) -> None:
    for size in SIZES:
        values = _known(world.rank, size, device)
        dist.all_reduce(values, group=group)
        _compare(check, ranks, values, sum(_known(rank, size, device) for rank in ranks), world)


def _known(rank: int, size: int, device: torch.device) -> torch.Tensor:
    return (torch.arange(size, device=device) % 7 + 1).to(torch.float32) * (rank % 64 + 1)


def _compare(check: str, ranks: list[int], values: Any, expected: Any, world: Any) -> None:
    wrong = (values != expected).nonzero().flatten()
    if len(wrong):
        first = int(wrong[0])
        message = (
            f"{len(wrong)} of {len(values)} numbers are wrong: "
            f"number {first} is {float(values[first]):g}, not {float(expected[first]):g}"
        )
        world.differs(check, ranks, message)
