"""What the readers of NVIDIA's tools share: from words for a field to the field.

A reader collects `words`: for each field of NvidiaGpu what the tool printed, several times where a field is a sum or
has several names. A field whose words say nothing is None, and `unreadable` keeps the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envkit import facts
from envkit.facts import Facts, Section
from envkit.facts.accelerators import GpuProcess, Nvidia, NvidiaGpu, Nvml
from envkit.facts.machine import System
from envkit.readers._text import number, size, whole, yes

Words = dict[str, list[str]]
Convert = Callable[[str], Any]

ADDRESS = r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}(?:\.[0-7])?"
MEBIBYTE = 1 << 20
THROTTLE_REASONS = (  # nvml.h: nvmlClocksEventReason*, bit 0 first
    "gpu_idle",
    "applications_clocks_setting",
    "sw_power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "display_clock_setting",
)
NVML_ERRORS = {  # nvmlErrorString, without its case, to the name in nvml.h
    "not supported": "NOT_SUPPORTED",
    "insufficient permissions": "NO_PERMISSION",
    "not found": "NOT_FOUND",
    "insufficient external power": "INSUFFICIENT_POWER",
    "driver not loaded": "DRIVER_NOT_LOADED",
    "timeout": "TIMEOUT",
    "interrupt request issue": "IRQ_ISSUE",
    "nvml shared library not found": "LIBRARY_NOT_FOUND",
    "function not found": "FUNCTION_NOT_FOUND",
    "corrupted inforom": "CORRUPTED_INFOROM",
    "gpu is lost": "GPU_IS_LOST",
    "gpu requires reset": "RESET_REQUIRED",
    "gpu access blocked by the operating system": "OPERATING_SYSTEM",
    "driver/library version mismatch": "LIB_RM_VERSION_MISMATCH",
    "in use by another client": "IN_USE",
    "insufficient memory": "MEMORY",
    "gpu not found": "GPU_NOT_FOUND",
    "unknown error": "UNKNOWN",
}
_SILENT = re.compile(
    r"\[?(?:n/?a|err!|unknown|none found|no data|unsupported|not available|requested functionality has been deprecated"
    rf"|{'|'.join(map(re.escape, NVML_ERRORS))})\]?",
    re.IGNORECASE,
)
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


def silent(words: str) -> bool:
    """Whether a tool says with these words that it has nothing to say: "[N/A]", "ERR!", "Unknown Error", ..."""
    return not words.strip() or bool(_SILENT.fullmatch(words.strip()))


def address(words: str) -> str | None:
    """As sysfs has it: "00000000:0C:00.0" is "0000:0c:00.0"."""
    if not re.fullmatch(ADDRESS, words.strip()):
        return None
    domain, _, rest = words.strip().lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}" + ("" if "." in rest else ".0")


def error_name(words: str) -> str:
    """NVML's name for what nvidia-smi says in words; the words themselves where it has none."""
    plain = re.sub(r"\s+", " ", words).strip(" .[]")
    return next((name for said, name in NVML_ERRORS.items() if plain.lower().startswith(said)), plain)


def process(pid: str, kind: str, memory: str) -> GpuProcess:
    """A process as nvidia-smi types it: C computes, G draws, C+G is a program of a Windows desktop."""
    return GpuProcess(
        pid=int(pid),
        kind="compute" if kind in {"C", "M+C", ""} else "graphics",
        memory_used_bytes=None if silent(memory) else size(memory),
    )


def version(words: str) -> str | None:
    """A dotted version, else None: "Not Found", "N/A", "ERR!"."""
    return words.strip() if re.fullmatch(r"\d+(?:\.\d+)+", words.strip()) else None


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


def _capability(words: str) -> str | None:
    return words.strip() if re.fullmatch(r"\d{1,2}\.\d", words.strip()) else None


def _performance_state(words: str) -> str | None:
    return words.strip() if re.fullmatch(r"P\d{1,2}", words.strip()) else None


