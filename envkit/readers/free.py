"""free, /proc/meminfo, and df for the file systems that matter."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from envkit.facts import Facts, Section, ok
from envkit.facts.machine import Disk, Memory, Volume
from envkit.readers._fields import groups
from envkit.readers._lines import first

NAME = "free, meminfo, df"

_FREE = re.compile(
    r"^[ \t]*total[ \t]+used[ \t]+free\b([^\n]*)\n[ \t]*Mem:[ \t]*([^\n]+)"
    r"(?:\n[^\n]*buffers/cache[^\n]*)?(?:\n[ \t]*Swap:[ \t]*([^\n]+))?",
    re.MULTILINE,
)
_COMMAND = re.compile(r"(?:^|[\s;&$#])free[ \t]+(?:--)?-?(\w+)")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)([BKMGT]?)i?B?")
_UNITS = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_PLAIN_UNITS = {"b": "B", "k": "K", "m": "M", "g": "G", "t": "T", "mega": "M", "giga": "G", "kilo": "K", "mebi": "M"}
_MEMINFO = re.compile(r"^[ \t]*(MemTotal|MemAvailable|SwapTotal|SwapFree):[ \t]+(\d{1,15}) kB", re.MULTILINE)
_DF = re.compile(
    r"^[ \t]*Filesystem[ \t]+(Type[ \t]+)?(Size|1K-blocks|1M-blocks|\d*[KMG]?-?blocks)[ \t]+Used[ \t]+Avail[^\n]*\n",
    re.MULTILINE,
)
_PURPOSES: dict[str, Literal["target", "tmp"]] = {"/": "target", "/tmp": "tmp"}  # noqa: S108 - names in a text
_SHM = "/dev/shm"  # noqa: S108 - a name in a text


def read(text: str) -> Facts | None:
    """Memory, swap and /dev/shm; the volumes of / and /tmp."""
    memory = _memory(text)
    volumes, shm = _volumes(text)
    if shm:
        memory = msgspec.structs.replace(memory, shm_total_bytes=shm.total_bytes, shm_free_bytes=shm.free_bytes)
    if memory == Memory() and not volumes:
        return None
    return Facts(
        memory=ok(memory) if memory != Memory() else Section(), disk=ok(Disk(volumes=volumes)) if volumes else Section()
    )


def _memory(text: str) -> Memory:
    if "MemTotal:" in text:
        sizes: dict[str, int] = {}
        for name, kilobytes in groups(_MEMINFO, text, " kB"):
            sizes.setdefault(name, int(kilobytes) * 1024)
        return Memory(
            memory_total_bytes=sizes.get("MemTotal"),
            memory_available_bytes=sizes.get("MemAvailable"),
            swap_total_bytes=sizes.get("SwapTotal"),
            swap_free_bytes=sizes.get("SwapFree"),
        )
    table = first(_FREE, text, "used") if "Mem:" in text else None
    if table is None:
        return Memory()
    command = _COMMAND.search(text[max(0, table.start() - 200) : table.start()])
    unit = _PLAIN_UNITS.get(command[1]) if command else None
    row, swap = table[2].split(), (table[3] or "").split()
    return Memory(
        memory_total_bytes=_bytes(row[0], unit or _unit(row[0])) if row else None,
        memory_available_bytes=_bytes(row[5], unit or _unit(row[0]))
        if "available" in table[1] and len(row) > 5
        else None,
        swap_total_bytes=_bytes(swap[0], unit or _unit(row[0])) if swap else None,
        swap_free_bytes=_bytes(swap[2], unit or _unit(row[0])) if len(swap) > 2 else None,
    )


def _unit(total: str) -> str | None:
    """The unit of a bare total, where only one makes sense: kibibytes are free's default, mebibytes come next."""
    if not total.isdecimal() or len(total) > 15:
        return None
    return "K" if int(total) >= 8 << 20 else "M" if 1000 < int(total) < 256 << 10 else None


def _bytes(words: str, unit: str | None) -> int | None:
    amount = _AMOUNT.fullmatch(words[:32])
    if amount is None:
        return None
    unit = amount[2] or ("B" if words == "0B" else unit)
    return int(float(amount[1]) * _UNITS[unit]) if unit else None


def _volumes(text: str) -> tuple[list[Volume], Volume | None]:
    heading = first(_DF, text, "Filesystem")
    volumes: dict[str, Volume] = {}
    for line in text[heading.end() : heading.end() + 50_000].split("\n") if heading else ():
        words = line.split()
        if heading and heading[1] and len(words) > 6:
            del words[1]
        if len(words) != 6 or not words[4].rstrip("%").replace("-", "0").isdecimal():
            break
        unit = {"Size": None, "1K-blocks": "K", "1M-blocks": "M"}.get(heading[2]) if heading else None
        point = words[5]
        volume = Volume(
            purpose=_PURPOSES.get(point, "target"),
            path=point,
            mount_point=point,
            total_bytes=_bytes(words[1], unit),
            free_bytes=_bytes(words[3], unit),
        )
        volumes.setdefault(point, volume)
    return [volumes[point] for point in _PURPOSES if point in volumes], volumes.get(_SHM)
