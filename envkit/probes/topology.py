"""How processors, memory and GPUs hang together, and where this process may run."""

from __future__ import annotations

import re
import sys

from envkit.cpuinfo import cpu_list
from envkit.facts import Section, absent, ok, unknown
from envkit.facts.host import GpuPlace, NumaNode, Topology
from envkit.probes import cgroup
from envkit.probes.cpu import allowed
from envkit.probes.files import exists, link_target, list_dir, number, read_bytes, read_int, read_line, read_text

NODES = "/sys/devices/system/node"
PCI = "/sys/bus/pci"
DRIVERS = ("nvidia", "amdgpu")
ADDRESS = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
IOMMU_PARAMETERS = ("intel_iommu=", "amd_iommu=", "iommu=", "iommu.", "pcie_acs_override=")
# PCI Express base specification, "ACS Extended Capability": a list of capabilities starts at byte 256, each with its
# id in 16 bits and the place of the next in the upper 12; the control register lies at byte 6 of ACS.
EXTENDED = 0x100
MOST_CAPABILITIES = 48
ACS = 0x0D
REDIRECT = 0b1100  # requests, completions


def observe(root: str = "/") -> Section[Topology]:
    """NUMA nodes, affinity, GPUs with their bridges, IOMMU, as /sys and /proc tell."""
    if root == "/" and sys.platform != "linux":
        return absent("only Linux tells its topology in files")
    cpus, memory_nodes = cgroup.cpuset(root)
    gpus = _gpus(root)
    facts = Topology(
        numa_nodes=_nodes(root),
        affinity_cpus=allowed(root, "Cpus"),
        affinity_memory_nodes=allowed(root, "Mems"),
        cgroup_cpus=cpus,
        cgroup_memory_nodes=memory_nodes,
        gpus=gpus,
        iommu_units=(list_dir(root, "/sys/class/iommu") or []) if exists(root, "/sys/class") else None,
        iommu_parameters=_iommu_parameters(root),
        acs_redirecting=None if gpus is None else _redirecting(root, {b: None for gpu in gpus for b in gpu.bridges}),
    )
    return ok(facts) if facts != Topology() else unknown("/sys and /proc/self cannot be read")


def _nodes(root: str) -> list[NumaNode] | None:
    if not exists(root, "/sys/devices/system"):
        return None
    numbers = (number(name.removeprefix("node")) for name in list_dir(root, NODES) or [])
    online = cpu_list(read_line(root, f"{NODES}/online")) or sorted(n for n in numbers if n is not None)
    return [NumaNode(index=index, cpus=_cpus(root, index), memory_total_bytes=_memory(root, index)) for index in online]


def _cpus(root: str, index: int) -> str | None:
    text = read_text(root, f"{NODES}/node{index}/cpulist")
    cpus = None if text is None else text.strip()
    return cpus if cpus == "" or cpu_list(cpus) else None


def _memory(root: str, index: int) -> int | None:
    """From "Node 0 MemTotal:       24684092 kB"."""
    _, _, rest = (read_text(root, f"{NODES}/node{index}/meminfo") or "").partition(" MemTotal:")
    kib = number(rest.partition(" kB")[0])
    return kib * 1024 if kib else None


def _gpus(root: str) -> list[GpuPlace] | None:
    """The devices of the GPU drivers, in the order of their addresses; a driver's folder holds a link to each."""
    if not exists(root, f"{PCI}/drivers"):
        return None if exists(root, PCI) or not exists(root, "/sys/bus") else []
    names = [(driver, name) for driver in DRIVERS for name in list_dir(root, f"{PCI}/drivers/{driver}") or []]
    return [_place(root, driver, name) for driver, name in names if re.fullmatch(ADDRESS, name)]


def _place(root: str, driver: str, address: str) -> GpuPlace:
    device = f"{PCI}/devices/{address}"
    node = read_int(root, f"{device}/numa_node")
    # ../../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0
    way = re.findall(ADDRESS, link_target(root, f"{PCI}/drivers/{driver}/{address}") or "")
    return GpuPlace(
        pci_address=address,
        kernel_driver=driver,
        class_id=_word_of(root, f"{device}/class", r"0x([0-9a-f]{6})"),
        numa_node=node if node is not None and node >= 0 else None,
        iommu_domain=_word_of(root, f"{device}/iommu_group/type", r"([A-Za-z-]{2,20})"),
        bridges=[bridge for bridge in way if bridge != address],
    )


def _word_of(root: str, path: str, pattern: str) -> str | None:
    match = re.fullmatch(pattern, read_line(root, path) or "")
    return match[1] if match else None


def _iommu_parameters(root: str) -> list[str] | None:
    line = read_line(root, "/proc/cmdline")
    if line is None:
        return None
    return [w for w in line.split() if w.startswith(IOMMU_PARAMETERS) or (w.startswith("pci=") and "acs" in w)]


def _redirecting(root: str, bridges: dict[str, None]) -> list[str] | None:
    """Those bridges whose ACS redirects; None when one of them cannot be told."""
    found = []
    for bridge in bridges:
        control = _acs_control(root, bridge)
        if control is None:
            return None
        if control & REDIRECT:
            found.append(bridge)
    return found


def _acs_control(root: str, bridge: str) -> int | None:
    """The ACS control register, 0 without ACS; None where it may not be read: all but root see 64 bytes alone.

    A bridge that sleeps is not asked: reading would wake it.
    """
    device = f"{PCI}/devices/{bridge}"
    if read_line(root, f"{device}/power/runtime_status") == "suspended":
        return None
    place = EXTENDED
    for _ in range(MOST_CAPABILITIES):
        head = _word(root, device, place)
        if head is None:
            return None
        if head & 0xFFFF == ACS:
            control = read_bytes(root, f"{device}/config", place + 6, 2)
            return int.from_bytes(control, "little") if len(control) == 2 else None
        place = head >> 20
        if head in {0, 0xFFFFFFFF} or place < EXTENDED:
            return 0
    return None


def _word(root: str, device: str, place: int) -> int | None:
    word = read_bytes(root, f"{device}/config", place, 4)
    return int.from_bytes(word, "little") if len(word) == 4 else None
