"""`nvidia-smi -q`, whole, of chosen sections (`-d ECC`) or cut off, and `nvidia-smi --version`.

Sections are told by their headings, not by indentation, which pastes lose.
"""

from __future__ import annotations

import re

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess
from envkit.readers._nvidia import THROTTLE_REASONS, Words, answered, gpu, process

NAME = "nvidia-smi -q"

_MARKS = ("NVSMI LOG", "Driver Version", "DRIVER version", "FB Memory Usage", "Remapped Rows", "ECC Errors", " Reasons")
_GPU = re.compile(r"GPU ([0-9A-Fa-f]{1,8}:[0-9A-Fa-f]{1,2}:[0-9A-Fa-f]{1,2}(?:\.[0-7])?)\s*$")
_LINE = 300
_FIELDS = {  # heading and key, without their case; "" for keys that are unique
    ("", "product name"): "name",
    ("", "gpu uuid"): "uuid",
    ("", "display active"): "display_active",
    ("", "persistence mode"): "persistence_mode",
    ("", "vbios version"): "vbios_version",
    ("", "virtualization mode"): "virtualization_mode",
    ("", "gpu recovery action"): "recovery_action",
    ("", "fan speed"): "fan_percent",
    ("", "performance state"): "performance_state",
    ("", "compute mode"): "compute_mode",
    ("", "replays since reset"): "pcie_replays",
    ("", "gpu current temp"): "temperature_celsius",
    ("", "gpu slowdown temp"): "temperature_slowdown_celsius",
    ("", "memory current temp"): "memory_temperature_celsius",
    ("", "sram threshold exceeded"): "ecc_sram_threshold_exceeded",
    ("mig mode", "current"): "mig_mode",
    ("mig mode", "pending"): "mig_mode_pending",
    ("ecc mode", "current"): "ecc_mode",
    ("ecc mode", "pending"): "ecc_mode_pending",
    ("pcie generation", "current"): "pcie_generation",
    ("pcie generation", "max"): "pcie_generation_max",
    ("link width", "current"): "pcie_width",
    ("link width", "max"): "pcie_width_max",
    ("fb memory usage", "total"): "memory_total_bytes",
    ("fb memory usage", "used"): "memory_used_bytes",
    ("fb memory usage", "free"): "memory_free_bytes",
    ("bar1 memory usage", "total"): "bar1_total_bytes",
    ("utilization", "gpu"): "utilization_percent",
    ("retired pages", "single bit ecc"): "retired_pages",
    ("retired pages", "double bit ecc"): "retired_pages",
    ("retired pages", "pending page blacklist"): "retired_pages_pending",
    ("retired pages", "pending"): "retired_pages_pending",
    ("remapped rows", "correctable error"): "remapped_rows_correctable",
    ("remapped rows", "uncorrectable error"): "remapped_rows_uncorrectable",
    ("remapped rows", "pending"): "remapped_rows_pending",
    ("remapped rows", "remapping failure occurred"): "remapped_rows_failure",
    ("clocks", "sm"): "clock_sm_megahertz",
    ("clocks", "memory"): "clock_memory_megahertz",
    ("max clocks", "sm"): "clock_sm_max_megahertz",
    ("max clocks", "memory"): "clock_memory_max_megahertz",
    ("fabric", "state"): "fabric_state",
    ("fabric", "status"): "fabric_status",
    ("volatile", "sram correctable"): "ecc_corrected",
    ("volatile", "dram correctable"): "ecc_corrected",
    ("volatile", "sram uncorrectable"): "ecc_uncorrected",
    ("volatile", "sram uncorrectable parity"): "ecc_uncorrected",
    ("volatile", "sram uncorrectable sec-ded"): "ecc_uncorrected",
    ("volatile", "dram uncorrectable"): "ecc_uncorrected",
    ("volatile single bit", "total"): "ecc_corrected",
    ("volatile double bit", "total"): "ecc_uncorrected",
    **{
        (heading, key): field
        for heading in ("power readings", "gpu power readings")
        for key, field in {
            "power draw": "power_watts",
            "average power draw": "power_watts",
            "instantaneous power draw": "power_watts",
            "power limit": "power_limit_watts",
            "current power limit": "power_limit_watts",
            "enforced power limit": "power_limit_watts",
            "default power limit": "power_limit_default_watts",
        }.items()
    },
}
_REASONS = {"idle": "gpu_idle"} | {name.replace("_", " "): name for name in THROTTLE_REASONS}


