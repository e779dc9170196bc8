"""One child for each rank, side by side; when one fails the others get a moment for their last words."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from envkit import harness
from envkit.smoke import ending
from envkit.smoke.distributed.blame import doing
from envkit.smoke.distributed.types import RankEnd

MARGIN_SECONDS = 1.0  # a hung rank gets so much more than its deadline: the library, whose timeout that is, has words
GRACE_SECONDS = 1.5  # for the words of the other ranks; the child asks them for 1 s, see workers/torch.py

DISMISSED_SECONDS = 10.0  # less than torchrun and srun wait, 30 s, between SIGTERM and SIGKILL

Hear = Callable[[int, dict[str, Any]], None]


class Watch:
    """What the threads of one world share."""

    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds
        self.trouble: float | None = None
        self.dismissed = False
        self.stopped = threading.Event()
        """Set when everything must end at once."""

    def alarm(self) -> None:
        """A rank has failed: all end after the grace."""
        self.trouble = self.trouble or time.monotonic()

    def dismiss(self) -> None:
        """A launcher wants us gone, perhaps because of a rank of which ours is about to learn."""
        self.dismissed = True
        self.alarm()

    def is_over(self) -> bool:
        grace = DISMISSED_SECONDS if self.dismissed else GRACE_SECONDS
        grace_is_over = self.trouble is not None and time.monotonic() - self.trouble > grace
        return self.stopped.is_set() or grace_is_over


class Seat(NamedTuple):
    """What makes a child one rank."""

    program: bytes
    """What it reads on stdin."""
    env: Mapping[str, str]


class _LeftError(Exception):
    """Makes the harness leave a child that SIGKILL does not end."""


def run_ranks(python: str, seats: Mapping[int, Seat], watch: Watch, on_record: Hear) -> list[RankEnd]:
    """Run the children of all ranks to their ends; none is left, whatever happens.

    Args:
        python: the inspected interpreter.
        seats: by rank.
        watch: holds the deadline: for the time between two records of a rank.
        on_record: called with the rank and each of its records; from other threads, one call at a time.
    """
    lock = threading.Lock()

    def hear(rank: int, record: dict[str, Any]) -> None:
        with lock:
            on_record(rank, record)

    with ThreadPoolExecutor(len(seats)) as pool:
        futures = [pool.submit(_attend, python, rank, seat, watch, hear) for rank, seat in seats.items()]
        try:
            return [future.result() for future in futures]
        except BaseException:  # Ctrl-C, or on_record failed: no child goes on
            watch.stopped.set()
            raise


def _attend(python: str, rank: int, seat: Seat, watch: Watch, on_record: Hear) -> RankEnd:
    """One rank's child, from its start to its end."""
    end = RankEnd(rank=rank)
    heard = time.monotonic()
    killed: float | None = None
    kills = ending.oom_kills()

    def hear(record: dict[str, Any]) -> None:
        nonlocal heard
        heard = time.monotonic()
        take_in(end, record)
        if end.failed:
            watch.alarm()
        on_record(rank, record)

    def look(pid: int) -> None:
        nonlocal killed
        now = time.monotonic()
        if killed is not None:
            if now - killed > harness.GRACE_SECONDS:
                raise _LeftError
            return
        end.hung = not end.failed and now - heard > watch.deadline_seconds + MARGIN_SECONDS
        if end.hung:
            watch.alarm()
        if end.hung or watch.is_over():
            killed = now
            end.dismissed = watch.dismissed and not end.hung
            # Not by an exception: then the harness would not return what the child wrote on stderr.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    try:
        child = harness.run(
            [python, "-"], deadline_seconds=None, stdin=seat.program, env=seat.env, on_record=hear, on_idle=look
        )
    except _LeftError:  # no death of its own: a big one takes its time to go, and need not be the one to blame
        end.left = True
        return end
    end.stderr = child.stderr
    if killed is None and not end.done and not end.failed:
        watch.alarm()
        verdict = ending.judge(child, "train" if end.said else "start", doing(end.stage), kills)
        end.cause, end.died = verdict.cause, verdict.message
        end.signal = child.signal_name
    return end


def take_in(end: RankEnd, record: dict[str, Any]) -> None:
    """Keep what a record says of its rank."""
    end.said += 1
    if "stage" in record:
        end.stage = record
    elif "wrong" in record:
        end.wrong.append(record["wrong"])
    elif "trained" in record:
        end.trained[record["trained"]["case"]] = record["trained"]
    elif "import_error" in record:
        end.failed = {**record["import_error"], "communication": False}
    else:
        for name in ("host", "device", "version", "failed", "done"):
            if name in record:
                setattr(end, name, record[name])
