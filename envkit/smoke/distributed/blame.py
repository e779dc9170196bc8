"""Which rank is to blame when ranks end without a result, and what is said of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envkit.smoke.distributed.types import RankEnd, RankReport, Status

STAGES = {
    "import": "importing the framework",
    "meet": "waiting for all ranks to come",
    "store": "opening the store of rank 0",
    "compare": "comparing software with rank 0",
    "all-reduce": "in an all-reduce of all ranks",
    "all-reduce-pairs": "in an all-reduce of ranks {ranks}",
    "broadcast": "in a broadcast of rank {ranks}",
    "all-gather": "in an all-gather",
    "build": "building {model}",
    "train": "training {model}, after step {step}",
    "agree": "waiting for the results of all ranks",
}
LIBRARY = ("NCCL WARN", "ProcessGroup", "[c10d]", "gloo", "Timed out", "timed out", "Error:")
"""What lines on stderr contain that are a library's own words."""
CPP_STACK = ("frame #", "<omitting python frames>")
"""How lines begin that follow such words."""


def doing(stage: Mapping[str, Any]) -> str:
    """What a rank was at, in words: "training mlp, after step 7"."""
    ranks = " and ".join(map(str, stage.get("ranks") or []))
    words = STAGES.get(stage.get("stage", ""), "starting")
    return words.format(ranks=ranks, model=stage.get("model"), step=stage.get("step"))


def culprits(ends: Mapping[int, RankEnd]) -> set[int]:
    """The ranks that failed by themselves, or that the others waited for in vain.

    A rank whose connection broke, or timed out, is a witness: unless there is nobody else to blame.
    """
    unfinished = [end for end in ends.values() if not (end.done or (end.dismissed and not end.failed))]
    own = {end.rank for end in unfinished if (end.died or end.failed) and not _is_witness(end)}
    if own:
        return own
    silent = [end for end in unfinished if not end.failed and not end.died]
    if silent:
        behind = min(end.said for end in silent)
        return {end.rank for end in silent if end.lost or end.said == behind}
    return {end.rank for end in unfinished}


def _is_witness(end: RankEnd) -> bool:
    if end.failed:
        return bool(end.failed["communication"])
    return end.signal == "SIGABRT" and "ProcessGroupNCCL" in end.stderr  # its watchdog, after a timeout


def report(end: RankEnd, blamed: set[int], deadline_seconds: float) -> RankReport:
    """What is said of one rank."""
    if end.done:
        return RankReport(rank=end.rank, status="pass", host=end.host, device=end.device)
    words = end.failed["message"] if end.failed else _library_words(end.stderr)
    status: Status
    if end.dismissed and not end.failed and not blamed:
        status, cause, message = "unknown", "dismissed", f"ended by its launcher (SIGTERM) while {doing(end.stage)}"
    elif end.rank not in blamed:
        others = ", ".join(map(str, sorted(blamed)))
        status, cause, message = "skip", "other-rank", f"ended because of rank {others}, while {doing(end.stage)}"
    elif end.failed:
        status, cause = "fail", end.failed["cause"]
        message = f"{end.failed['message']} (while {doing(end.stage)})"
        if cause == "port-in-use":
            message += "; with torchrun or srun, MASTER_PORT=<another> says which to take"
    elif end.died:
        status, cause, message = "crash", end.cause or "ended-early", end.died
    else:
        status, cause = "crash", "lost" if end.lost else "hang"
        message = f"no answer within {deadline_seconds:g} s while {doing(end.stage)}"
        if end.left:
            message += "; it waits in the kernel, and SIGKILL does not end it"
        if end.lost and not end.stage:
            message = "never heard of: not started, ended early, or not to be reached"
        elif end.lost:
            message = f"it has ended, or hangs: last heard of {doing(end.stage)}"
    return RankReport(
        rank=end.rank, status=status, host=end.host, device=end.device, cause=cause, message=message, words=words
    )


def _library_words(stderr: str) -> str:
    lines = [line.strip() for line in stderr.split("\n") if line.strip() and not line.startswith(CPP_STACK)]
    spoken = [line for line in lines if any(word in line for word in LIBRARY)]
    return (spoken or lines or [""])[-1][:500]
