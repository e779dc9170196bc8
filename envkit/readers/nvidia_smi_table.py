"""`nvidia-smi` without options: the table that everybody pastes, of every age."""

from __future__ import annotations

import re

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess
from envkit.facts.machine import System
from envkit.readers._nvidia import ADDRESS, Words, answered, gpu, process

NAME = "nvidia-smi"

_HEAD = re.compile(
    r"NVIDIA-SMI\s{1,40}(\S{1,40})\s{1,40}Driver Version:\s{0,40}(\S{1,40})(?:\s{1,40}CUDA Version:\s{0,40}(\S{1,40}))?"
)
_FIRST = re.compile(r"(\d{1,3})\s+(\S.*?)\s+(On|Off|N/A|ERR!|WDDM|TCC|MCDM)")
_BUS = re.compile(rf"({ADDRESS})\s+(On|Off|N/A|ERR!)")
_SECOND = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+(.+?)\s*/\s*(\S+)")
_MIG = re.compile(r"(\d{1,3})(?:\s+\d+){3}")
_PROCESS = re.compile(r"(\d{1,3})\s+(?:(?:N/A|\d+)\s+(?:N/A|\d+)\s+)?(\d+)\s+([CGM](?:\+[CG])?)\s+(\S.*?)\s+(\S+)")
_SENSORS = (
    *("fan_percent", "temperature_celsius", "performance_state", "power_watts", "power_limit_watts"),
    *("memory_used_bytes", "memory_total_bytes", "utilization_percent", "compute_mode"),
)
_LINE = 400  # no line of the table is longer


def read(text: str) -> Facts | None:
    """Driver, CUDA, and each GPU's name, memory, temperature, power, ECC, MIG, compute mode, processes."""
    head = _HEAD.search(text) if "NVIDIA-SMI" in text else None
    rows = _Rows()
    for line in text.split("\n") if head or "Processes" in text or "MiB /" in text else []:
        if "|" in line and len(line) < _LINE:
            rows.take([cell.strip() for cell in line.split("|")])
    if not head and not rows.words:
        return None
    gpus = [
        gpu(index, words, rows.processes.get(index, []) if rows.processes_shown else None, mig_devices=rows.mig(index))
        for index, words in rows.words.items()
    ]
    driver, cuda = head.group(2, 3) if head else (None, None)
    return answered(gpus, driver, cuda, System(os="windows") if rows.windows else None)


class _Rows:
    """The table's rows as they come; a second table, of a later moment, adds nothing."""

    def __init__(self) -> None:
        self.words: dict[int, Words] = {}
        self.processes: dict[int, list[GpuProcess]] = {}
        self.processes_shown = False
        self.windows = False
        self._mig: dict[int, set[str]] = {}
        self._current: Words = {}
        self._line = 0

    def mig(self, index: int) -> int | None:
        """How many MIG devices the GPU has; None where MIG is not on."""
        mode = self.words[index].get("mig_mode", [""])[0]
        return len(self._mig.get(index, ())) if mode == "Enabled" else None

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
            self._mig.setdefault(int(found[1]), set()).add(cells[0])
        elif len(cells) == 1:
            self._process(cells[0])

    def _start(self, index: int, name: str, mode: str, bus: re.Match[str], ecc: str) -> None:
        self._current, self._line = {}, 1
        if index in self.words:
            return
        self.words[index] = self._current
        self._current |= {"name": [name], "pci_address": [bus[1]], "display_active": [bus[2]]}
        if mode in {"WDDM", "TCC", "MCDM"}:
            self.windows = True
        else:
            self._current["persistence_mode"] = [mode]
        if ecc.isdecimal():
            self._current |= {"ecc_uncorrected": [ecc], "ecc_mode": ["On"]}
        else:
            self._current["ecc_mode"] = [ecc]

    def _sensors(self, second: re.Match[str], memory: str, load: str) -> None:
        used, _, total = memory.partition("/")
        utilization, _, mode = load.partition(" ")
        if load.startswith("Unknown Error"):
            utilization, mode = "Unknown Error", load.removeprefix("Unknown Error")
        said = (*second.groups(), used, total, utilization, mode)
        self._current |= {name: [words.strip()] for name, words in zip(_SENSORS, said, strict=True)}
        self._line = 2

    def _process(self, cell: str) -> None:
        if cell.startswith("No running processes found"):
            self.processes_shown = True
        elif found := _PROCESS.fullmatch(cell):
            self.processes_shown = True
            known = self.processes.setdefault(int(found[1]), [])
            if int(found[2]) not in {one.pid for one in known}:
                known.append(process(found[2], found[3], found[5]))
