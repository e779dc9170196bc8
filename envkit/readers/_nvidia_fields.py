"""From what NVIDIA's tools print for a field of a GPU to the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from envkit.readers._text import number, size, whole, yes

Convert = Callable[[str], Any]

ADDRESS = r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}(?:\.[0-7])?"
_COMPUTE_MODES = {
    "default": "default",
    "prohibited": "prohibited",
    **dict.fromkeys(("e. process", "exclusive_process", "exclusive process"), "exclusive-process"),
    **dict.fromkeys(("e. thread", "exclusive_thread", "exclusive thread"), "exclusive-process"),
}
_RECOVERY = {
    "none": "none",
    **dict.fromkeys(("reset", "gpu reset"), "reset"),
    **dict.fromkeys(("reboot", "node reboot"), "reboot"),
    "drain p2p": "drain-p2p",
    "drain and reset": "drain-and-reset",
}


def address(words: str) -> str | None:
    """As sysfs has it: "00000000:0C:00.0" is "0000:0c:00.0"."""
    if not re.fullmatch(ADDRESS, words.strip()):
        return None
    domain, _, rest = words.strip().lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}" + ("" if "." in rest else ".0")


def _text(words: str) -> str | None:
    return words.strip()


def _slug(words: str) -> str | None:
    return re.sub(r"\s+", "-", words.strip().lower())


def _memory(words: str) -> int | None:
    """With `nounits` the unit, MiB, is left out."""
    return size(words if re.search(r"[A-Za-z]", words) else f"{words} MiB")


def _mode(words: str) -> str | None:
    answer = yes(words)
    return None if answer is None else "enabled" if answer else "disabled"


def _positive(convert: Convert) -> Convert:
    """A quantity of which no working GPU has none."""
    return lambda words: convert(words) or None


def _licensed(words: str) -> bool | None:
    """Of "Licensed (Expiry: 2027-1-31 ...)" or "Unlicensed (Restricted)"."""
    word = words.strip().lower()
    return True if word.startswith("licensed") else False if word.startswith("unlicensed") else None


def _capability(words: str) -> str | None:
    return words.strip() if re.fullmatch(r"\d{1,2}\.\d", words.strip()) else None


def _performance_state(words: str) -> str | None:
    return words.strip() if re.fullmatch(r"P\d{1,2}", words.strip()) else None


FIELDS: dict[str, Convert] = {
    "name": _text,
    "uuid": _text,
    "pci_address": address,
    "compute_capability": _capability,
    **dict.fromkeys(("memory_total_bytes", "bar1_total_bytes"), _positive(_memory)),
    **dict.fromkeys(("memory_used_bytes", "memory_free_bytes"), _memory),
    **dict.fromkeys(("mig_mode", "mig_mode_pending", "ecc_mode", "ecc_mode_pending"), _mode),
    **dict.fromkeys(("retired_pages_pending", "remapped_rows_pending", "remapped_rows_failure"), yes),
    **dict.fromkeys(("ecc_sram_threshold_exceeded", "display_active", "persistence_mode"), yes),
    "temperature_margin_celsius": whole,
    **dict.fromkeys(("remapped_rows_correctable", "remapped_rows_uncorrectable", "pcie_replays"), whole),
    "recovery_action": lambda words: _RECOVERY.get(words.strip().lower(), _slug(words)),
    "fabric_clique": whole,
    **dict.fromkeys(("fabric_cluster", "vgpu_product"), _text),
    "vgpu_licensed": _licensed,
    **dict.fromkeys(("fabric_state", "fabric_status", "virtualization_mode"), _slug),
    "vbios_version": _text,
    "performance_state": _performance_state,
    **dict.fromkeys(("fan_percent", "utilization_percent"), whole),
    **dict.fromkeys(("temperature_celsius", "memory_temperature_celsius"), whole),
    **dict.fromkeys(("temperature_slowdown_celsius", "memory_temperature_max_celsius"), _positive(whole)),
    **dict.fromkeys(("power_watts", "power_limit_watts", "power_limit_default_watts"), _positive(number)),
    **dict.fromkeys(("clock_sm_megahertz", "clock_memory_megahertz"), whole),
    **dict.fromkeys(("clock_sm_application_megahertz", "clock_sm_application_default_megahertz"), _positive(whole)),
    **dict.fromkeys(("clock_sm_max_megahertz", "clock_memory_max_megahertz"), _positive(whole)),
    **dict.fromkeys(("pcie_generation", "pcie_generation_max", "pcie_width", "pcie_width_max"), _positive(whole)),
    "compute_mode": lambda words: _COMPUTE_MODES.get(words.strip().lower()),
}
