"""What the probe and the reader of /proc/cpuinfo share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# MIDR_EL1.Implementer, from the Arm architecture's reference manual; the parts of each are too many, and age.
ARM_IMPLEMENTERS = {
    0x41: "ARM",
    0x42: "Broadcom",
    0x43: "Cavium",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "APM",
    0x51: "Qualcomm",
    0x53: "Samsung",
    0x56: "Marvell",
    0x61: "Apple",
    0x69: "Intel",
    0x6D: "Microsoft",
    0xC0: "Ampere",
}


def vendor(values: Mapping[str, Sequence[str]]) -> str | None:
    """The maker, from the values of /proc/cpuinfo by name: x86 names it, Arm gives a number."""
    if values.get("vendor_id"):
        return values["vendor_id"][0] or None
    try:
        return ARM_IMPLEMENTERS.get(int(values["CPU implementer"][0], 16))
    except (KeyError, ValueError):
        return None
