"""Processors: what the kernel says of them, and how much of them this process may use."""

from __future__ import annotations

import os
import sys

from envkit.cpuinfo import cpu_list
from envkit.cpuinfo import vendor as cpuinfo_vendor
from envkit.facts import Section, ok, unknown
from envkit.facts.machine import Cpu
from envkit.probes import cgroup
from envkit.probes.files import list_dir, read_line, read_text

CPUS = "/sys/devices/system/cpu"
MOST_POLICIES = 8  # each processor may have a policy of its own, and all mostly say the same


def observe(root: str = "/") -> Section[Cpu]:
    """Processors as /proc/cpuinfo, /sys/devices/system/cpu and, on this machine, the scheduler tell."""
    if root == "/" and sys.platform != "linux":
        return ok(_elsewhere())
    info = cpuinfo(root)
    online = cpu_list(read_line(root, f"{CPUS}/online"))
    sockets, cores = _topology(root, info, online)
    driver, governors = _frequency(root)
    facts = Cpu(
        model=_model(root, info),
        vendor=cpuinfo_vendor(info),
        architecture=os.uname().machine if root == "/" else None,
        sockets=sockets,
        cores=cores,
        threads=len(online) or _listed(info) or None,
        flags=_flags(info),
        affinity_threads=len(os.sched_getaffinity(0)) if root == "/" else _recorded_affinity(root),
        cgroup_quota_cores=cgroup.cpu_quota(root),
        frequency_driver=driver,
        frequency_governors=governors,
    )
    return ok(facts) if facts != Cpu() else unknown("/proc/cpuinfo and /sys/devices/system/cpu cannot be read")


def cpuinfo(root: str) -> dict[str, list[str]]:
    """The values of /proc/cpuinfo by name, in the order of the processors; {} when it cannot be read."""
    values: dict[str, list[str]] = {}
    for line in (read_text(root, "/proc/cpuinfo") or "").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            values.setdefault(name.strip(), []).append(value.strip())
    return values


def _model(root: str, info: dict[str, list[str]]) -> str | None:
    """x86, RISC-V: "model name"; POWER: "cpu"; 32-bit Arm: "Processor"; 64-bit Arm: the device tree, if any."""
    named = [value for key in ("model name", "cpu", "Processor") for value in info.get(key, [])[:1] if value]
    if named:
        return named[0]
    tree = "/proc/device-tree/cpus"
    nodes = [name for name in list_dir(root, tree) or [] if name.startswith("cpu@")]
    compatible = read_line(root, f"{tree}/{nodes[0]}/compatible") if nodes else None
    return compatible.split("\0")[0] if compatible else None


def _flags(info: dict[str, list[str]]) -> list[str] | None:
    """x86: "flags"; Arm: "Features"; IBM Z: "features"; RISC-V: the extensions in "isa". POWER lists none."""
    for key in ("flags", "Features", "features"):
        if info.get(key):
            return info[key][0].split()
    return info["isa"][0].split("_") if info.get("isa") else None


def _listed(info: dict[str, list[str]]) -> int:
    """Processors in /proc/cpuinfo; IBM Z writes "processor 0: version = FF, ..."."""
    return len(info.get("processor", [])) or sum(name.startswith("processor ") for name in info)


def _topology(root: str, info: dict[str, list[str]], online: list[int]) -> tuple[int | None, int | None]:
    """Sockets and cores; None where a virtual machine or a container hides them."""
    packages, cores = info.get("physical id", []), info.get("core id", [])
    if packages and len(packages) == len(cores):
        return len(set(packages)), len(set(zip(packages, cores, strict=True)))
    folders = [f"{CPUS}/cpu{number}/topology" for number in online]
    sockets = {read_line(root, f"{folder}/physical_package_id") for folder in folders}
    siblings = {read_line(root, f"{folder}/thread_siblings_list") for folder in folders}
    # The kernel writes -1 for a package that the firmware does not describe.
    known = sockets and not sockets & {None, "-1"}
    return len(sockets) if known else None, len(siblings) if siblings and None not in siblings else None


def allowed(root: str, what: str) -> str | None:
    """What this process may use, "Cpus" or "Mems", as the kernel lists it: "0-15"."""
    _, found, rest = (read_text(root, "/proc/self/status") or "").partition(f"\n{what}_allowed_list:")
    return rest.partition("\n")[0].strip() or None if found else None


def _recorded_affinity(root: str) -> int | None:
    return len(cpu_list(allowed(root, "Cpus"))) or None


def _frequency(root: str) -> tuple[str | None, list[str] | None]:
    """The driver that sets the processors' clocks, and the governors that tell it how; a few processors are asked."""
    folder = f"{CPUS}/cpufreq"
    policies = [name for name in list_dir(root, folder) or [] if name.startswith("policy")]
    asked = policies[:: -(-len(policies) // MOST_POLICIES) or 1]
    governors = {read_line(root, f"{folder}/{name}/scaling_governor") for name in asked} - {None}
    driver = read_line(root, f"{folder}/{asked[0]}/scaling_driver") if asked else None
    return driver, sorted(filter(None, governors)) or None


def _elsewhere() -> Cpu:
    import platform  # noqa: PLC0415 - where there is no /proc only

    import psutil  # noqa: PLC0415

    return Cpu(
        model=os.environ.get("PROCESSOR_IDENTIFIER"),
        architecture=platform.machine() or None,
        cores=psutil.cpu_count(logical=False),
        threads=os.cpu_count(),
    )
