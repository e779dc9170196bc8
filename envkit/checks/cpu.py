"""The processor: instruction sets, and how many threads are started for how many cores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import TENSORFLOWS, wants
from envkit.findings import Findings, Remedy, fail, unsure, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.machine import Cpu, System
    from envkit.profile import Profile

_X86 = {"x86_64", "amd64", "i686"}
_FAST_POWERSAVE = {"intel_pstate", "amd-pstate-epp", "amd_pstate_epp"}


def _lacks(cpu: Cpu, flag: str) -> bool:
    x86 = (cpu.architecture or "").lower() in _X86
    return x86 and cpu.flags is not None and flag not in cpu.flags


@check(area="machine")
def cpu_no_avx(cpu: Cpu, facts: Facts, profile: Profile) -> Findings:
    """The processor has no AVX: TensorFlow's wheels stop with an illegal instruction.

    Virtual machines often hide AVX. Source: TensorFlow pip guide, "Hardware requirements".
    """
    tensorflow_wanted = facts.tensorflow.facts is not None or wants(profile, TENSORFLOWS)
    if cpu.flags is None and tensorflow_wanted and (cpu.architecture or "").lower() in _X86:
        yield unsure("whether the processor has AVX, which TensorFlow needs, is unknown")
    if _lacks(cpu, "avx"):
        found = fail if tensorflow_wanted else warn
        yield found(
            "the processor has no AVX, without which TensorFlow crashes when it is imported",
            evidence=[cpu.model or "model unknown", "flag avx is not there"],
            remedy=Remedy(
                text="in a virtual machine choose a CPU model that passes AVX through (host-passthrough); "
                "else use another machine, or train with PyTorch",
                who="admin",
            ),
        )


@check(area="machine", after="cpu-no-avx")
def cpu_no_avx2(cpu: Cpu) -> Findings:
    """The processor has no AVX2: training on it is slow."""
    if _lacks(cpu, "avx2"):
        yield warn(
            "the processor has no AVX2, so training on it is slow",
            evidence=[cpu.model or "model unknown", "flag avx2 is not there"],
            remedy=Remedy(text="use a newer processor, or a CPU model of the virtual machine that passes AVX2 through"),
        )


@check(area="machine")
def cpu_oversubscribed(cpu: Cpu, facts: Facts, *, factor: float = 1.5) -> Findings:
    """More threads are started than this process may use cores.

    OpenMP starts a thread for each logical processor of the affinity mask, whatever the cgroup's quota; the threads
    then wait for each other. OMP_NUM_THREADS says otherwise.
    """
    quota, python = cpu.cgroup_quota_cores, facts.python.facts
    visible = cpu.affinity_threads or cpu.threads
    limits = [n for n in (visible, None if isinstance(quota, str) else quota) if n]
    if not limits or visible is None:
        return
    allowed = min(limits)
    said = python.environment.get("OMP_NUM_THREADS", "") if python else ""
    threads = int(said) if said.isdecimal() and int(said) else visible
    if threads > factor * allowed:
        number = max(1, math.floor(allowed))
        yield warn(
            f"{threads} threads will share {allowed:g} cores",
            evidence=[
                f"OMP_NUM_THREADS={said}" if said else "OMP_NUM_THREADS is not set",
                f"{visible} logical processors visible, cgroup quota {quota if quota is not None else 'unknown'}",
            ],
            remedy=Remedy(text="start as many threads as cores", commands=[["export", f"OMP_NUM_THREADS={number}"]]),
        )


@check(area="machine")
def cpu_governor_powersave(cpu: Cpu, system: System) -> Findings:
    """The processor is kept at its lowest clock (governor "powersave"): data loading and launching kernels are slow.

    Of intel_pstate and amd_pstate in their active mode the governor of this name is fast, and not meant. Source:
    Documentation/admin-guide/pm/cpufreq.rst of the Linux kernel.
    """
    literal = cpu.frequency_driver is not None and cpu.frequency_driver not in _FAST_POWERSAVE
    if literal and "powersave" in (cpu.frequency_governors or []) and system.virtual_machine == "none":
        yield warn(
            "the processor is kept at its lowest clock",
            evidence=[f"driver {cpu.frequency_driver}, governor powersave"],
            remedy=Remedy(
                text="set the governor performance or schedutil (for good: tuned, cpufrequtils)",
                commands=[["sudo", "cpupower", "frequency-set", "-g", "performance"]],
                who="admin",
            ),
        )
