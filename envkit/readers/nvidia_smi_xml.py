"""`nvidia-smi -q -x`, of every schema, whole or cut off.

Read tag by tag without an XML parser: a paste may end anywhere, and no entity is ever expanded.
"""

from __future__ import annotations

import html
import re

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess, NvidiaGpu
from envkit.readers._nvidia import THROTTLE_REASONS, Words, address, answered, gpu, process

NAME = "nvidia-smi -q -x"

_TAG = re.compile(r"<(/?)(\w{1,80})\b([^<>]{0,200})>([^<]{0,400})")
_ID = re.compile(r"\bid\s*=\s*[\"']([^\"']*)")
_DEPTH = 32
_FIELDS = {  # parent and tag; "" for tags that are unique
    ("", "product_name"): "name",
    ("", "uuid"): "uuid",
    ("", "display_active"): "display_active",
    ("", "persistence_mode"): "persistence_mode",
    ("", "vbios_version"): "vbios_version",
    ("", "virtualization_mode"): "virtualization_mode",
    ("", "gpu_recovery_action"): "recovery_action",
    ("", "fan_speed"): "fan_percent",
    ("gpu", "performance_state"): "performance_state",
    ("", "compute_mode"): "compute_mode",
    ("", "replay_counter"): "pcie_replays",
    ("", "gpu_temp"): "temperature_celsius",
    ("", "gpu_temp_slow_threshold"): "temperature_slowdown_celsius",
    ("", "memory_temp"): "memory_temperature_celsius",
    ("", "current_mig"): "mig_mode",
    ("", "pending_mig"): "mig_mode_pending",
    ("", "current_ecc"): "ecc_mode",
    ("", "pending_ecc"): "ecc_mode_pending",
    ("", "current_link_gen"): "pcie_generation",
    ("", "max_link_gen"): "pcie_generation_max",
    ("", "current_link_width"): "pcie_width",
    ("", "max_link_width"): "pcie_width_max",
    ("fb_memory_usage", "total"): "memory_total_bytes",
    ("fb_memory_usage", "used"): "memory_used_bytes",
    ("fb_memory_usage", "free"): "memory_free_bytes",
    ("bar1_memory_usage", "total"): "bar1_total_bytes",
    ("", "gpu_util"): "utilization_percent",
    ("", "retired_count"): "retired_pages",
    ("", "pending_blacklist"): "retired_pages_pending",
    ("", "pending_retirement"): "retired_pages_pending",
    ("gpu", "remapped_rows"): "remapped_rows_correctable",  # "N/A" in place of the section
    ("remapped_rows", "remapped_row_corr"): "remapped_rows_correctable",
    ("remapped_rows", "remapped_row_unc"): "remapped_rows_uncorrectable",
    ("remapped_rows", "remapped_row_pending"): "remapped_rows_pending",
    ("remapped_rows", "remapped_row_failure"): "remapped_rows_failure",
    ("clocks", "sm_clock"): "clock_sm_megahertz",
    ("clocks", "mem_clock"): "clock_memory_megahertz",
    ("max_clocks", "sm_clock"): "clock_sm_max_megahertz",
    ("max_clocks", "mem_clock"): "clock_memory_max_megahertz",
    ("fabric", "state"): "fabric_state",
    ("fabric", "status"): "fabric_status",
    ("aggregate", "sram_threshold_exceeded"): "ecc_sram_threshold_exceeded",
    **{("volatile", f"{memory}_correctable"): "ecc_corrected" for memory in ("sram", "dram")},
    **{
        ("volatile", tag): "ecc_uncorrected"
        for tag in (
            "dram_uncorrectable",
            "sram_uncorrectable",
            "sram_uncorrectable_parity",
            "sram_uncorrectable_secded",
        )
    },
    ("volatile single_bit", "total"): "ecc_corrected",
    ("volatile double_bit", "total"): "ecc_uncorrected",
    **{
        (parent, tag): field
        for parent in ("power_readings", "gpu_power_readings")
        for tag, field in {
            "power_draw": "power_watts",
            "average_power_draw": "power_watts",
            "instant_power_draw": "power_watts",
            "power_limit": "power_limit_watts",
            "current_power_limit": "power_limit_watts",
            "enforced_power_limit": "power_limit_watts",
            "default_power_limit": "power_limit_default_watts",
        }.items()
    },
}
_REASON = re.compile(r"clocks_(?:throttle|event)_reason_(\w+)")
_REASON_NAMES = {name: name for name in THROTTLE_REASONS} | {"display_clocks_setting": "display_clock_setting"}


