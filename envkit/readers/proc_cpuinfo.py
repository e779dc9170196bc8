"""/proc/cpuinfo of x86, Arm, POWER, RISC-V and IBM Z."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from envkit.cpuinfo import vendor
from envkit.facts import Facts, ok
from envkit.facts.machine import Cpu
from envkit.readers._lines import lines

NAME = "/proc/cpuinfo"

_LABELS = frozenset(
    (
        *("processor", "vendor_id", "model name", "physical id", "siblings", "core id", "cpu cores", "flags", "cpu"),
        *("cpu family", "Processor", "Features", "features", "CPU implementer", "CPU architecture", "CPU part", "isa"),
        *("hart", "clock", "revision", "bogomips", "BogoMIPS", "uarch", "mmu"),
    )
)
_MOST_LINES = 200_000
_MARKS = ("vendor_id", "model name", "CPU implementer", "processor\t", "processor  ", "processor :", "altivec")


def read(text: str) -> Facts | None:
    """Processors. How many there are stays unknown where only the first is in the text."""
    if not any(mark in text for mark in _MARKS):
        return None
    values: dict[str, list[str]] = {}
    numbers: set[str] = set()
    for label, value in islice(_fields(text), _MOST_LINES):
        if label == "processor" and value in numbers:
            break  # the list begins anew, of this machine or another
        numbers |= {value} if label == "processor" else set()
        values.setdefault(label, []).append(value)
    named = sum(label in values for label in ("model name", "vendor_id", "CPU implementer", "isa", "cpu", "flags"))
    if not named or len(values) < 3:
        return None
    threads = len(values.get("processor", []))
    whole = threads > 1 or values.get("siblings", [""])[0] == "1"
    packages, cores = values.get("physical id", []), values.get("core id", [])
    placed = whole and threads == len(packages) == len(cores)
    flags = _flags(values)
    cpu = Cpu(
        model=next((values[key][0] for key in ("model name", "cpu", "Processor") if values.get(key)), None) or None,
        vendor=vendor(values),
        architecture=_architecture(values, flags),
        sockets=len(set(packages)) if placed else None,
        cores=len(set(zip(packages, cores, strict=True))) if placed else None,
        threads=threads if whole else None,
        flags=flags,
    )
    return Facts(cpu=ok(cpu))


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in lines(text):
        label, colon, value = line.partition(":")
        if colon and (label := label.strip()) in _LABELS:
            yield label, value.strip()


def _flags(values: dict[str, list[str]]) -> list[str] | None:
    for key in ("flags", "Features", "features"):
        if values.get(key) and values[key][0]:
            return values[key][0].split()
    return values["isa"][0].split("_") if values.get("isa") else None


def _architecture(values: dict[str, list[str]], flags: list[str] | None) -> str | None:
    """As uname says it, where the processor's description tells."""
    if "flags" in values and flags:
        return "x86_64" if "lm" in flags else None
    if arm := values.get("CPU architecture"):
        return {"8": "aarch64", "AArch64": "aarch64", "7": "armv7l"}.get(arm[0])
    return "riscv64" if values.get("isa", [""])[0].startswith("rv64") else None
