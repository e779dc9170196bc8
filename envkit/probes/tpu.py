"""Google TPU chips attached to this machine, from files, the variables that describe a slice, and Google's metadata."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping

from msgspec.structs import replace

from envkit import facts
from envkit.facts import Section
from envkit.facts.accelerators import DeviceNode, PciDevice, Tpu
from envkit.probes import files, pci, tpu_holders, tpu_metadata

VENDOR_ID = "1ae0"
ORDINARY_CLASSES = frozenset({"01", "02", "06"})  # Google's virtual disks, network cards, bridges; a v5e TPU has ff
VARIABLES = (
    "ALLOW_MULTIPLE_LIBTPU_LOAD",
    "PJRT_DEVICE",
    "TPU_ACCELERATOR_TYPE",
    "TPU_CHIPS_PER_HOST_BOUNDS",
    "TPU_CHIPS_PER_PROCESS_BOUNDS",
    "TPU_HOST_BOUNDS",
    "TPU_LIBRARY_PATH",
    "TPU_PROCESS_BOUNDS",
    "TPU_SKIP_MDS_QUERY",
    "TPU_TOPOLOGY",
    "TPU_VISIBLE_CHIPS",
    "TPU_VISIBLE_DEVICES",
    "TPU_WORKER_ID",
)
HOSTNAMES = "TPU_WORKER_HOSTNAMES"  # only counted
LIBRARIES = ("/lib/libtpu.so", "/usr/lib/libtpu.so", "/usr/local/lib/libtpu.so")


def observe(root: str = "/", *, deadline_seconds: float = 10.0) -> Section[Tpu]:
    """TPU chips, how this user reaches them, who holds them, and the slice they belong to.

    ok: a TPU is on the PCI bus, or there is a /dev/accelN; absent: neither, whatever variables and libraries say;
    unknown: /sys cannot be read and there is no /dev/accelN.

    Args:
        root: where the machine's files lie; processes and metadata are asked for "/" only.
        deadline_seconds: for looking through the open files of all processes.
    """
    started = time.monotonic()
    chips = _chips(root)
    nodes = _nodes(root, "/dev", r"accel\d+")
    if chips or nodes:
        nodes += _groups(root, chips) if chips else []
        seen = Tpu(pci_devices=chips, device_nodes=nodes, environment=_environment(root), libtpu_path=_libtpu(root))
        seen = _with_slice(root, seen)
        seen = tpu_holders.with_holders(root, seen, started + deadline_seconds / 2)
        return facts.ok(seen, time.monotonic() - started)
    seconds = time.monotonic() - started
    if chips is None:
        return facts.unknown(f"{pci.DEVICES} cannot be read, and there is no /dev/accel*", seconds)
    number = len(pci.addresses(root) or [])
    return facts.absent(f"none of {number} PCI devices is a TPU (vendor {VENDOR_ID}), no /dev/accel*", seconds)


def topology(chips_per_host: str | None, hosts: str | None) -> str | None:
    """How a slice is arranged, by its bounds: "2,2,1" chips on each of "1,1,4" hosts are "2x2x4"."""
    inner, outer = ((bounds or "").split(",") for bounds in (chips_per_host, hosts))
    if len(inner) != len(outer) or not all(number.isdecimal() and len(number) < 6 for number in inner + outer):
        return None
    return "x".join(str(int(a) * int(b)) for a, b in zip(inner, outer, strict=True))


def _with_slice(root: str, seen: Tpu) -> Tpu:
    """Type, arrangement, hosts and image: by the variables of this process, then by Google's metadata."""
    metadata, error = tpu_metadata.ask(root, seen.environment)
    told = metadata or {}
    environment = seen.environment
    chips = environment.get("TPU_CHIPS_PER_HOST_BOUNDS") or told.get("CHIPS_PER_HOST_BOUNDS")
    hosts = environment.get("TPU_HOST_BOUNDS") or told.get("HOST_BOUNDS")
    return replace(
        seen,
        accelerator_type=environment.get("TPU_ACCELERATOR_TYPE") or told.get("ACCELERATOR_TYPE"),
        topology=environment.get("TPU_TOPOLOGY") or told.get("TOPOLOGY") or topology(chips, hosts),
        hosts=_hosts(root, hosts),
        runtime_version=told.get("RUNTIME_VERSION"),
        metadata=metadata,
        metadata_error=error,
    )


def _hosts(root: str, bounds: str | None) -> int | None:
    names = os.environ.get(HOSTNAMES, "") if root == "/" else ""
    if names:
        return len([name for name in names.split(",") if name.strip()])
    numbers = (bounds or "").split(",")
    if not all(number.isdecimal() and len(number) < 6 for number in numbers):
        return None
    product = 1
    for number in numbers:
        product *= int(number)
    return product or None


def _chips(root: str) -> list[PciDevice] | None:
    devices = pci.devices(root, VENDOR_ID)
    if devices is None:
        return None
    return [device for device in devices if device.class_id and device.class_id[:2] not in ORDINARY_CLASSES]


def _groups(root: str, chips: list[PciDevice]) -> list[DeviceNode]:
    """Their /dev/vfio/N: the folder holds any device that is handed to a virtual machine or a program.

    N is the chip's group of the IOMMU; where that cannot be read every node may be one of theirs.
    """
    found = _nodes(root, "/dev/vfio", r"\d+")
    links = [files.link_target(root, f"{pci.DEVICES}/{chip.address}/iommu_group") or "" for chip in chips]
    own = {f"/dev/vfio/{link.rpartition('/')[2]}" for link in links if link}
    return [node for node in found if node.path in own] or found


def _nodes(root: str, folder: str, pattern: str) -> list[DeviceNode]:
    names = [name for name in files.list_dir(root, folder) or [] if re.fullmatch(pattern, name)]
    nodes = [files.device_node(root, f"{folder}/{name}") for name in names]
    return [node for node in nodes if node]


def _environment(root: str) -> dict[str, str]:
    return _chosen(os.environ) if root == "/" else {}


def _chosen(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: files.printable(variables[name]) for name in VARIABLES if name in variables}


def _libtpu(root: str) -> str | None:
    """The library outside of Python's packages; the package libtpu is among the inspected Python's."""
    named = _environment(root).get("TPU_LIBRARY_PATH")
    return next((path for path in (named, *LIBRARIES) if path and files.exists(root, path)), None)
