"""A rank of PyTorch among the others: how it finds them, and what each has told.

What a rank has said stands in a store: under torchrun or srun the ranks have no parent in common.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import torch.distributed as dist

PEERS_SECONDS = 1.0
"""So long the others have, after one failed, to say that they did too."""
TOLD = ("host", "device", "stage", "wrong", "trained", "failed")
"""What a rank tells the others of itself."""
TROUBLE = "trouble"
"""The key that is there as soon as any rank has failed."""

Say = Callable[[dict[str, Any]], None]


class UnlikeError(Exception):
    """This rank has other software, or another task, than rank 0."""

    __module__ = "builtins"  # it is printed without the name of a module that nobody knows


class World:
    """This rank among the others, and what each has said."""

    def __init__(self, task: dict[str, Any], say: Say) -> None:
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.timeout = timedelta(seconds=task["deadline_seconds"])
        self._say = say
        self.wrong: list[dict[str, Any]] = []
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # torchrun's agent may hold the store itself.
        holds = self.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
        if not holds:
            _await_listener(address, port, task["deadline_seconds"])
            say({"stage": "store"})
        # After its timeout it tries once more, half as long. To wait for the workers would not say who is missing.
        half = self.timeout / 2
        try:
            store = dist.TCPStore(address, port, self.size, holds, timeout=half, wait_for_workers=False)
        except dist.DistNetworkError as error:
            if not holds or "EADDRINUSE" in str(error):
                raise
            raise LookupError(f"MASTER_ADDR={address} does not lead to this host, which has rank 0: {error}") from error
        store.set_timeout(self.timeout)
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
            seconds = self.timeout.total_seconds()
            raise TimeoutError(f"waited {seconds:g} s in vain for {what!r} of ranks {missing} of {self.size}")

    def need_same(self, software: dict[str, str], envkit: str) -> None:
        """Refuse to train with ranks of other software, or with another task: they may wait for each other in vain.

        Raises:
            UnlikeError: rank 0 has something else.
        """
        own = {"envkit": envkit, "Python": "{}.{}".format(*sys.version_info), **software}
        self.tell("software", own)
        self.await_all("software")
        self.say(stage="compare")
        first = self.told(0, "software")
        apart = "; ".join(
            f"{what} {own[what]}, rank 0 has {first.get(what)}" for what in own if own[what] != first.get(what)
        )
        if apart:
            raise UnlikeError(apart)
        self.tell("alike", True)
        self.await_all("alike")

    def await_readers(self) -> None:
        """Stay while others read: rank 0 may hold the store."""
        self.tell("read", True)
        if self.rank == 0:
            self.missing("read", PEERS_SECONDS)

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


def _await_listener(address: str, port: int, seconds: float) -> None:
    """Wait for rank 0 to listen: PyTorch's own waiting takes longer than it was given, and keeps the why from us."""
    until = time.monotonic() + seconds
    while error := _connect(address, port, max(0.1, min(5.0, until - time.monotonic()))):
        if time.monotonic() + 0.1 > until:
            raise ConnectionError(f"rank 0 does not answer at {address}:{port} in {seconds:g} s: {error}")
        time.sleep(0.1)


def _connect(address: str, port: int, seconds: float) -> OSError | None:
    """Why nobody answers there; a name that nobody knows yet may become known."""
    try:
        socket.create_connection((address, port), seconds).close()
    except OSError as error:
        return error
    return None
