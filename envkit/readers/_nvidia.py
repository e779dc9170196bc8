"""What the readers of NVIDIA's tools share: from words to a GPU.

A reader collects `words`: for each field of NvidiaGpu what the tool printed, several times where a field is a sum or
has several names. A field whose words say nothing is None, and `unreadable` keeps the words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from envkit import facts
from envkit.facts import Facts, Section
from envkit.facts.accelerators import GpuProcess, Nvidia, NvidiaGpu, Nvml
from envkit.facts.machine import System
from envkit.readers._nvidia_fields import FIELDS
from envkit.readers._text import size, whole, yes

Words = dict[str, list[str]]

MOST_SHOWN = 1024  # GPUs, one after the other: a machine shows them again and again
MOST_PROCESSES = 20_000
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
FABRIC_TROUBLES = ("degraded-bandwidth", "route-recovery", "route-unhealthy", "access-timeout-recovery")
_LISTS = {"throttle_reasons": THROTTLE_REASONS, "fabric_troubles": FABRIC_TROUBLES}
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


def hear(words: Words, field: str, said: str) -> None:
    """Note what a tool printed for a field, which no tool does often."""
    heard = words.setdefault(field, [])
    if len(heard) < _MOST_WORDS:
        heard.append(said)


def silent(words: str) -> bool:
    """Whether a tool says with these words that it has nothing to say: "[N/A]", "ERR!", "Unknown Error", ..."""
    return not words.strip() or bool(_SILENT.fullmatch(words.strip()))


def error_name(words: str) -> str:
    """NVML's name for what nvidia-smi says in words; the words themselves where it has none."""
    plain = re.sub(r"\s+", " ", words).strip(" .[]")
    return next((name for said, name in NVML_ERRORS.items() if plain.lower().startswith(said)), plain)


def is_pid(words: str) -> bool:
    """Whether the words are the number of a process."""
    return words.isdecimal() and len(words) < _LONGEST_PID


def process(pid: str, kind: str, memory: str) -> GpuProcess:
    """A process as nvidia-smi types it: C computes, G draws, C+G is a program of a Windows desktop."""
    return GpuProcess(
        pid=int(pid),
        kind="compute" if kind in {"C", "M+C", ""} else "graphics",
        memory_used_bytes=None if silent(memory) else size(memory),
    )


def version(words: str) -> str | None:
    """A dotted version, else None: "Not Found", "N/A", "ERR!"; what follows in brackets is left out."""
    found = re.match(r"(\d{1,5}(?:\.\d{1,5})+)\s*(?:\[|$)", words.strip())
    return found[1] if found else None


_SUMS = ("ecc_corrected", "ecc_uncorrected", "retired_pages")
_MOST_WORDS = 64
_LONGEST_PID = 11  # digits: Linux has up to 2^22, Windows up to 2^32
_BROKEN = {"ERR!", "Unknown Error"}


def gpu(index: int, words: Words, processes: Sequence[GpuProcess] | None = None, **more: Any) -> NvidiaGpu:
    """A GPU from what a tool printed for its fields; of a list of reasons words like "hw_slowdown=Active"."""
    fields: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for name, said in words.items():
        if name == "fabric_cluster" and not said[0].strip("0-"):
            continue  # it belongs to no domain of several machines
        value = _active(said, _LISTS[name]) if name in _LISTS else _value(name, said)
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
    return next((value for words in spoken if (value := FIELDS[name](words)) is not None), None)


def _active(said: list[str], known: Sequence[str]) -> list[str] | None:
    """Those of which the tool says that they hold; None where it says nothing of any."""
    answers = {reason: yes(words) for reason, _, words in (one.partition("=") for one in said)}
    if all(answer is None for answer in answers.values()):
        return None
    return [reason for reason in known if answers.get(reason)]


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
