"""`nvidia-smi -q -x`, of every schema, whole or cut off.

Read tag by tag without an XML parser: a paste may end anywhere, and no entity is ever expanded.
"""

from __future__ import annotations

import html
import re
from typing import Any

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess
from envkit.readers._lines import MOST_GPUS
from envkit.readers._mig import MOST_DEVICES, mig_devices
from envkit.readers._nvidia import (
    FABRIC_TROUBLES,
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
from envkit.readers._nvidia_fields import address

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
    ("", "gpu_temp_tlimit"): "temperature_margin_celsius",
    ("", "memory_temp"): "memory_temperature_celsius",
    ("", "gpu_temp_max_mem_threshold"): "memory_temperature_max_celsius",
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
    ("fabric", "cliqueId"): "fabric_clique",
    ("fabric", "clusterUuid"): "fabric_cluster",
    ("", "licensed_product_name"): "vgpu_product",
    ("", "license_status"): "vgpu_licensed",
    ("applications_clocks", "graphics_clock"): "clock_sm_application_megahertz",
    ("default_applications_clocks", "graphics_clock"): "clock_sm_application_default_megahertz",
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
_MIG_FIELDS = {
    ("", "index"): "index",
    ("", "gpu_instance_id"): "gpu_instance",
    ("", "compute_instance_id"): "compute_instance",
    ("", "multiprocessor_count"): "multiprocessors",
    ("fb_memory_usage", "total"): "memory_total_bytes",
    ("fb_memory_usage", "used"): "memory_used_bytes",
    ("fb_memory_usage", "free"): "memory_free_bytes",
}
_MEMORY = frozenset(("total", "used", "free"))
_TROUBLES = dict(
    zip(
        ("bandwidth", "route_recovery_in_progress", "route_unhealthy", "access_timeout_recovery"),
        FABRIC_TROUBLES,
        strict=True,
    )
)
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
        if log.full():
            break
    words_of = log.gpus()
    if not words_of and not log.driver:
        return None
    gpus = [gpu(index, words, log.of(name), **log.mig(name)) for index, (name, words) in enumerate(words_of.items())]
    return answered(gpus, log.driver, log.cuda)


class _Log:
    """The tags as they come; of what is told of a GPU several times, the first counts."""

    def __init__(self) -> None:
        self.driver = self.cuda = ""
        self._showings: list[tuple[str, Words]] = []
        self._words: Words = {}
        self._open: list[str] = []
        self._processes: dict[str, list[dict[str, str]]] = {}
        self._id = ""
        self._mig: dict[str, list[dict[str, str]]] = {}
        self._mig_device: dict[str, str] = {}
        self._mig_told = False

    def full(self) -> bool:
        return len(self._showings) > MOST_SHOWN

    def gpus(self) -> dict[str, Words]:
        """What is told of each GPU, by its id."""
        gpus: dict[str, Words] = {}
        for name, words in self._showings:
            if name in gpus or len(gpus) < MOST_GPUS:
                gpus[name] = {**words, **gpus.get(name, {})}
        return gpus

    def of(self, name: str) -> list[GpuProcess] | None:
        """The processes on a GPU; None where the text does not tell them."""
        if name not in self._processes:
            return None
        told = [said for said in self._processes[name] if is_pid(said.get("pid", ""))]
        first = {said["pid"]: said for said in reversed(told)}
        return [process(pid, first[pid].get("type", ""), first[pid].get("used_memory", "")) for pid in reversed(first)]

    def mig(self, name: str) -> dict[str, Any]:
        """The MIG devices of a GPU, and how many there are; nothing where the text does not tell them."""
        told = self._mig.get(name, [])
        return {"mig_devices": len(told), "mig": mig_devices(told)} if told else {}

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
            self._mig_device = {}
            if not self._mig_told and len(self._mig.setdefault(self._id, [])) < MOST_DEVICES:
                self._mig[self._id].append(self._mig_device)
        elif tag in {"processes", "process_info"}:
            self._take_process(tag)
        elif words := html.unescape(content.strip()):
            self._say(parent, tag, words)

    def _take_process(self, tag: str) -> None:
        known = self._processes.setdefault(self._id, [])
        if tag == "process_info" and len(known) < MOST_PROCESSES:
            known.append({})

    def _start(self, attributes: str) -> None:
        found = _ID.search(attributes)
        self._id = found[1] if found else f"{len(self._showings)}"
        self._words = {"pci_address": [self._id]} if address(self._id) else {}
        self._showings.append((self._id, self._words))
        self._mig_told = self._id in self._mig

    def _say(self, parent: str, tag: str, words: str) -> None:
        if tag in {"driver_version", "kmd_version"}:
            self.driver = self.driver or version(words) or ""
        elif tag in {"cuda_version", "cuda_umd_version"}:
            self.cuda = self.cuda or version(words) or ""
        elif parent == "process_info" and (known := self._processes.get(self._id)):
            known[-1].setdefault(tag, words)
        elif (reason := _REASON.fullmatch(tag)) and reason[1] in _REASON_NAMES:
            hear(self._words, "throttle_reasons", f"{_REASON_NAMES[reason[1]]}={words}")
        elif "mig_device" in self._open:
            if field := _MIG_FIELDS.get((parent if tag in _MEMORY else "", tag)):
                self._mig_device.setdefault(field, words)
        elif parent == "health" and tag in _TROUBLES:
            hear(self._words, "fabric_troubles", f"{_TROUBLES[tag]}={words}")
        elif "aggregate" not in self._open[:-2]:
            era = "volatile " if "volatile" in self._open and parent != "volatile" else ""
            field = _FIELDS.get((era + parent, tag)) or _FIELDS.get(("", tag))
            if field:
                hear(self._words, field, words)
