"""`nvidia-smi --query-gpu=... --format=csv`, with or without its header and units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from envkit.facts import Facts
from envkit.readers._lines import MOST, MOST_GPUS, lines
from envkit.readers._nvidia import THROTTLE_REASONS, Words, answered, gpu, silent
from envkit.readers._text import whole

NAME = "nvidia-smi --query-gpu"

_COLUMNS = {  # `nvidia-smi --help-query-gpu`, with the names that older drivers know
    **dict.fromkeys(("name", "gpu_name"), "name"),
    **dict.fromkeys(("uuid", "gpu_uuid"), "uuid"),
    **dict.fromkeys(("pci.bus_id", "gpu_bus_id"), "pci_address"),
    "compute_cap": "compute_capability",
    "memory.total": "memory_total_bytes",
    "memory.used": "memory_used_bytes",
    "memory.free": "memory_free_bytes",
    "mig.mode.current": "mig_mode",
    "mig.mode.pending": "mig_mode_pending",
    "ecc.mode.current": "ecc_mode",
    "ecc.mode.pending": "ecc_mode_pending",
    "ecc.errors.corrected.volatile.total": "ecc_corrected",
    "ecc.errors.uncorrected.volatile.total": "ecc_uncorrected",
    "ecc.errors.uncorrected.aggregate.sram.thresholdexceeded": "ecc_sram_threshold_exceeded",
    **dict.fromkeys(("retired_pages.single_bit_ecc.count", "retired_pages.sbe"), "retired_pages"),
    **dict.fromkeys(("retired_pages.double_bit.count", "retired_pages.dbe"), "retired_pages"),
    "retired_pages.pending": "retired_pages_pending",
    **dict.fromkeys(("remapped_rows.correctable", "remapped_rows.sbe"), "remapped_rows_correctable"),
    **dict.fromkeys(("remapped_rows.uncorrectable", "remapped_rows.dbe"), "remapped_rows_uncorrectable"),
    "remapped_rows.pending": "remapped_rows_pending",
    "remapped_rows.failure": "remapped_rows_failure",
    "gpu_recovery_action": "recovery_action",
    "fabric.state": "fabric_state",
    "fabric.status": "fabric_status",
    "fabric.cliqueid": "fabric_clique",
    "fabric.clusteruuid": "fabric_cluster",
    "temperature.gpu.tlimit": "temperature_margin_celsius",
    "clocks.applications.graphics": "clock_sm_application_megahertz",
    "clocks.default_applications.graphics": "clock_sm_application_default_megahertz",
    "pstate": "performance_state",
    "fan.speed": "fan_percent",
    "temperature.gpu": "temperature_celsius",
    "temperature.memory": "memory_temperature_celsius",
    **dict.fromkeys(("power.draw", "power.draw.instant", "gpu.power.draw.instant"), "power_watts"),
    **dict.fromkeys(("enforced.power.limit", "power.limit", "gpu.power.current_limit"), "power_limit_watts"),
    **dict.fromkeys(("power.default_limit", "gpu.power.default_limit"), "power_limit_default_watts"),
    **dict.fromkeys(("clocks.current.sm", "clocks.sm"), "clock_sm_megahertz"),
    **dict.fromkeys(("clocks.current.memory", "clocks.mem"), "clock_memory_megahertz"),
    "clocks.max.sm": "clock_sm_max_megahertz",
    **dict.fromkeys(("clocks.max.memory", "clocks.max.mem"), "clock_memory_max_megahertz"),
    **dict.fromkeys(("pcie.link.gen.current", "pcie.link.gen.gpucurrent"), "pcie_generation"),
    "pcie.link.gen.max": "pcie_generation_max",
    "pcie.link.width.current": "pcie_width",
    "pcie.link.width.max": "pcie_width_max",
    "persistence_mode": "persistence_mode",
    "display_active": "display_active",
    "compute_mode": "compute_mode",
    "utilization.gpu": "utilization_percent",
    "vbios_version": "vbios_version",
}
_OTHER = {"index", "count", "driver_version", "kmd_version", "timestamp", "serial", "gpu_serial", "pci.domain"}
_REASON = re.compile(r"clocks_(?:throttle|event)_reasons\.(\w+)")
_OF_ANYTHING = {"name", "uuid", "index", "count", "timestamp", "serial"}
_NOT_OF_GPUS = {"pid", "process_name", "used_memory", "used_gpu_memory", "retired_pages.address", "gpu_util"}
_COMMAND = re.compile(r"--query-gpu[= ]\s{0,3}[\"']?([\w.,]{1,8000})")
_COLUMN = re.compile(r"([a-z][\w.]{0,80})(?: \[[^\]]{1,10}\])?")
_LINE = 16000


def read(text: str) -> Facts | None:
    """The columns asked for, of each GPU; of a GPU that is shown again later, the first time counts."""
    rows: dict[str, dict[str, list[str]]] = {}
    for columns, cells in islice(_rows(text), MOST):
        row: dict[str, list[str]] = {}
        for column, cell in zip(columns, cells, strict=True):
            row.setdefault(column, []).append(cell)
        if len(rows) < MOST_GPUS:
            rows.setdefault(_identity(row, len(rows)), row)
    return _facts(list(rows.values())) if rows else None


def _rows(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Columns and cells of each row below a header or the command."""
    columns: list[str] = []
    for line in lines(text) if "," in text or "--query-gpu" in text else ():
        if len(line) > _LINE:
            columns = []
        elif not columns and "," not in line and "--query-gpu" not in line:
            continue
        elif command := _COMMAND.search(line) if "--query-gpu" in line else None:
            columns = command[1].lower().strip(",").split(",")
        elif header := _header(line):
            columns = header
        elif columns:
            cells = [cell.strip(" \t|\"'") for cell in line.split(",")]
            if len(cells) != len(columns) or not any(cells):
                columns = columns if not cells[0].strip("# \t`") else []
            elif _plausible(columns, cells):
                yield columns, cells


