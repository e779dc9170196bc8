"""Why a measurement came out low, as far as the facts of the machine tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envkit.bench.limits import Gpu
from envkit.bench.memory_modules import Modules
from envkit.bench.types import Measurement
from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.gpus import AmdGpu

THROTTLED = {
    "hw_slowdown": "the hardware slows its clocks down (heat or power)",
    "hw_thermal_slowdown": "it is too hot: the hardware slows its clocks down",
    "sw_thermal_slowdown": "it is too hot: the driver slows its clocks down",
    "hw_power_brake_slowdown": "its power supply slows its clocks down",
    "sw_power_cap": "it is at its power limit",
    "applications_clocks_setting": "somebody has set its clocks",
}
BUSY_SHARE = 0.4


def of_gpus(
    measurement: Measurement, nvidia: Nvidia | None, gpus: Mapping[str, Gpu], during: Sequence[NvidiaGpu]
) -> list[str]:
    """Reasons in words; [] where none is known.

    Args:
        measurement: what was measured.
        nvidia: what was known before the bench.
        gpus: the GPUs by PyTorch's names, with what NVML told of them then.
        during: what NVML told of all GPUs while it ran.
    """
    names = list(gpus) if measurement.device == "all" else measurement.device.split("-")
    reasons: list[str] = []
    for name in names:
        before = gpus[name].nvml if name in gpus else None
        if before:
            seen = [gpu for gpu in during if gpu.index == before.index]
            several = f"{name}: " if len(names) > 1 else ""
            reasons += [several + reason for reason in _gpu(measurement, before, seen, nvidia)]
        amd = gpus[name].amd if name in gpus else None
        if amd:
            reasons += _power_limit(amd) if measurement.kind in {"matmul", "memory"} else []
            # Only its lanes: its driver was asked before, while the link idled in an older generation.
            reasons += _width([(amd.pcie_width, amd.pcie_width_max)]) if measurement.kind == "transfer" else []
    return list(dict.fromkeys(reasons))


def _gpu(measurement: Measurement, before: NvidiaGpu, seen: list[NvidiaGpu], nvidia: Nvidia | None) -> list[str]:
    reasons = []
    if measurement.kind in {"matmul", "memory"}:
        told = {reason for gpu in seen for reason in gpu.throttle_reasons or []}
        reasons += [THROTTLED[reason] + _figures(reason, before, seen) for reason in THROTTLED if reason in told]
        reasons += _power_limit(before)
    if measurement.kind in {"transfer", "peer"}:
        reasons += _pcie([*seen, before])
    if measurement.kind in {"peer", "all-reduce"} and nvidia:
        down = [link for link in before.nvlinks or [] if link.active is False]
        reasons += [f"{len(down)} of {len(before.nvlinks or [])} NVLinks are down"] if down else []
    others = [process for process in before.processes or [] if process.kind == "compute"]
    if others:
        reasons.append(
            f"{len(others)} other program{'s' if len(others) > 1 else ''} compute{'s'[len(others) > 1 :]} on it"
        )
    return reasons


def _power_limit(gpu: NvidiaGpu | AmdGpu) -> list[str]:
    limit, default = gpu.power_limit_watts, gpu.power_limit_default_watts
    lowered = limit and default and limit < default
    return [f"its power limit is set to {limit:.0f} W, by default it has {default:.0f} W"] if lowered else []


def _figures(reason: str, before: NvidiaGpu, seen: list[NvidiaGpu]) -> str:
    """Clock, temperature and power of the moment at which it was slowest."""
    slowed = [gpu for gpu in seen if reason in (gpu.throttle_reasons or [])]
    gpu = min(slowed, key=lambda gpu: gpu.clock_sm_megahertz or 0)
    parts = []
    if gpu.clock_sm_megahertz and before.clock_sm_max_megahertz:
        parts.append(f"{gpu.clock_sm_megahertz} of {before.clock_sm_max_megahertz} MHz")
    if "power" in reason and gpu.power_watts and before.power_limit_watts:
        parts.append(f"{gpu.power_watts:.0f} of {before.power_limit_watts:.0f} W")
    if "thermal" in reason and gpu.temperature_celsius is not None:
        parts.append(f"{gpu.temperature_celsius} °C")
    return f" ({', '.join(parts)})" if parts else ""


def _pcie(seen: list[NvidiaGpu]) -> list[str]:
    """The best link that was seen: an idle GPU narrows and slows it to save power."""
    reasons = _width([(gpu.pcie_width, gpu.pcie_width_max) for gpu in seen])
    generations = [(gpu.pcie_generation, gpu.pcie_generation_max) for gpu in seen if gpu.pcie_generation]
    if generations:
        now, most = max(generations, key=lambda pair: pair[0] or 0)
        reasons += [f"PCIe generation {now} of {most}"] if now and most and now < most else []
    return reasons


def _width(seen: list[tuple[int | None, int | None]]) -> list[str]:
    width, most = max(seen, key=lambda pair: pair[0] or 0)
    if not width or width >= 16:
        return []
    return [f"PCIe x{width}" + (f" of x{most}" if most and most != width else "")]


def of_memory(modules: Modules | None) -> list[str]:
    """A single module is a single channel, of the two to twelve that a processor has."""
    if not modules or modules.filled > 1 or modules.slots == 1:
        return []
    return [f"only 1 of {modules.slots} memory slots is filled: one channel"]


def of_host(facts: Facts, load: float | None, threads: str | None) -> list[str]:
    """What keeps the processors from doing all they could.

    Args:
        facts: of before the bench.
        load: how many threads ran or waited to run in the last minute, of all programs.
        threads: OMP_NUM_THREADS as the user has set it.
    """
    cpu = facts.cpu.facts
    if not cpu:
        return []
    reasons = []
    allowed, all_of = cpu.affinity_threads, cpu.threads
    usable = allowed or all_of
    if allowed and all_of and allowed < all_of:
        reasons.append(f"only {allowed} of {all_of} processors may be used")
    if isinstance(cpu.cgroup_quota_cores, float) and usable and cpu.cgroup_quota_cores < usable:
        reasons.append(f"the control group allows the time of {cpu.cgroup_quota_cores:g} processors")
    if threads and threads.isdigit() and usable and int(threads) < (cpu.cores or usable):
        reasons.append(f"OMP_NUM_THREADS is {threads}")
    if load is not None and all_of and load >= BUSY_SHARE * all_of:
        reasons.append(f"other programs kept {min(load, all_of):.1f} of {all_of} processors busy")
    if cpu.frequency_governors and cpu.frequency_driver != "intel_pstate" and "powersave" in cpu.frequency_governors:
        reasons.append("the processors' clocks are held low (powersave)")
    return reasons
