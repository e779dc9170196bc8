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


def cpu_list(text: str | None) -> list[int]:
    """The numbers in a kernel's list, of processors or NUMA nodes: "0-3,8" is 0 1 2 3 8; [] when it makes no sense."""
    numbers: list[int] = []
    for part in (text or "").strip().split(","):
        ends = [int(end) for end in part.split("-") if end.isdecimal() and len(end) < 7]
        if len(ends) != part.count("-") + 1 or len(ends) > 2 or ends[-1] - ends[0] > 1 << 16:
            return []
        numbers += range(ends[0], ends[-1] + 1)
    return numbers