def read(text: str) -> Facts | None:
    """Driver, CUDA and all that -q tells of each GPU."""
    if not any(mark in text for mark in _MARKS):
        return None
    log = _Log()
    for line in text.split("\n"):
        if len(line) < _LINE and (line := line.strip()):
            log.take(line)
    log.gpus = {address: words for address, words in log.gpus.items() if address or len(words) > 1}
    if not log.gpus and not log.driver:
        return None
    gpus = [
        gpu(index, words, log.processes.get(address), mig_devices=log.mig_devices.get(address))
        for index, (address, words) in enumerate(log.gpus.items())
    ]
    return answered(gpus, log.driver, log.cuda)


class _Log:
    """The lines as they come; of a GPU that is shown again later, the first time counts."""

    def __init__(self) -> None:
        self.driver = self.cuda = ""
        self.gpus: dict[str, Words] = {"": {}}  # "": lines before any GPU's heading, as in fragments
        self.processes: dict[str, list[GpuProcess]] = {}
        self.mig_devices: dict[str, int] = {}
        self._address = ""
        self._words = self.gpus[""]
        self._heading = ""
        self._in_mig_device = False
        self._process: dict[str, str] = {}

    def take(self, line: str) -> None:
        if found := _GPU.search(line):
            self._end_process()
            self._address = found[1]
            self._words = {"pci_address": [found[1]]}
            self._words = {} if found[1] in self.gpus else self.gpus.setdefault(found[1], self._words)
            self._heading, self._in_mig_device = "", False
            return
        key, colon, value = line.partition(" : ")
        if not colon and line.endswith(" :"):
            key, colon = line[:-2], ":"
        key = re.split(r"\s{2,}|\t", key.strip())[-1].lower()  # what a log wrote before it is dropped
        if colon:
            self._say(key, value.strip())
        else:
            self._head(key)

    def _head(self, heading: str) -> None:
        if heading == "mig device":
            self._in_mig_device = True
            self.mig_devices[self._address] = self.mig_devices.get(self._address, 0) + 1
        elif heading in {"fb memory usage", "driver model", "processes"}:
            self._in_mig_device = False
        era = self._heading.partition(" ")[0]
        self._heading = f"{era} {heading}" if heading in {"single bit", "double bit"} else heading

    def _say(self, key: str, value: str) -> None:
        if key == "driver version":
            self.driver = self.driver or value
        elif key == "cuda version":
            self.cuda = self.cuda or value
        elif key == "accounting mode":
            self._in_mig_device = False
        elif key == "processes" and value == "None":
            self.processes.setdefault(self._address, [])
        elif self._heading == "processes":
            self._say_of_process(key, value)
        elif key == "remapped rows":  # "Remapped Rows : N/A", in place of the section
            self._words.setdefault("remapped_rows_correctable", [value])
        elif self._heading.endswith(" reasons") and key in _REASONS:
            self._words.setdefault("throttle_reasons", []).append(f"{_REASONS[key]}={value}")
        elif not self._in_mig_device:
            field = _FIELDS.get((self._heading, key)) or _FIELDS.get(("", key))
            if field:
                self._words.setdefault(field, []).append(value)

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
        if said.get("id", "").isdecimal():
            known = self.processes.setdefault(self._address, [])
            if int(said["id"]) not in {one.pid for one in known}:
                known.append(process(said["id"], said.get("type", ""), said.get("used gpu memory", "")))
