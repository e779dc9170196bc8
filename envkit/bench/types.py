"""What a bench reports (schema envkit.bench/1)."""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = "envkit.bench/1"

Kind = Literal["matmul", "memory", "transfer", "step", "peer", "all-reduce", "disk"]
Status = Literal["pass", "fail", "skip", "unknown", "crash"]
Unit = Literal["TFLOPS", "GB/s", "steps/s"]


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing measured, or not. What was not reached is None."""

    kind: Kind
    device: str
    """As PyTorch names it: "cpu", "cuda:0" (ROCm's GPUs, too), "mps:0"; "cuda:0-cuda:1" for two, "all"."""
    variant: str = ""
    """matmul: the type; transfer: "h2d-pinned" (host to device, page-locked) ...; step: the model; disk: "write" ..."""
    status: Status
    """pass: measured, and not slower than it should be; fail: slower, or it could not be measured."""
    cause: str | None = None
    """Why it did not pass: "slow", "slower-than-baseline", "out-of-memory", "hang", "device-missing", ..."""
    message: str = ""
    value: float | None = None
    """The median of the repeats."""
    sustained: float | None = None
    """matmul of a GPU: what it keeps up for half a second, where value is the best of three bursts of 50 ms."""
    unit: Unit | None = None
    """TFLOPS: 10^12 operations a second; GB/s: 10^9 bytes a second (copies in memory count what is read and written);
    steps/s: of training, each with forward, backward and update."""
    spread: float | None = None
    """How far the quartiles of the repeats lie apart, as a fraction of the median."""
    repeats: int | None = None
    detail: str = ""
    """Sizes: "8192 x 8192"."""
    seconds: float | None = None
    """What measuring took."""
    peak: float | None = None
    """What the hardware could do at most, in the same unit; None where nobody knows."""
    peak_of: str = ""
    """What that peak is of: "H100 80GB HBM3", "PCIe 5.0 x16"."""
    fraction: float | None = None
    """value / peak."""
    floor: float | None = None
    """The value below which it is slow, in the same unit: the profile's, else a share of the peak."""
    floor_of: str = ""
    """Whose floor that is: "profile cluster"; "" for a share of the peak."""
    baseline: float | None = None
    """The value in the file to compare with."""
    baseline_fraction: float | None = None
    """value / baseline."""
    reasons: list[str] = []
    """What is known to make it slow."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device that was measured."""

    device: str
    name: str | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What must be the same for two reports to be compared."""

    cpu: str | None = None
    gpus: list[str] = []
    """Names of all GPUs, in order of the name; two of a kind are there twice."""
    processors: int | None = None
    """Logical processors that could be used."""


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """All measurements and the verdict on them."""

    schema: str = SCHEMA
    envkit: str = ""
    taken_at: str = ""
    python: str = ""
    torch: str | None = None
    machine: Machine = Machine()
    devices: list[Device] = []
    status: Literal["healthy", "unhealthy", "unknown"] = "unknown"
    measurements: list[Measurement] = []
    baseline: str = ""
    """When the report that this one was compared with was taken; "" without one."""
    seconds: float = 0.0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement begins; `result` comes when it has ended."""

    kind: Kind
    device: str
    variant: str
    result: Measurement | None = None


def verdict(measurements: list[Measurement]) -> Literal["healthy", "unhealthy", "unknown"]:
    """Unhealthy when any failed or crashed; healthy when at least one passed and none is unknown."""
    statuses = {measurement.status for measurement in measurements}
    if statuses & {"fail", "crash"}:
        return "unhealthy"
    return "healthy" if "pass" in statuses and "unknown" not in statuses else "unknown"
