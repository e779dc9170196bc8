"""Processors: what the kernel says of them, and how much of them this process may use."""

from __future__ import annotations

import os
import sys

from envkit.cpuinfo import vendor as cpuinfo_vendor
from envkit.facts import Section, ok, unknown
from envkit.facts.machine import Cpu
from envkit.probes import cgroup
from envkit.probes.files import list_dir, number, read_line, read_text

CPUS = "/sys/devices/system/cpu"


def observe(root: str = "/") -> Section[Cpu]:
    """Processors as /proc/cpuinfo, /sys/devices/system/cpu and, on this machine, the scheduler tell."""
    if root == "/" and sys.platform != "linux":
        return ok(_elsewhere())
    info = cpuinfo(root)
    online = _cpu_list(read_line(root, f"{CPUS}/online"))
    sockets, cores = _topology(root, info, online)
    facts = Cpu(
        model=_model(root, info),
        vendor=cpuinfo_vendor(info),
        architecture=os.uname().machine if root == "/" else None,
        sockets=sockets,
        cores=cores,
        threads=len(online) or _listed(info) or None,
        flags=_flags(info),
        affinity_threads=len(os.sched_getaffinity(0)) if root == "/" else None,
        cgroup_quota_cores=cgroup.cpu_quota(root),
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


def _cpu_list(text: str | None) -> list[int]:
    """The numbers in a kernel's list: "0-3,8" is 0 1 2 3 8; [] when it makes no sense."""
    numbers: list[int] = []
    for part in (text or "").split(","):
        first, last = number(part.split("-")[0]), number(part.split("-")[-1])
        if first is None or last is None or last - first > 1 << 16:
            return []
        numbers += range(first, last + 1)
    return numbers


def _elsewhere() -> Cpu:
    import platform  # noqa: PLC0415 - where there is no /proc only

    import psutil  # noqa: PLC0415

    return Cpu(
        model=os.environ.get("PROCESSOR_IDENTIFIER"),
        architecture=platform.machine() or None,
        cores=psutil.cpu_count(logical=False),
        threads=os.cpu_count(),
    )
