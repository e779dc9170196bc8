"""`nvidia-smi -q`, whole, of chosen sections (`-d ECC`) or cut off, and `nvidia-smi --version`.

Sections are told by their headings, not by indentation, which pastes lose.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess
from envkit.readers._lines import MOST_GPUS, lines
from envkit.readers._mig import MOST_DEVICES, mig_devices
from envkit.readers._nvidia import (
    MOST_PROCESSES,
    MOST_SHOWN,
    THROTTLE_REASONS,
    Words,
    answered,
    gpu,
    hear,
    is_pid,
    process,
    version,
)
from envkit.readers._query_fields import FIELDS, MIG_FIELDS, TROUBLES

NAME = "nvidia-smi -q"

_MARKS = (
    "NVSMI LOG",
    "Driver Version",
    "DRIVER version",
    "KMD version",
    "FB Memory Usage",
    "Remapped Rows",
    "ECC Errors",
    " Reasons",
)
_GPU = re.compile(r"GPU ([0-9A-Fa-f]{1,8}:[0-9A-Fa-f]{1,2}:[0-9A-Fa-f]{1,2}(?:\.[0-7])?)\s*$")
_GAP = re.compile(r"\s{2,}|\t")
_LINE = 300
_MOST_LINES = 2_000_000  # 50 MB of what the tool prints
_REASONS = {"idle": "gpu_idle"} | {name.replace("_", " "): name for name in THROTTLE_REASONS}


def read(text: str) -> Facts | None:
    """Driver, CUDA and all that -q tells of each GPU."""
    if not any(mark in text for mark in _MARKS):
        return None
    log = _Log()
    for line in islice(lines(text), _MOST_LINES):
        if len(line) < _LINE and (words := line.strip()) and words[0] not in "|+":  # no line of a table
            log.take(words, len(line) - len(line.lstrip()))
            if log.full():
                break
    words_of = log.gpus()
    if not words_of and not log.driver:
        return None
    gpus = [
        gpu(index, words, log.of(address), **log.mig(address))
        for index, (address, words) in enumerate(words_of.items())
    ]
    return answered(gpus, log.driver, log.cuda)


class _Log:
    """The lines as they come; of what is told of a GPU several times, the first counts."""

    def __init__(self) -> None:
        self.driver = self.cuda = ""
        self.processes: dict[str, dict[int, GpuProcess]] = {}
        self._address = ""
        self._words: Words = {}
        self._showings = [("", self._words)]  # "": lines before any GPU's heading, as in fragments
        self._mig: dict[str, list[dict[str, str]]] = {}
        self._mig_told = False
        self._mig_device: dict[str, str] | None = None
        self._mig_indent = 0
        self._heading = ""
        self._process: dict[str, str] = {}

    def full(self) -> bool:
        return len(self._showings) > MOST_SHOWN

    def gpus(self) -> dict[str, Words]:
        """What is told of each GPU, by address."""
        gpus: dict[str, Words] = {}
        for address, words in self._showings:
            if (address or len(words) > 1) and (address in gpus or len(gpus) < MOST_GPUS):
                gpus[address] = {**words, **gpus.get(address, {})}
        return gpus

    def of(self, address: str) -> list[GpuProcess] | None:
        """The processes on a GPU; None where the text does not tell them."""
        return list(self.processes[address].values()) if address in self.processes else None

    def mig(self, address: str) -> dict[str, Any]:
        """The MIG devices of a GPU, and how many there are; nothing where the text does not tell them."""
        told = self._mig.get(address, [])
        return {"mig_devices": len(told), "mig": mig_devices(told)} if told else {}

    def take(self, line: str, indent: int) -> None:
        if found := _GPU.search(line) if "GPU " in line else None:
            self._end_process()
            self._address = found[1]
            self._words = {"pci_address": [found[1]]}
            self._showings.append((found[1], self._words))
            self._heading, self._mig_device = "", None
            self._mig_told = found[1] in self._mig
            return
        if self._mig_device is not None and indent <= self._mig_indent:
            self._mig_device = None
        key, colon, value = line.partition(" : ")
        if not colon and line.endswith(" :"):
            key, colon = line[:-2], ":"
        key = key.strip()
        if "  " in key or "\t" in key:
            key = _GAP.split(key)[-1]  # what a log wrote before it is dropped
        key = key.lower()
        if colon:
            self._say(key, value.strip())
        else:
            self._head(key, indent)

    def _head(self, heading: str, indent: int) -> None:
        if heading == "mig device":
            self._mig_device = {}
            self._mig_indent = indent or -1  # a paste without indentation tells by its headings where a device ends
            if not self._mig_told and len(self._mig.setdefault(self._address, [])) < MOST_DEVICES:
                self._mig[self._address].append(self._mig_device)
        elif heading in {"driver model", "processes"}:
            self._mig_device = None
        era = self._heading.partition(" ")[0]
        self._heading = f"{era} {heading}" if heading in {"single bit", "double bit"} else heading

    def _say(self, key: str, value: str) -> None:
        if key in {"driver version", "kmd version"}:
            self.driver = self.driver or version(value) or ""
        elif key in {"cuda version", "cuda umd version"}:
            self.cuda = self.cuda or version(value) or ""
        else:
            self._say_of_gpu(key, value)

    def _say_of_gpu(self, key: str, value: str) -> None:
        if key == "accounting mode":
            self._mig_device = None
        elif key == "processes" and value == "None":
            self.processes.setdefault(self._address, {})
        elif self._heading == "processes":
            self._say_of_process(key, value)
        elif key == "remapped rows":  # "Remapped Rows : N/A", in place of the section
            self._words.setdefault("remapped_rows_correctable", [value])
        elif self._heading.endswith(" reasons") and key in _REASONS:
            hear(self._words, "throttle_reasons", f"{_REASONS[key]}={value}")
        elif self._mig_device is not None:
            self._say_of_mig_device(key, value)
        elif self._heading == "health" and key in TROUBLES:
            hear(self._words, "fabric_troubles", f"{TROUBLES[key]}={value}")
        elif field := FIELDS.get((self._heading, key)) or FIELDS.get(("", key)):
            hear(self._words, field, value)

    def _say_of_mig_device(self, key: str, value: str) -> None:
        memory = self._heading.removeprefix("shared ") == "fb memory usage"
        field = MIG_FIELDS.get(f"memory {key}" if memory else key)
        if field and self._mig_device is not None:
            self._mig_device.setdefault(field, value)

    def _say_of_process(self, key: str, value: str) -> None:
        if key == "process id":
            self._end_process()
            self._process = {"id": value}
        elif key in {"type", "used gpu memory"}:
            self._process.setdefault(key, value)
        if key == "used gpu memory":
            self._end_process()

    def _end_process(self) -> None:
        said, self._process = self._process, {}
        if is_pid(said.get("id", "")):
            known = self.processes.setdefault(self._address, {})
            if len(known) < MOST_PROCESSES:
                known.setdefault(
                    int(said["id"]), process(said["id"], said.get("type", ""), said.get("used gpu memory", ""))
                )
