"""AMD GPUs, from the files of the kernel's compute (KFD) and graphics (DRM) drivers."""

from __future__ import annotations

import re
import time

from envkit import facts
from envkit.facts import Section
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode, PciDevice
from envkit.probes import files, pci

VENDOR_ID = "1002"
DISPLAY_CLASSES = ("03", "12")  # MI300 is a processing accelerator, 1200
KFD_NODES = "/sys/class/kfd/kfd/topology/nodes"


def observe(root: str = "/") -> Section[Amd]:
    """AMD GPUs and their driver.

    ok: a GPU, the kernel driver or an installed ROCm is there; absent: none of them; unknown: /sys cannot be read.
    """
    started = time.monotonic()
    devices = pci.devices(root, VENDOR_ID)
    seen = Amd(
        driver_version=files.read_line(root, "/sys/module/amdgpu/version"),
        rocm_version=files.read_line(root, "/opt/rocm/.info/version"),
        device_nodes=_device_nodes(root),
        gpus=_gpus(root, devices),
    )
    seconds = time.monotonic() - started
    if seen.gpus or files.exists(root, "/dev/kfd") or seen.rocm_version:
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


def _gpus(root: str, devices: list[PciDevice] | None) -> list[AmdGpu] | None:
    """As the compute driver lists them, a GPU's partitions singly; when it lists none, what is on the PCI bus."""
    nodes = sorted(files.list_dir(root, KFD_NODES) or [], key=lambda name: (len(name), name))
    found = [_compute_gpu(root, f"{KFD_NODES}/{node}") for node in nodes]
    usable = [gpu for gpu in found if gpu]
    if usable or devices is None:
        return usable or None
    shown = [device for device in devices if (device.class_id or "").startswith(DISPLAY_CLASSES)]
    return [_gpu(root, f"{pci.DEVICES}/{device.address}", address=device.address) for device in shown]


def _compute_gpu(root: str, node: str) -> AmdGpu | None:
    """A KFD node; None for a CPU, and for a GPU that this container may not use, whose properties are unreadable."""
    properties = _properties(root, f"{node}/properties")
    if not properties.get("simd_count"):
        return None
    location = properties.get("location_id", 0)
    address = f"{properties.get('domain', 0):04x}:{location >> 8:02x}:{location >> 3 & 31:02x}.{location & 7}"
    device = f"/sys/class/drm/renderD{properties.get('drm_render_minor', 0)}/device"
    return _gpu(root, device, address=address, gfx=gfx_name(properties.get("gfx_target_version", 0)), node=node)


def _gpu(root: str, device: str, *, address: str, gfx: str | None = None, node: str | None = None) -> AmdGpu:
    total = files.read_int(root, f"{device}/mem_info_vram_total")
    return AmdGpu(
        name=files.read_line(root, f"{device}/product_name"),
        gfx=gfx,
        pci_address=address,
        memory_total_bytes=total or (_bank_bytes(root, node) if node else None),
        memory_used_bytes=files.read_int(root, f"{device}/mem_info_vram_used"),
    )


def _bank_bytes(root: str, node: str) -> int | None:
    """The GPU's own memory as the compute driver has it: heap types 1 (public) and 2 (private)."""
    banks = [
        _properties(root, f"{node}/mem_banks/{bank}/properties")
        for bank in files.list_dir(root, f"{node}/mem_banks") or []
    ]
    return sum(bank.get("size_in_bytes", 0) for bank in banks if bank.get("heap_type") in {1, 2}) or None


def _properties(root: str, path: str) -> dict[str, int]:
    """Lines "name number"."""
    pairs = [line.split() for line in (files.read_text(root, path) or "").split("\n")]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
