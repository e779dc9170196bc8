"""PyTorch on many ranks: known values through every collective, and DistributedDataParallel against one process.

What each rank has said stands in the store too: under torchrun or srun the ranks have no parent in common.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from array import array
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

VERSION: str = torch.__version__

SIZES = (1, 1 << 16, 1 << 22)
"""Numbers sent at a time: 4 B, 256 KiB and 16 MiB, for which NCCL has different protocols."""
PEERS_SECONDS = 1.0
"""So long the others have, after one failed, to say that they did too."""
TOLD = ("host", "device", "stage", "wrong", "trained", "failed")
"""What a rank tells the others of itself."""
TROUBLE = "trouble"
"""The key that is there as soon as any rank has failed."""
COMMUNICATION = ("gloo", "nccl", "connection", "timed out", "timeout", "socket", "remote", "peer")
"""Words of errors that another rank may be the cause of."""

Say = Callable[[dict[str, Any]], None]


class World:
    """This rank among the others, and what each has said."""

    def __init__(self, task: dict[str, Any], say: Say) -> None:
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.timeout = timedelta(seconds=task["deadline_seconds"])
        self._say = say
        self.wrong: list[dict[str, Any]] = []
        store = dist.TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            self.size,
            # torchrun's agent may hold the store itself.
            self.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True",
            timeout=self.timeout,
            wait_for_workers=False,  # it would not say who is missing
        )
        self.store = dist.PrefixStore(f"envkit/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)

    def tell(self, what: str, value: Any) -> None:
        self.store.set(f"{self.rank}/{what}", json.dumps(value))

    def told(self, rank: int, what: str) -> Any:
        """What a rank told, or None."""
        key = f"{rank}/{what}"
        return json.loads(self.store.get(key)) if self.store.check([key]) else None

    def say(self, **record: Any) -> None:
        """A stage: to envkit, and to the other ranks."""
        self._say(record)
        self.tell("stage", record)

    def differs(self, check: str, ranks: list[int], message: str) -> None:
        """A collective among these ranks gave other values than it should."""
        self.wrong.append({"check": check, "ranks": ranks, "message": message})
        self._say({"wrong": self.wrong[-1]})
        self.tell("wrong", self.wrong)

    def others(self) -> Iterator[int]:
        return (rank for rank in range(self.size) if rank != self.rank)

    def missing(self, what: str, seconds: float) -> list[int]:
        """The ranks that have not told this after so many seconds."""
        until = time.monotonic() + seconds
        missing = list(range(self.size))
        while missing and time.monotonic() < until:
            missing = [rank for rank in missing if not self.store.check([f"{rank}/{what}"])]
            if missing:
                time.sleep(0.02)
                if what != "failed" and self.store.check([TROUBLE]):
                    raise ConnectionError("another rank has failed")
        return missing

    def await_all(self, what: str) -> None:
        """Wait until every rank has told this."""
        missing = ", ".join(map(str, self.missing(what, self.timeout.total_seconds())))
        if missing:
            raise TimeoutError(f"no {what!r} of ranks {missing} of {self.size} in {self.timeout.total_seconds():g} s")

    def all_told(self) -> dict[int, dict[str, Any]]:
        return {rank: {what: self.told(rank, what) for what in TOLD} for rank in self.others()}

    def peers(self, failed: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """What every other rank last said; whoever still lives has failed too, and says so."""
        try:
            self.tell("failed", failed)
            self.store.set(TROUBLE, "")
            self.missing("failed", PEERS_SECONDS)
            return self.all_told()
        except RuntimeError:  # the store has gone with the rank that holds it
            return {0: {"failed": None}} if self.rank else {}


def meet(task: dict[str, Any], say: Say) -> World:
    """Find the store, in which the ranks find each other."""
    say({"stage": "meet"})
    return World(task, say)


def run(task: dict[str, Any], modules: Any, world: World, say: Say) -> None:
    """All checks of this rank."""
    device = _device(task["backend"])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    say({"version": VERSION, "device": name})
    world.tell("device", name)
    world.tell("host", task["host"])
    world.await_all("host")
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
    world.tell("read", True)
    if world.rank == 0:  # it may hold the store
        world.missing("read", PEERS_SECONDS)


def cause(error: BaseException) -> tuple[str, bool]:
    """The error's name, and whether another rank may be behind it."""
    words = str(error).lower()
    if "eaddrinuse" in words or "address already in use" in words:
        return "port-in-use", False
    if type(error) is LookupError:
        return "device-missing", False
    if any(text in words for text in ("out of memory", "can't allocate memory")):
        return "out-of-memory", False
    of_others = isinstance(error, (TimeoutError, dist.DistBackendError)) or any(word in words for word in COMMUNICATION)
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


def _train(name: str, modules: Any, world: World, device: torch.device) -> dict[str, Any]:
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


def _collectives(world: World, device: torch.device, pairs: Iterator[list[int]]) -> None:
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


def _all_reduce(check: str, ranks: list[int], group: Any, world: World, device: torch.device) -> None:
    for size in SIZES:
        values = _known(world.rank, size, device)
        dist.all_reduce(values, group=group)
        _compare(check, ranks, values, sum(_known(rank, size, device) for rank in ranks), world)


def _known(rank: int, size: int, device: torch.device) -> torch.Tensor:
    return (torch.arange(size, device=device) % 7 + 1).to(torch.float32) * (rank % 64 + 1)


def _compare(check: str, ranks: list[int], values: Any, expected: Any, world: World) -> None:
    wrong = (values != expected).nonzero().flatten()
    if len(wrong):
        first = int(wrong[0])
        message = (
            f"{len(wrong)} of {len(values)} numbers are wrong: "
            f"number {first} is {float(values[first]):g}, not {float(expected[first]):g}"
        )
        world.differs(check, ranks, message)
