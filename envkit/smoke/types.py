"""What a smoke run reports (schema envkit.smoke/1)."""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = "envkit.smoke/1"

Status = Literal["pass", "fail", "skip", "unknown", "crash"]
Stage = Literal["start", "import", "device", "build", "first-step", "train", "done"]


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One model trained, or not, in one framework. What was not reached is None."""

    framework: str
    model: str
    device: str
    """As asked for: "cpu", "cuda", "rocm", "mps", "xpu"."""
    status: Status
    cause: str | None = None
    """Why it did not pass: "framework-missing", "silent-cpu-fallback", "hang", "out-of-memory", ..."""
    message: str = ""
    version: str | None = None
    device_used: str | None = None
    """Where the parameters and the output really lay."""
    device_name: str | None = None
    dtype: str | None = None
    """Of the output."""
    steps: int | None = None
    loss_first: float | None = None
    loss_last: float | None = None
    """On the same batch as loss_first."""
    loss_bound: float | None = None
    """loss_last must be below it."""
    steps_per_second: float | None = None
    """After the first step."""
    import_seconds: float | None = None
    build_seconds: float | None = None
    """Data, model and optimizer made and brought to the device."""
    first_step_seconds: float | None = None
    """Compiling and tracing included."""
    train_seconds: float | None = None
    """All steps, the first included."""
    peak_memory_bytes: int | None = None
    """Main memory of the child so far, the models before this one included."""
    device_peak_memory_bytes: int | None = None
    """Memory of the device that the framework took, likewise; None on the CPU."""
    threads: str | None = None
    """OMP_NUM_THREADS of the child: threads that one operation may use on the CPU."""


class SmokeReport(msgspec.Struct, frozen=True, kw_only=True):
    """All runs and the verdict on them."""

    schema: str = SCHEMA
    envkit: str = ""
    taken_at: str = ""
    python: str = ""
    status: Literal["healthy", "unhealthy", "unknown"] = "unknown"
    runs: list[RunResult] = []
    seconds: float = 0.0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A run has entered a stage; `result` comes with "done". `model` is None until the framework is imported."""

    framework: str
    stage: Stage
    model: str | None = None
    device: str | None = None
    result: RunResult | None = None


def verdict(runs: list[RunResult]) -> Literal["healthy", "unhealthy", "unknown"]:
    """Unhealthy when any run failed or crashed; healthy when at least one passed and none is unknown."""
    statuses = {run.status for run in runs}
    if statuses & {"fail", "crash"}:
        return "unhealthy"
    return "healthy" if "pass" in statuses and "unknown" not in statuses else "unknown"
