"""PCI devices from /sys/bus/pci/devices: what is plugged in, whatever the drivers think of it."""

from __future__ import annotations

import sys

from envkit.facts.accelerators import PciDevice
from envkit.probes import files

DEVICES = "/sys/bus/pci/devices"


def addresses(root: str) -> list[str] | None:
    """The addresses of all PCI functions; [] on a machine without PCI, None where /sys cannot be read.

    macOS has no /sys, and no driver either for what is looked for here.
    """
    found = files.list_dir(root, DEVICES)
    if found is None and (sys.platform == "darwin" or "pci" not in (files.list_dir(root, "/sys/bus") or ["pci"])):
        return []
    return found


def devices(root: str, vendor_id: str) -> list[PciDevice] | None:
    """All PCI functions of a vendor ("10de"), by address; None where /sys cannot be read."""
    found = addresses(root)
    if found is None:
        return None
    return [_device(root, address) for address in found if _hex(root, address, "vendor") == vendor_id]


def _device(root: str, address: str) -> PciDevice:
    driver = files.link_target(root, f"{DEVICES}/{address}/driver")
    numa_node = files.read_int(root, f"{DEVICES}/{address}/numa_node")
    return PciDevice(
        address=address,
        vendor_id=_hex(root, address, "vendor") or "",
        device_id=_hex(root, address, "device") or "",
        subsystem_id=_hex(root, address, "subsystem_device"),
        class_id=_hex(root, address, "class"),
        kernel_driver=driver.rpartition("/")[2] if driver else None,
        link_width=_lanes(root, address, "current_link_width"),
        link_width_max=_lanes(root, address, "max_link_width"),
        numa_node=numa_node if numa_node is not None and numa_node >= 0 else None,  # -1: the firmware does not say
    )


def _hex(root: str, address: str, name: str) -> str | None:
    """The digits of a file that holds "0x10de"."""
    text = files.read_line(root, f"{DEVICES}/{address}/{name}")
    return text.removeprefix("0x").lower() if text else None


def _lanes(root: str, address: str, name: str) -> int | None:
    lanes = files.read_int(root, f"{DEVICES}/{address}/{name}")
    return lanes if lanes not in {0, 255} else None  # 255: the device does not answer; 0: no PCIe link
