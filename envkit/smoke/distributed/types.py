"""What training together reports (schema envkit.smoke.together/1)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SCHEMA = "envkit.smoke.together/1"

Status = Literal["pass", "fail", "skip", "unknown", "crash"]
Framework = Literal["torch", "tensorflow", "jax"]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What one world is to do."""

    framework: Framework
    backend: str
    """"gloo" or "nccl"."""
    size: int
    """Ranks; for TensorFlow and JAX the devices of one process."""
    cases: list[str]
    deadline_seconds: float


class RankReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one rank ended. "skip": it was ended, or ended itself, because of another rank."""

    rank: int
    status: Status
    host: str | None = None
    device: str | None = None
    cause: str | None = None
    """"killed", "hang", "port-in-use", "import-failed", "device-missing", "unlike-software", "lost", ..."""
    message: str = ""
    words: str = ""
    """The library's own, from its exception or its last line on stderr."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must hold between the ranks."""

    name: Literal["all-reduce", "all-reduce-pairs", "broadcast", "all-gather", "trajectory", "equal-weights"]
    status: Status
    case: str | None = None
    message: str = ""
    measures: list[tuple[str, float, float]] = []
    """Of a trajectory: what, its relative deviation from one process in float64, the tolerance."""
    losses: list[float] = []
    """Of a trajectory, of every step: the mean over the ranks."""
    losses_expected: list[float] = []
    """Of one process in float64."""
    wrong: list[list[int]] = []
    """The ranks of each group, or each rank, that gave other values."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One framework's ranks and checks."""

    framework: Framework
    backend: str
    size: int
    deadline_seconds: float
    status: Status
    message: str = ""
    """Which ranks and checks failed, and why."""
    version: str | None = None
    ranks: list[RankReport] = []
    checks: list[Check] = []
    seconds: float = 0.0


class TogetherReport(msgspec.Struct, frozen=True, kw_only=True):
    """All worlds and the verdict on them."""

    schema: str = SCHEMA
    envkit: str = ""
    taken_at: str = ""
    python: str = ""
    status: Literal["healthy", "unhealthy", "unknown"] = "unknown"
    rank: int | None = None
    """This process's own, where a launcher started one for each rank; None: envkit started the ranks."""
    worlds: list[World] = []
    seconds: float = 0.0


class TogetherEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A rank has entered a stage; `model`, `step` and `loss` while it trains."""

    framework: Framework
    rank: int
    stage: str
    host: str | None = None
    model: str | None = None
    step: int | None = None
    loss: float | None = None
    ranks: list[int] | None = None
    """Of the pair, while a pair is tested."""


class RankEnd(msgspec.Struct, kw_only=True):
    """What one rank said, and how its child ended: what the verdict is made of."""

    rank: int
    host: str | None = None
    device: str | None = None
    version: str | None = None
    stage: dict[str, Any] = {}
    """The last one it entered."""
    failed: dict[str, Any] | None = None
    trained: dict[str, dict[str, Any]] = {}
    """By case: losses, digests of the weights and, of rank 0, what they travelled."""
    wrong: list[dict[str, Any]] = []
    said: int = 0
    """How many records: all ranks say the same ones, so the one with fewest is behind."""
    done: bool = False
    died: str = ""
    """How its child ended without a word: "killed by SIGKILL while training mlp, after step 3"."""
    cause: str | None = None
    signal: str | None = None
    hung: bool = False
    """It said nothing until its deadline."""
    left: bool = False
    """SIGKILL did not end it at once: it waits in the kernel."""
    dismissed: bool = False
    """The launcher ended it."""
    lost: bool = False
    """Of a rank elsewhere: it had no last word for the others, who failed."""
    stderr: str = ""
