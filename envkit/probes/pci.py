"""PCI devices from /sys/bus/pci/devices: what is plugged in, whatever the drivers think of it."""

from __future__ import annotations

import re
import sys

from envkit.facts.accelerators import PciDevice
from envkit.probes import files

DEVICES = "/sys/bus/pci/devices"
IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids")
GENERATIONS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}  # GT/s, as the kernel prints them


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
    return [_device(root, address, vendor_id) for address in found if _hex(root, address, "vendor") == vendor_id]


def model(root: str, vendor_id: str, device_id: str) -> str | None:
    """What the machine's own list of PCI ids calls a device: "Arc A770" of "DG2 [Arc A770]"; None without a list."""
    text = next((text for path in IDS if (text := files.read_text(root, path))), "")
    vendor = re.search(rf"^{re.escape(vendor_id)}  .*\n((?:[\t#].*\n|\n)*)", text, re.MULTILINE)
    device = re.search(rf"^\t{re.escape(device_id)}  (.+)$", vendor[1], re.MULTILINE) if vendor and device_id else None
    if device is None:
        return None
    marketed = re.search(r"\[([^\]]+)\]", device[1])
    return marketed[1] if marketed else device[1].strip()


def _device(root: str, address: str, vendor_id: str) -> PciDevice:
    driver = files.link_target(root, f"{DEVICES}/{address}/driver")
    numa_node = files.read_int(root, f"{DEVICES}/{address}/numa_node")
    return PciDevice(
        address=address,
        vendor_id=vendor_id,
        device_id=_hex(root, address, "device") or "",
        subsystem_id=_hex(root, address, "subsystem_device"),
        class_id=_hex(root, address, "class"),
        kernel_driver=driver.rpartition("/")[2] if driver else None,
        link_width=_lanes(root, address, "current_link_width"),
        link_width_max=_lanes(root, address, "max_link_width"),
        link_generation=_generation(root, address, "current_link_speed"),
        link_generation_max=_generation(root, address, "max_link_speed"),
        errors_fatal=_errors(root, address, "aer_dev_fatal"),
        errors_nonfatal=_errors(root, address, "aer_dev_nonfatal"),
        numa_node=numa_node if numa_node is not None and numa_node >= 0 else None,  # -1: the firmware does not say
    )


def _hex(root: str, address: str, name: str) -> str | None:
    """The digits of a file that holds "0x10de"."""
    digits = re.fullmatch(r"0x([0-9a-f]{1,8})", (files.read_line(root, f"{DEVICES}/{address}/{name}") or "").lower())
    return digits[1] if digits else None


def _lanes(root: str, address: str, name: str) -> int | None:
    lanes = files.read_int(root, f"{DEVICES}/{address}/{name}")
    return lanes if lanes not in {0, 255} else None  # 255: the device does not answer; 0: no PCIe link


def _errors(root: str, address: str, name: str) -> int | None:
    """The last line of what the kernel counts: "TOTAL_ERR_FATAL 0"."""
    text = (files.read_text(root, f"{DEVICES}/{address}/{name}") or "").strip()
    return files.number(text.rpartition(" ")[2]) if "TOTAL_ERR_" in text else None


def _generation(root: str, address: str, name: str) -> int | None:
    """Of "16.0 GT/s PCIe", older kernels "16 GT/s"; "Unknown" where the device does not answer."""
    speed = (files.read_line(root, f"{DEVICES}/{address}/{name}") or "").partition(" ")[0]
    return GENERATIONS.get(speed if "." in speed else f"{speed}.0")
