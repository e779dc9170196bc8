"""`nvidia-smi` without options: the table that everybody pastes, of every age."""

from __future__ import annotations

import re
from typing import Any

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess
from envkit.facts.machine import System
from envkit.readers._lines import marked
from envkit.readers._mig import mig_devices
from envkit.readers._nvidia import MOST_PROCESSES, Words, answered, gpu, process
from envkit.readers._nvidia_fields import ADDRESS

NAME = "nvidia-smi"

_HEAD = re.compile(
    r"NVIDIA-SMI\s{1,40}(\S{1,40})\s{1,40}(?:Driver|KMD) Version:\s{0,40}(\S{1,40})"
    r"(?:\s{1,40}CUDA (?:UMD )?Version:\s{0,40}(\S{1,40}))?"
)
_FIRST = re.compile(r"(\d{1,3})\s+(\S.*?)(?:\s+(On|Off|N/A|ERR!|WDDM|TCC|MCDM))?")
_BUS = re.compile(rf"({ADDRESS}|N/A)\s+(On|Off|N/A|ERR!)")  # GPUs within a processor are on no bus
_SECOND = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+(.+?)\s*/\s*(\S+)")
_MIG = re.compile(r"(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})")
_PROCESS = re.compile(r"(\d{1,3})\s+(?:(?:N/A|\d+)\s+(?:N/A|\d+)\s+)?(\d{1,10})\s+([CGM](?:\+[CG])?)\s+(\S.*?)\s+(\S+)")
_OLD_PROCESS = re.compile(r"(\d{1,3})\s+(\d{1,10})()\s+(\S.*?)\s+(\d{1,7}Mi?B)")  # of old drivers: all compute
_SENSORS = (
    *("fan_percent", "temperature_celsius", "performance_state", "power_watts", "power_limit_watts"),
    *("memory_used_bytes", "memory_total_bytes", "utilization_percent", "compute_mode"),
)
_LINE = 400  # no line of the table is longer


def read(text: str) -> Facts | None:
    """Driver, CUDA, and each GPU's name, memory, temperature, power, ECC, MIG, compute mode, processes."""
    head = _HEAD.search(text)
    rows = _Rows()
    for line in marked(text, "|") if head or "Processes" in text or "MiB /" in text else ():
        if len(line) < _LINE:
            rows.take([cell.strip() for cell in line.split("|")])
    if not head and not rows.words:
        return None
    gpus = [gpu(index, words, rows.of(index), **rows.mig(index)) for index, words in rows.words.items()]
    driver, cuda = head.group(2, 3) if head else (None, None)
    return answered(gpus, driver, cuda, System(os="windows") if rows.windows else None)


class _Rows:
    """The table's rows as they come; a second table, of a later moment, adds nothing."""

    def __init__(self) -> None:
        self.words: dict[int, Words] = {}
        self.processes: dict[int, dict[int, GpuProcess]] = {}
        self.processes_shown = False
        self._processes_told = 0
        self.windows = False
        self._mig: dict[int, dict[str, dict[str, str]]] = {}
        self._current: Words = {}
        self._line = 0

    def of(self, index: int) -> list[GpuProcess] | None:
        """The processes on a GPU; None where the table has none of its part of them."""
        return list(self.processes.get(index, {}).values()) if self.processes_shown else None

    def mig(self, index: int) -> dict[str, Any]:
        """The MIG devices of a GPU, and how many there are; nothing where MIG is not on."""
        if self.words[index].get("mig_mode") != ["Enabled"]:
            return {}
        found = list(self._mig.get(index, {}).values())
        return {"mig_devices": len(found), "mig": mig_devices(found)}

    def take(self, cells: list[str]) -> None:
        """One line between its bars; `cells` starts with what stands before the first."""
        cells = [cell for cell in cells[1:] if cell] if len(cells) > 1 else []
        if len(cells) >= 3 and (first := _FIRST.fullmatch(cells[0])) and (bus := _BUS.fullmatch(cells[1])):
            self._start(int(first[1]), first[2], first[3], bus, cells[2])
        elif self._line == 1 and len(cells) >= 3 and (second := _SECOND.fullmatch(cells[0])):
            self._sensors(second, cells[1], cells[2])
        elif (
            self._line == 2 and len(cells) == 1 and cells[0] in {"Enabled", "Disabled", "N/A", "Enabled*", "Disabled*"}
        ):
            self._current["mig_mode"] = [cells[0].rstrip("*")]
            self._line = 0
        elif cells and (found := _MIG.fullmatch(cells[0])) and len(cells) > 2:
            names = ("gpu_instance", "compute_instance", "index")
            device = dict(zip(names, found.groups()[1:], strict=True))
            used, _, total = cells[1].partition("/")
            device |= {"memory_used_bytes": used, "memory_total_bytes": total, "multiprocessors": cells[2]}
            self._mig.setdefault(int(found[1]), {}).setdefault(cells[0], device)
        elif len(cells) == 1:
            self._process(cells[0])

    def _start(self, index: int, name: str, mode: str | None, bus: re.Match[str], ecc: str) -> None:
        self._current, self._line = {}, 1
        if index in self.words:
            return
        self.words[index] = self._current
        self._current |= {"name": [name], "pci_address": [bus[1]], "display_active": [bus[2]]}
        if mode in {"WDDM", "TCC", "MCDM"}:
            self.windows = True
        elif mode:
            self._current["persistence_mode"] = [mode]
        if ecc.isdecimal():
            self._current |= {"ecc_uncorrected": [ecc], "ecc_mode": ["On"]}
        else:
            self._current["ecc_mode"] = [ecc]

    def _sensors(self, second: re.Match[str], memory: str, load: str) -> None:
        used, _, total = memory.rpartition("%")[2].partition("/")  # drivers of 2012 told it in percent, too
        utilization, _, mode = load.partition(" ")
        if load.startswith("Unknown Error"):
            utilization, mode = "Unknown Error", load.removeprefix("Unknown Error")
        said = (*second.groups(), used, total, utilization, mode)
        self._current |= {name: [words.strip()] for name, words in zip(_SENSORS, said, strict=True)}
        self._line = 2

    def _process(self, cell: str) -> None:
        if cell.startswith("No running processes found"):
            self.processes_shown = True
        elif self._processes_told < MOST_PROCESSES and (
            found := _PROCESS.fullmatch(cell) or _OLD_PROCESS.fullmatch(cell)
        ):
            self.processes_shown = True
            self._processes_told += 1
            known = self.processes.setdefault(int(found[1]), {})
            known.setdefault(int(found[2]), process(found[2], found[3], found[5]))
