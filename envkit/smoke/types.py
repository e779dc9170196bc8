"""What a smoke run reports (schema envkit.smoke/2)."""

from __future__ import annotations

from typing import Literal

import msgspec

from envkit.smoke.judging.types import Kind, Measure

SCHEMA = "envkit.smoke/2"

Status = Literal["pass", "fail", "skip", "unknown", "crash"]
Stage = Literal["start", "import", "device", "build", "gradient", "first-step", "train", "optimizer", "done"]
Variant = Literal["eager", "compiled"]
Precision = Literal["float32", "float64", "tf32", "bfloat16", "float16"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One of the checks on a run: gradient at fixed weights, optimizer alone, trajectory, device."""

    check: Kind
    case: str | None = None
    """The case of the model; None: all of it."""
    status: Literal["pass", "fail", "unknown"]
    deviation: float | None = None
    """From the float64 reference, relative; of `measures` the one nearest to, or farthest over, its tolerance."""
    tolerance: float | None = None
    worst: str = ""
    """The tensor, step or element that this deviation is of."""
    message: str = ""
    confirm: str = ""
    """What would confirm it."""
    causes: list[str] = []
    """Checks of the doctor and causes of explain that fit."""
    measures: list[Measure] = []


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One model computed, or not, in one framework. What was not reached is None."""

    framework: str
    model: str
    device: str
    """As asked for: "cpu", "cuda", "cuda:1", "rocm", "mps", "xpu", "tpu"."""
    variant: Variant = "eager"
    precision: Precision = "float32"
    """As asked for; bfloat16 and float16: autocast."""
    precision_seen: str | None = None
    """What the gradient's distance from float64 looks like."""
    status: Status
    cause: str | None = None
    """Why it did not pass: "framework-missing", "silent-cpu-fallback", "wrong-gradient", "hang", ..."""
    message: str = ""
    checks: list[Check] = []
    version: str | None = None
    device_used: str | None = None
    """Where parameters, gradients and the output really lay."""
    device_name: str | None = None
    dtype: str | None = None
    """Of the output."""
    steps: int | None = None
    loss_first: float | None = None
    loss_last: float | None = None
    losses: list[float | None] = []
    """Of every step; None where it is not finite."""
    losses_expected: list[float] = []
    """Of the float64 reference."""
    steps_per_second: float | None = None
    """After the first step."""
    import_seconds: float | None = None
    build_seconds: float | None = None
    """Data, model and optimizer made and brought to the device."""
    gradient_seconds: float | None = None
    """Compiling and tracing included."""
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
    agreement: list[str] = []
    """Where to look when frameworks, or variants of one, do not agree on a gradient."""
    seconds: float = 0.0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A run has entered a stage; `result` comes with "done". `model` is None until the framework is imported."""

    framework: str
    stage: Stage
    model: str | None = None
    device: str | None = None
    step: int | None = None
    loss: float | None = None
    """The last loss, while it trains."""
    result: RunResult | None = None


def verdict(runs: list[RunResult]) -> Literal["healthy", "unhealthy", "unknown"]:
    """Unhealthy when any run failed or crashed; healthy when at least one passed and none is unknown."""
    statuses = {run.status for run in runs}
    if statuses & {"fail", "crash"}:
        return "unhealthy"
    return "healthy" if "pass" in statuses and "unknown" not in statuses else "unknown"