def read(text: str) -> Facts | None:
    """Driver, CUDA and all that -q -x tells of each GPU."""
    if "<nvidia_smi_log" not in text and "<gpu id=" not in text:
        return None
    start = min(at for mark in ("<nvidia_smi_log", "<gpu id=") if (at := text.find(mark)) >= 0)
    log = _Log()
    for tag in _TAG.finditer(text, start):
        log.take(*tag.groups())
    if not log.gpus and not log.driver:
        return None
    return answered([log.gpu(index) for index in range(len(log.gpus))], log.driver, log.cuda)


class _Log:
    """The tags as they come; of a GPU that is shown again later, the first time counts."""

    def __init__(self) -> None:
        self.driver = self.cuda = ""
        self.gpus: dict[str, Words] = {}
        self._words: Words = {}
        self._open: list[str] = []
        self._mig_devices: dict[str, int] = {}
        self._processes: dict[str, list[dict[str, str]]] = {}
        self._id = ""

    def gpu(self, index: int) -> NvidiaGpu:
        """The GPU at a place in the text."""
        name, words = list(self.gpus.items())[index]
        return gpu(index, words, self._of(name), mig_devices=self._mig_devices.get(name))

    def _of(self, name: str) -> list[GpuProcess] | None:
        if name not in self._processes:
            return None
        return [
            process(said["pid"], said.get("type", ""), said.get("used_memory", ""))
            for said in self._processes[name]
            if said.get("pid", "").isdecimal()
        ]

    def take(self, closing: str, tag: str, attributes: str, content: str) -> None:
        if closing:
            if tag in self._open:
                del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
            return
        parent = self._open[-1] if self._open else ""
        if not attributes.endswith("/") and len(self._open) < _DEPTH:
            self._open.append(tag)
        if tag == "gpu":
            self._start(attributes)
        elif tag == "mig_device":
            self._mig_devices[self._id] = self._mig_devices.get(self._id, 0) + 1
        elif tag == "processes":
            self._processes.setdefault(self._id, [])
        elif tag == "process_info" and self._id in self._processes:
            self._processes[self._id].append({})
        elif words := html.unescape(content.strip()):
            self._say(parent, tag, words)

    def _start(self, attributes: str) -> None:
        found = _ID.search(attributes)
        self._id = found[1] if found else f"{len(self.gpus)}"
        first: Words = {"pci_address": [self._id]} if address(self._id) else {}
        self._words = {} if self._id in self.gpus else self.gpus.setdefault(self._id, first)

    def _say(self, parent: str, tag: str, words: str) -> None:
        if tag == "driver_version":
            self.driver = self.driver or words
        elif tag == "cuda_version":
            self.cuda = self.cuda or words
        elif parent == "process_info" and (known := self._processes.get(self._id)):
            known[-1].setdefault(tag, words)
        elif (reason := _REASON.fullmatch(tag)) and reason[1] in _REASON_NAMES:
            self._words.setdefault("throttle_reasons", []).append(f"{_REASON_NAMES[reason[1]]}={words}")
        elif "mig_device" not in self._open and "aggregate" not in self._open[:-2]:
            era = "volatile " if "volatile" in self._open and parent != "volatile" else ""
            field = _FIELDS.get((era + parent, tag)) or _FIELDS.get(("", tag))
            if field:
                self._words.setdefault(field, []).append(words)