_FIELDS: dict[str, Convert] = {
    "name": _text,
    "uuid": _text,
    "pci_address": address,
    "compute_capability": _capability,
    **dict.fromkeys(("memory_total_bytes", "bar1_total_bytes"), _positive(_memory)),
    **dict.fromkeys(("memory_used_bytes", "memory_free_bytes"), _memory),
    **dict.fromkeys(("mig_mode", "mig_mode_pending", "ecc_mode", "ecc_mode_pending"), _mode),
    **dict.fromkeys(("retired_pages_pending", "remapped_rows_pending", "remapped_rows_failure"), yes),
    **dict.fromkeys(("ecc_sram_threshold_exceeded", "display_active", "persistence_mode"), yes),
    **dict.fromkeys(("remapped_rows_correctable", "remapped_rows_uncorrectable", "pcie_replays"), whole),
    "recovery_action": lambda words: _RECOVERY.get(words.strip().lower(), _slug(words)),
    **dict.fromkeys(("fabric_state", "fabric_status", "virtualization_mode"), _slug),
    "vbios_version": _text,
    "performance_state": _performance_state,
    **dict.fromkeys(("fan_percent", "utilization_percent"), whole),
    **dict.fromkeys(("temperature_celsius", "memory_temperature_celsius"), whole),
    "temperature_slowdown_celsius": _positive(whole),
    **dict.fromkeys(("power_watts", "power_limit_watts", "power_limit_default_watts"), _positive(number)),
    **dict.fromkeys(("clock_sm_megahertz", "clock_memory_megahertz"), whole),
    **dict.fromkeys(("clock_sm_max_megahertz", "clock_memory_max_megahertz"), _positive(whole)),
    **dict.fromkeys(("pcie_generation", "pcie_generation_max", "pcie_width", "pcie_width_max"), _positive(whole)),
    "compute_mode": lambda words: _COMPUTE_MODES.get(words.strip().lower()),
}
_SUMS = ("ecc_corrected", "ecc_uncorrected", "retired_pages")
_BROKEN = {"ERR!", "Unknown Error"}


def gpu(index: int, words: Words, processes: Sequence[GpuProcess] | None = None, **more: Any) -> NvidiaGpu:
    """A GPU from what a tool printed for its fields; `throttle_reasons` are words like "hw_slowdown=Active"."""
    fields: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for name, said in words.items():
        value = _reasons(said) if name == "throttle_reasons" else _value(name, said)
        if value is None:
            unreadable[name] = said[0].rpartition("=")[2].strip(" []") or "empty"
        else:
            fields[name] = value
    return NvidiaGpu(
        index=index,
        error=_error(words),
        processes=None if processes is None else list(processes),
        unreadable={name: why for name, why in unreadable.items() if name in NvidiaGpu.__struct_fields__},
        **fields,
        **more,
    )


def _value(name: str, said: list[str]) -> Any:
    spoken = [words for words in said if not silent(words)]
    if name in _SUMS:
        counts = [count for words in spoken if (count := whole(words)) is not None]
        return sum(counts) if counts else None
    return next((value for words in spoken if (value := _FIELDS[name](words)) is not None), None)


def _reasons(said: list[str]) -> list[str] | None:
    answers = {reason: yes(words) for reason, _, words in (one.partition("=") for one in said)}
    if all(answer is None for answer in answers.values()):
        return None
    return [reason for reason in THROTTLE_REASONS if answers.get(reason)]


def _error(words: Mapping[str, list[str]]) -> str | None:
    """What makes the whole GPU unusable: words that say so, or sensors that all fail, not one of them alone."""
    for said in words.values():
        name = NVML_ERRORS.get(said[0].strip(" []").lower())
        if name in {"GPU_IS_LOST", "RESET_REQUIRED"}:
            return name
    vital = ("temperature_celsius", "performance_state", "power_watts")
    failing = [words[name][0].strip(" []") in _BROKEN for name in vital if name in words]
    return "UNKNOWN" if len(failing) > 1 and all(failing) else None


def answered(
    gpus: Sequence[NvidiaGpu], driver: str | None = None, cuda: str | None = None, system: System | None = None
) -> Facts:
    """Facts of a machine whose NVML answered with these GPUs; none: the text tells of none."""
    seen = Nvidia(
        nvml=Nvml(outcome="ok"),
        driver_version=version(driver or ""),
        cuda_driver_version=version(cuda or ""),
        gpus=list(gpus) if gpus else None,
    )
    return Facts(nvidia=facts.ok(seen), system=facts.ok(system) if system else Section())
