"""Each GPU by itself: lost, in need of a reset, hot, slowed down, closed to computing, full, with memory errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import dealt_out, judged, label, reset, unified, usable
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia, NvidiaGpu
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_LOST = {"GPU_IS_LOST", "GPU_NOT_FOUND"}
_SILENT = ("no answer", "killed by", "not asked")  # words of ours, not of NVML
_HARDWARE_SLOWDOWN = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown")
GIB = 1024**3


def _broken(nvidia: Nvidia, profile: Profile) -> Iterator[tuple[NvidiaGpu, str]]:
    for gpu in (nvidia.gpus or []) if judged(profile) else []:
        if gpu.error:
            yield gpu, gpu.error


def _sound(nvidia: Nvidia, profile: Profile) -> list[NvidiaGpu]:
    return usable(nvidia) if judged(profile) else []


@check(area="accelerators")
def gpu_lost(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU has fallen off the bus.

    NVML says GPU_IS_LOST; the kernel's log has Xid 79.
    """
    for gpu, error in _broken(nvidia, profile):
        if error in _LOST:
            yield fail(
                "the GPU has fallen off the bus",
                subject=label(gpu),
                evidence=[f"NVML: {error}"],
                remedy=Remedy(
                    text="drain the machine and reboot; if it comes back, have power, cooling and seating inspected",
                    who="admin",
                ),
            )


