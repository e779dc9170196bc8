"""Intel GPUs (XPU), from sysfs: which there are, which are for training, and whether this user may open them."""

from __future__ import annotations

import re
import time
from typing import Literal

from envkit import facts
from envkit.facts import Section
from envkit.facts.accelerators import DeviceNode, Intel, IntelGpu, PciDevice
from envkit.probes import files, groups, loader, pci

VENDOR_ID = "8086"
DISPLAY = "03"
DRIVERS = frozenset({"xe", "i915"})
INTEGRATED = "0000:00:02.0"  # where every processor has its own GPU
LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/intel-opencl",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib/wsl/lib",
    "/usr/lib",
)


def observe(root: str = "/") -> Section[Intel]:
    """Intel's GPUs, integrated ones too.

    ok: a GPU of vendor 8086 is on the PCI bus; absent: none is; unknown: /sys cannot be read.
    """
    started = time.monotonic()
    devices = pci.devices(root, VENDOR_ID)
    if devices is None:
        return facts.unknown(f"{pci.DEVICES} cannot be read", time.monotonic() - started)
    # A processor's NPU is of class 12, too, and has a driver of its own.
    shown = [d for d in devices if (d.class_id or "").startswith(DISPLAY) or d.kernel_driver in DRIVERS]
    if not shown:
        number = len(pci.addresses(root) or [])
        return facts.absent(
            f"none of {number} PCI devices is an Intel GPU (vendor {VENDOR_ID})", time.monotonic() - started
        )
    gpus = [_gpu(root, device) for device in shown]
    seen = Intel(
        gpus=gpus,
        device_nodes=groups.with_groups(root, _device_nodes(root, gpus)),
        level_zero_loader=loader.find(root, "libze_loader.so.1", LIBRARY_FOLDERS),
        level_zero_driver=loader.find(root, "libze_intel_gpu.so.1", LIBRARY_FOLDERS),
    )
    return facts.ok(seen, time.monotonic() - started)


def _device_nodes(root: str, gpus: list[IntelGpu]) -> list[DeviceNode]:
    nodes = [files.device_node(root, gpu.render_node) for gpu in gpus if gpu.render_node]
    return [node for node in nodes if node]


def _gpu(root: str, device: PciDevice) -> IntelGpu:
    folder = f"{pci.DEVICES}/{device.address}"
    minors = files.list_dir(root, f"{folder}/drm") or []
    render = next((name for name in minors if re.fullmatch(r"renderD\d+", name)), None)
    card = next((name for name in minors if re.fullmatch(r"card\d+", name)), "")
    tiles = [name for name in files.list_dir(root, folder) or [] if re.fullmatch(r"tile\d+", name)]
    memory = _memory_bytes(root, folder, card, tiles)
    return IntelGpu(
        name=pci.model(root, VENDOR_ID, device.device_id),
        pci_address=device.address,
        device_id=device.device_id or None,
        kind=_kind(device, has_memory=memory is not None),
        kernel_driver=device.kernel_driver,
        memory_total_bytes=memory,
        tiles=len(tiles) or None,
        render_node=f"/dev/dri/{render}" if render else None,
        pcie_width=device.link_width,
        pcie_width_max=device.link_width_max,
        numa_node=device.numa_node,
    )


def _kind(device: PciDevice, *, has_memory: bool) -> Literal["discrete", "integrated"] | None:
    """By memory of its own, else by its place: a card hangs on a bridge, and so on another bus than 0.

    A card that was handed to a virtual machine may stand on bus 0 there: then, without memory that shows, unknown.
    """
    if has_memory or not device.address.partition(":")[2].startswith("00:"):
        return "discrete"
    return "integrated" if device.address == INTEGRATED else None


def _memory_bytes(root: str, folder: str, card: str, tiles: list[str]) -> int | None:
    """The driver xe tells of each tile, Intel's own i915 of the card; the i915 of plain kernels not at all."""
    sizes = [files.read_int(root, f"{folder}/{tile}/physical_vram_size_bytes") for tile in tiles]
    known = [size for size in sizes if size]
    if known and len(known) == len(sizes):
        return sum(known)
    return files.read_int(root, f"{folder}/drm/{card}/lmem_total_bytes") or None
