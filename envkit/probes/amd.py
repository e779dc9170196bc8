"""AMD GPUs, from the files of the kernel's compute (KFD) and graphics (DRM) drivers."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from envkit import facts
from envkit.facts import Section
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode, PciDevice
from envkit.probes import amd_sensors, files, groups, loader, pci

VENDOR_ID = "1002"
DISPLAY_CLASSES = ("03", "12")  # MI300 is a processing accelerator, 1200
KFD_NODES = "/sys/class/kfd/kfd/topology/nodes"
XGMI = 11  # HSA_IOLINKTYPE_XGMI (kernel, kfd_topology.h)
HIP_MAJORS = range(5, 13)
LIBRARY_FOLDERS = ("/opt/rocm/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
OWN_MEMORY = {1, 2}  # heap types: public and private frame buffer


class Node(NamedTuple):
    """A GPU in the compute driver's topology."""

    number: int
    path: str
    properties: dict[str, int]
    address: str
    gpu: str
    """Address of the PCI function that the whole GPU is; its parts count up the last digit."""


def observe(root: str = "/", *, deadline_seconds: float = 10.0) -> Section[Amd]:
    """AMD GPUs and their driver.

    ok: a GPU, the kernel driver or an installed ROCm is there; absent: none of them; unknown: /sys cannot be read.

    Args:
        root: where the machine's files lie.
        deadline_seconds: how long the driver may take to ask the GPUs for temperatures, errors and modes.
    """
    started = time.monotonic()
    devices = pci.devices(root, VENDOR_ID)
    shown = None if devices is None else [d for d in devices if (d.class_id or "").startswith(DISPLAY_CLASSES)]
    nodes, refused = _nodes(root)
    gpus = [_of_node(root, node, nodes) for node in nodes] or [_on_bus(root, device) for device in shown or []]
    gpus, unanswered = amd_sensors.with_sensors(root, _with_links(gpus, shown or []), deadline_seconds)
    modules = files.list_dir(root, "/sys/module")
    versions = _rocm_versions(root)
    seen = Amd(
        driver_version=files.read_line(root, "/sys/module/amdgpu/version"),
        module_loaded=None if modules is None else "amdgpu" in modules,
        rocm_version=files.read_line(root, "/opt/rocm/.info/version"),
        rocm_versions=versions,
        hip_libraries=_hip_libraries(root),
        device_nodes=groups.with_groups(root, _device_nodes(root)),
        pci_devices=shown,
        gpus=gpus or (None if devices is None else []),
        nodes_refused=refused,
        unanswered=unanswered,
    )
    seconds = time.monotonic() - started
    if seen.gpus or files.exists(root, "/dev/kfd") or versions:
        return facts.ok(seen, seconds)
    if devices is None:
        return facts.unknown(f"{pci.DEVICES} cannot be read, and there is no /dev/kfd", seconds)
    number = len(pci.addresses(root) or [])
    return facts.absent(
        f"none of {number} PCI devices is an AMD GPU (vendor {VENDOR_ID}), no /dev/kfd, no /opt/rocm", seconds
    )


def gfx_name(target_version: int) -> str | None:
    """ROCm's name of an architecture: 90402 is major 9, minor 4, stepping 2, written "gfx942"; 90010 is "gfx90a"."""
    major, rest = divmod(target_version, 10_000)
    minor, stepping = divmod(rest, 100)
    return f"gfx{major}{minor:x}{stepping:x}" if major else None


def _device_nodes(root: str) -> list[DeviceNode]:
    names = [f"dri/{name}" for name in files.list_dir(root, "/dev/dri") or [] if re.fullmatch(r"renderD\d+", name)]
    nodes = [files.device_node(root, f"/dev/{name}") for name in ("kfd", *names)]
    return [node for node in nodes if node]


def _rocm_versions(root: str) -> list[str]:
    folders = [name for name in files.list_dir(root, "/opt") or [] if re.fullmatch(r"rocm(-[\d.]+)?", name)]
    found = [files.read_line(root, f"/opt/{folder}/.info/version") for folder in folders]
    return list(dict.fromkeys(version for version in found if version))


def _hip_libraries(root: str) -> list[str]:
    found = [loader.find(root, f"libamdhip64.so.{major}", LIBRARY_FOLDERS) for major in HIP_MAJORS]
    return [path for path in found if path]


def _nodes(root: str) -> tuple[list[Node], int | None]:
    """The GPUs that the compute driver lists, and how many of its entries this container may not read."""
    names = files.list_dir(root, KFD_NODES)
    if names is None:
        return [], None
    found, refused = [], 0
    for number in sorted(int(name) for name in names if name.isdecimal()):
        properties = _properties(root, f"{KFD_NODES}/{number}/properties")
        refused += not properties
        if properties.get("simd_count"):
            found.append(_node(root, number, properties))
    return found, refused