@check(area="accelerators")
def gpu_needs_reset(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU must be reset before it can be used again."""
    for gpu, error in _broken(nvidia, profile):
        if error == "RESET_REQUIRED":
            yield fail(
                "the GPU requires a reset",
                subject=label(gpu),
                evidence=[f"NVML: {error}"],
                remedy=Remedy(text="stop its processes and reset it, or reboot", commands=reset(gpu), who="admin"),
            )


@check(area="accelerators")
def gpu_unreadable(nvidia: Nvidia, profile: Profile, facts: Facts) -> Findings:
    """A GPU is listed but cannot be opened, for a reason other than being lost or in need of a reset.

    One that does not answer is told by nvidia-driver-hangs. In a job, others' GPUs may be listed without permission.
    """
    seen = len(usable(nvidia))
    given = dealt_out(facts, seen)
    told = {*_LOST, "RESET_REQUIRED", *(["NO_PERMISSION"] if given is not None and seen >= given else [])}
    for gpu, error in _broken(nvidia, profile):
        if error not in told and not error.startswith(_SILENT):
            yield fail(
                "the GPU cannot be opened",
                subject=label(gpu),
                evidence=[f"NVML: {error}"],
                remedy=Remedy(text="look for Xid errors in the kernel's log (dmesg), then reboot", who="admin"),
            )


@check(area="accelerators")
def ecc_uncorrected(nvidia: Nvidia, profile: Profile, *, allowed: int = 0) -> Findings:
    """A GPU has had uncorrectable memory errors since the driver was loaded."""
    for gpu in _sound(nvidia, profile):
        if (gpu.ecc_uncorrected or 0) > allowed:
            yield fail(
                f"{gpu.ecc_uncorrected} uncorrectable memory errors",
                subject=label(gpu),
                evidence=[f"ECC, uncorrected since the driver was loaded: {gpu.ecc_uncorrected}"],
                remedy=Remedy(
                    text="drain and reset the GPU; if errors come back, have it replaced",
                    commands=reset(gpu),
                    who="admin",
                ),
            )


@check(area="accelerators")
def gpu_hot(nvidia: Nvidia, profile: Profile, *, margin_celsius: int = 3, limit_celsius: int = 90) -> Findings:
    """A GPU is within a few degrees of the temperature at which it slows itself down.

    GPUs from Hopper on tell how far they are from it. limit_celsius stands in where a GPU tells no limit of its own.
    """
    for gpu in _sound(nvidia, profile):
        now, slowdown = gpu.temperature_celsius, gpu.temperature_slowdown_celsius
        left = gpu.temperature_margin_celsius
        if left is None and now is not None and slowdown is not None:
            left = slowdown - now
        if left <= margin_celsius if left is not None else now is not None and now >= limit_celsius:
            yield warn(
                f"the GPU is at {now} °C" if now is not None else "the GPU is too hot",
                subject=label(gpu),
                evidence=["it slows down at: not told" if left is None else f"it slows down in: {left} °C"],
                remedy=Remedy(text="improve the cooling (fans, air flow, dust, room temperature)", who="admin"),
            )


@check(area="accelerators", after="gpu-hot")
def gpu_throttled(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU's clocks are held down by heat or by its power supply."""
    for gpu in _sound(nvidia, profile):
        reasons = [reason for reason in gpu.throttle_reasons or [] if reason in _HARDWARE_SLOWDOWN]
        if reasons:
            clocks = f"SM clock {gpu.clock_sm_megahertz} of {gpu.clock_sm_max_megahertz} MHz"
            temperature = gpu.temperature_celsius
            yield warn(
                f"the GPU is slowed down: {', '.join(reasons)}",
                subject=label(gpu),
                evidence=([clocks] if gpu.clock_sm_megahertz is not None else [])
                + ([f"{temperature} °C"] if temperature is not None else []),
                remedy=Remedy(text="check cooling, power supply and power cables of the GPU", who="admin"),
            )


@check(area="accelerators")
def compute_mode_prohibited(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU's compute mode forbids computing, or another process holds it for itself."""
    for gpu in _sound(nvidia, profile):
        holders = [str(p.pid) for p in gpu.processes or [] if p.kind == "compute"]
        busy = gpu.compute_mode == "exclusive-process" and holders
        if gpu.compute_mode == "prohibited" or busy:
            yield fail(
                f"process {', '.join(holders)} holds the GPU for itself"
                if busy
                else "the GPU's compute mode is prohibited",
                subject=label(gpu),
                evidence=[f"compute mode {gpu.compute_mode}"],
                remedy=Remedy(
                    text="stop that process, or set the default compute mode"
                    if busy
                    else "set the default compute mode",
                    commands=[["sudo", "nvidia-smi", "-i", str(gpu.index), "-c", "DEFAULT"]],
                    who="admin",
                ),
            )


@check(area="accelerators")
def gpu_memory_held(nvidia: Nvidia, profile: Profile, knowledge: Knowledge, *, share: float = 0.25) -> Findings:
    """A good part of a GPU's memory, or of a MIG device's, is in use before training begins.

    Of GPUs with memory of their own; what programs hold of the machine's is seen by memory-low.
    """
    for gpu in _sound(nvidia, profile):
        for subject, total, used in [] if unified(gpu, knowledge) else _memories(gpu):
            if not total or used is None or used < share * total:
                continue
            processes = [
                f"process {p.pid} ({p.kind})"
                + (f": {p.memory_used_bytes / GIB:.1f} GiB" if p.memory_used_bytes else "")
                for p in gpu.processes or []
            ]
            unseen = "no process is visible: it runs in another container or has left memory behind"
            yield warn(
                f"{used / GIB:.1f} of {total / GIB:.1f} GiB of the GPU's memory are in use",
                subject=subject,
                evidence=processes or [unseen],
                remedy=Remedy(text="stop the processes that hold it, or use another GPU (CUDA_VISIBLE_DEVICES)"),
            )


def _memories(gpu: NvidiaGpu) -> list[tuple[str, int | None, int | None]]:
    """Subject, size and use of its memory, or of that of the MIG devices it is divided into."""
    if not gpu.mig:
        return [(label(gpu), gpu.memory_total_bytes, gpu.memory_used_bytes)]
    return [
        (f"{label(gpu)}, MIG device {part.index} ({part.profile})", part.memory_total_bytes, part.memory_used_bytes)
        for part in gpu.mig
    ]


@check(area="accelerators")
def mig_without_instances(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU is in MIG mode and has no instance that could compute."""
    for gpu in _sound(nvidia, profile):
        if gpu.mig_mode == "enabled" and gpu.mig_devices == 0:
            index = str(gpu.index)
            yield fail(
                "MIG is enabled and no instance exists",
                subject=label(gpu),
                evidence=["MIG mode enabled, 0 MIG devices"],
                remedy=Remedy(
                    text="make instances (nvidia-smi mig -cgi PROFILE -C), or switch MIG off",
                    commands=[["sudo", "nvidia-smi", "-i", index, "-mig", "0"]],
                    who="admin",
                ),
            )
