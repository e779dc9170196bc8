"""Google TPU chips attached to this machine, from files and the variables that describe a slice."""

from __future__ import annotations

import os
import re
import time

from envkit import facts
from envkit.facts import Section
from envkit.facts.accelerators import DeviceNode, PciDevice, Tpu
from envkit.probes import files, pci

VENDOR_ID = "1ae0"
ORDINARY_CLASSES = frozenset({"01", "02", "06"})  # Google's virtual disks, network cards, bridges; a v5e TPU has ff
VARIABLES = (
    "TPU_ACCELERATOR_TYPE",
    "TPU_CHIPS_PER_HOST_BOUNDS",
    "TPU_HOST_BOUNDS",
    "TPU_LIBRARY_PATH",
    "TPU_SKIP_MDS_QUERY",
    "TPU_VISIBLE_CHIPS",
    "TPU_WORKER_ID",
)
LIBRARIES = ("/lib/libtpu.so", "/usr/lib/libtpu.so", "/usr/local/lib/libtpu.so")


def observe(root: str = "/") -> Section[Tpu]:
    """TPU chips and how this user reaches them.

    ok: a TPU is on the PCI bus, or there is a /dev/accelN; absent: neither, whatever variables and libraries say;
    unknown: /sys cannot be read and there is no /dev/accelN.
    """
    started = time.monotonic()
    chips = _chips(root)
    nodes = _nodes(root, "/dev", r"accel\d+")
    if chips or nodes:
        # /dev/vfio holds any device that is handed to a virtual machine or a program.
        nodes += _nodes(root, "/dev/vfio", r"\d+") if chips else []
        seen = Tpu(pci_devices=chips, device_nodes=nodes, environment=_environment(root), libtpu_path=_libtpu(root))
        return facts.ok(seen, time.monotonic() - started)
    seconds = time.monotonic() - started
    if chips is None:
        return facts.unknown(f"{pci.DEVICES} cannot be read, and there is no /dev/accel*", seconds)
    number = len(pci.addresses(root) or [])
    return facts.absent(f"none of {number} PCI devices is a TPU (vendor {VENDOR_ID}), no /dev/accel*", seconds)


def _chips(root: str) -> list[PciDevice] | None:
    devices = pci.devices(root, VENDOR_ID)
    if devices is None:
        return None
    return [device for device in devices if device.class_id and device.class_id[:2] not in ORDINARY_CLASSES]


def _nodes(root: str, folder: str, pattern: str) -> list[DeviceNode]:
    names = [name for name in files.list_dir(root, folder) or [] if re.fullmatch(pattern, name)]
    nodes = [files.device_node(root, f"{folder}/{name}") for name in names]
    return [node for node in nodes if node]


def _environment(root: str) -> dict[str, str]:
    return {name: os.environ[name] for name in VARIABLES if name in os.environ} if root == "/" else {}


def _libtpu(root: str) -> str | None:
    """The library outside of Python's packages; the package libtpu is among the inspected Python's."""
    named = _environment(root).get("TPU_LIBRARY_PATH")
    return next((path for path in (named, *LIBRARIES) if path and files.exists(root, path)), None)