def _node(root: str, number: int, properties: dict[str, int]) -> Node:
    location = properties.get("location_id", 0)
    slot = f"{properties.get('domain', 0):04x}:{location >> 8:02x}:{location >> 3 & 31:02x}"
    address = f"{slot}.{location & 7}"
    # A virtual function is a PCI function of its own, a part of a GPU is none.
    gpu = address if files.exists(root, f"{pci.DEVICES}/{address}") else f"{slot}.0"
    return Node(number, f"{KFD_NODES}/{number}", properties, address, gpu)


def _of_node(root: str, node: Node, nodes: Sequence[Node]) -> AmdGpu:
    parts = Counter(other.gpu for other in nodes)[node.gpu]
    device = f"{pci.DEVICES}/{node.gpu}"
    if not files.exists(root, device):  # a recording of the graphics driver's files only
        device = f"/sys/class/drm/renderD{node.properties.get('drm_render_minor', 0)}/device"
    total, bank = files.read_int(root, f"{device}/mem_info_vram_total"), _bank_bytes(root, node)
    unique = node.properties.get("unique_id")
    hive = node.properties.get("hive_id")
    lanes = node.properties.get("simd_per_cu")
    return AmdGpu(
        name=_name(root, device, f"{node.properties.get('device_id', 0):04x}"),
        gfx=gfx_name(node.properties.get("gfx_target_version", 0)),
        pci_address=node.address,
        memory_total_bytes=(total or bank) if parts == 1 else bank,
        memory_used_bytes=files.read_int(root, f"{device}/mem_info_vram_used") if parts == 1 else None,
        node=node.number,
        partition=int(node.address[-1]) if node.gpu != node.address or parts > 1 else 0,
        uuid=f"GPU-{unique:016x}" if unique else None,
        compute_units=node.properties["simd_count"] // lanes if lanes else None,
        hive=str(hive) if hive else None,
        xgmi_peers=_xgmi_peers(root, node, nodes),
    )


def _on_bus(root: str, device: PciDevice) -> AmdGpu:
    folder = f"{pci.DEVICES}/{device.address}"
    return AmdGpu(
        name=_name(root, folder, device.device_id),
        pci_address=device.address,
        memory_total_bytes=files.read_int(root, f"{folder}/mem_info_vram_total"),
        memory_used_bytes=files.read_int(root, f"{folder}/mem_info_vram_used"),
    )


def _name(root: str, device: str, device_id: str) -> str | None:
    """By the driver, which names server GPUs only, else by the list of PCI ids."""
    return files.read_line(root, f"{device}/product_name") or pci.model(root, VENDOR_ID, device_id)


def _xgmi_peers(root: str, node: Node, nodes: Sequence[Node]) -> list[str] | None:
    """Other GPUs at the far ends of its links; those that were not handed into this container are left out."""
    links = files.list_dir(root, f"{node.path}/io_links")
    if links is None:
        return None
    gpu_of = {other.number: other.gpu for other in nodes}
    ends = [_properties(root, f"{node.path}/io_links/{link}/properties") for link in links]
    peers = {gpu_of.get(end.get("node_to", -1)) for end in ends if end.get("type") == XGMI}
    return sorted(peer for peer in peers if peer and peer != node.gpu)


def _bank_bytes(root: str, node: Node) -> int | None:
    """The GPU's own memory as the compute driver has it."""
    banks = [
        _properties(root, f"{node.path}/mem_banks/{bank}/properties")
        for bank in files.list_dir(root, f"{node.path}/mem_banks") or []
    ]
    return sum(bank.get("size_in_bytes", 0) for bank in banks if bank.get("heap_type") in OWN_MEMORY) or None


def _with_links(gpus: Sequence[AmdGpu], devices: Sequence[PciDevice]) -> list[AmdGpu]:
    """What the PCI bus tells of each GPU, at the first of its parts."""
    waiting = {device.address: device for device in devices}
    found = []
    for gpu in gpus:
        address = gpu.pci_address or ""
        device = waiting.pop(address, None) or waiting.pop(f"{address[:-1]}0", None)
        found.append(gpu if device is None else _linked(gpu, device))
    return found


def _linked(gpu: AmdGpu, device: PciDevice) -> AmdGpu:
    return replace(
        gpu,
        kernel_driver=device.kernel_driver,
        pcie_width=device.link_width,
        pcie_width_max=device.link_width_max,
        pcie_generation=device.link_generation,
        pcie_generation_max=device.link_generation_max,
        numa_node=device.numa_node,
    )


def _properties(root: str, path: str) -> dict[str, int]:
    """Lines "name number"."""
    pairs = [line.split() for line in (files.read_text(root, path) or "").split("\n")]
    numbers = {pair[0]: files.number(pair[1]) for pair in pairs if len(pair) == 2}
    return {name: number for name, number in numbers.items() if number is not None and number >= 0}