def _header(line: str) -> list[str]:
    """The columns that a line names; [] if it is no header of this query."""
    columns: list[str] = []
    for cell in line.split(","):
        match = _COLUMN.fullmatch(cell.strip())
        if not match:
            return []
        columns.append(match[1].lower())
    known = [column for column in columns if column in _COLUMNS or column in _OTHER or _REASON.fullmatch(column)]
    return columns if len(known) > 1 and set(known) - _OF_ANYTHING and not _NOT_OF_GPUS & set(columns) else []


def _plausible(columns: list[str], cells: list[str]) -> bool:
    """Whether a line is a row of the query and not a sentence with as many commas."""
    if len(columns) == 1:
        return len(cells[0]) < 60 and "nvidia" in cells[0].lower()
    checks = {"index": str.isdecimal, "uuid": lambda cell: cell.startswith(("GPU-", "[")), "memory.total": _numeric}
    checks |= {
        "driver_version": _numeric,
        "compute_cap": _numeric,
        "memory.used": _numeric,
        "temperature.gpu": _numeric,
    }
    return all(checks[column](cell) for column, cell in zip(columns, cells, strict=True) if column in checks)


def _numeric(cell: str) -> bool:
    return cell[:1].isdecimal() or silent(cell)


def _identity(row: dict[str, list[str]], place: int) -> str:
    for column in ("index", "pci.bus_id", "gpu_bus_id", "uuid", "gpu_uuid"):
        if column in row:
            return row[column][0]
    return str(place)


def _facts(rows: list[dict[str, list[str]]]) -> Facts:
    driver = next((row[name][0] for row in rows for name in ("driver_version", "kmd_version") if name in row), None)
    gpus = []
    for place, row in enumerate(rows):
        index = whole(row["index"][0]) if "index" in row else None
        gpus.append(gpu(place if index is None else index, _words(row)))
    return answered(gpus, driver)


def _words(row: dict[str, list[str]]) -> Words:
    words: Words = {}
    for column, cells in row.items():
        if field := _COLUMNS.get(column):
            words.setdefault(field, []).extend(cells[:1])
        elif reason := _REASON.fullmatch(column):
            words.setdefault("throttle_reasons", []).extend(_reasons(reason[1], cells[0]))
    return words


def _reasons(name: str, cell: str) -> list[str]:
    if name == "active" and re.fullmatch(r"0x[0-9a-fA-F]{1,16}", cell):
        bits = int(cell, 16)
        return [f"{reason}={'yes' if bits >> bit & 1 else 'no'}" for bit, reason in enumerate(THROTTLE_REASONS)]
    return [f"{name}={cell}"] if name in THROTTLE_REASONS or name == "active" else []
