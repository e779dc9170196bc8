"""What an AMD GPU itself is asked for: modes of partition, errors, temperatures, power.

Left out on purpose: xgmi_error, whose reading clears the counter and writes into the kernel's log (amdgpu_xgmi.c); the
errors of these links are among the counts of the block xgmi_wafl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from envkit.facts.accelerators import AmdErrors, AmdGpu
from envkit.probes import device_files, files, pci

MODES = {"compute_partition": "current_compute_partition", "memory_partition": "current_memory_partition"}
# Sensors of amdgpu, always by these numbers: 1 edge, 2 junction, 3 memory (kernel, gpu/amdgpu/thermal.rst).
SENSORS = ("temp1_input", "temp2_input", "temp2_crit", "temp3_input")
POWER = ("power1_average", "power1_input", "power1_cap", "power1_cap_default")
COUNTS = "_err_count"
RETIRED = "gpu_vram_bad_pages"


def with_sensors(root: str, gpus: Sequence[AmdGpu], deadline_seconds: float) -> tuple[list[AmdGpu], str | None]:
    """The GPUs with what each says of itself, and the file at which the driver gave no answer, if there was one."""
    folders = [_folder(root, gpu) for gpu in gpus]
    asleep = {folder: _asleep(root, folder) for folder in folders}
    awake = [folder for folder in dict.fromkeys(folders) if asleep[folder] is not True]
    paths = [path for folder in awake for path in _paths(root, folder)]
    paths.sort(key=lambda path: "/ras/" in path)  # what takes longest comes last
    texts, unanswered = device_files.read(root, paths, deadline_seconds)
    found, told = [], set[str]()
    for gpu, folder in zip(gpus, folders, strict=True):
        modes = {field: _mode(texts.get(f"{folder}/{name}")) for field, name in MODES.items()}
        once = {} if folder in told else _readings(root, folder, texts)
        told.add(folder)
        found.append(replace(gpu, suspended=asleep[folder], **modes, **once))
    return found, unanswered


def _folder(root: str, gpu: AmdGpu) -> str:
    """The whole GPU's: a part has none of its own."""
    own = f"{pci.DEVICES}/{gpu.pci_address}"
    return own if files.exists(root, own) else f"{own[:-1]}0"


def _asleep(root: str, folder: str) -> bool | None:
    """Whether a question would wake it, which must not happen by looking."""
    status = files.read_line(root, f"{folder}/power/runtime_status")
    return None if status is None else status in {"suspended", "suspending"}


def _paths(root: str, folder: str) -> list[str]:
    names = list(MODES.values())
    for monitor in files.list_dir(root, f"{folder}/hwmon") or []:
        names += [f"hwmon/{monitor}/{name}" for name in (*SENSORS, *POWER)]
    blocks = files.list_dir(root, f"{folder}/ras") or []
    names += [f"ras/{name}" for name in blocks if name.endswith(COUNTS) or name == RETIRED]
    return [path for path in (f"{folder}/{name}" for name in names) if files.exists(root, path)]


def _mode(text: str | None) -> str | None:
    """A mode such as "CPX"; older drivers print words where there is nothing to say."""
    mode = (text or "").strip()
    return mode if re.fullmatch(r"[A-Z]{2,4}\d{0,2}", mode) else None


def _readings(root: str, folder: str, texts: Mapping[str, str]) -> dict[str, Any]:
    monitor = next(iter(files.list_dir(root, f"{folder}/hwmon") or []), "")
    numbers = {name: files.number(texts.get(f"{folder}/hwmon/{monitor}/{name}")) for name in (*SENSORS, *POWER)}
    edge, hottest, critical, memory = (_scaled(numbers[name], 1000) for name in SENSORS)
    average, instant, limit, default = (_scaled(numbers[name], 1_000_000) for name in POWER)
    retired, pending = _pages(texts.get(f"{folder}/ras/{RETIRED}"))
    return {
        "errors": _errors(folder, texts),
        "pages_retired": retired,
        "pages_pending": pending,
        "temperature_celsius": _whole(edge if hottest is None else hottest),
        "temperature_critical_celsius": _whole(critical) or None,
        "memory_temperature_celsius": _whole(memory),
        "power_watts": instant if average is None else average,
        "power_limit_watts": limit or None,
        "power_limit_default_watts": default or None,
    }


def _scaled(number: int | None, units: int) -> float | None:
    return None if number is None else number / units


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _errors(folder: str, texts: Mapping[str, str]) -> list[AmdErrors] | None:
    """Of each block whose file says "ue: 0" and "ce: 0"; during a reset it has words instead."""
    found = []
    for path, text in texts.items():
        if path.startswith(f"{folder}/ras/") and path.endswith(COUNTS):
            counts = {kind: int(count) for kind, count in re.findall(r"^(ue|ce|de):\s*(\d{1,18})$", text, re.MULTILINE)}
            if counts:
                block = path.rpartition("/")[2].removesuffix(COUNTS)
                uncorrectable, correctable, deferred = (counts.get(kind) for kind in ("ue", "ce", "de"))
                found.append(
                    AmdErrors(block=block, uncorrectable=uncorrectable, correctable=correctable, deferred=deferred)
                )
    return found or None


def _pages(text: str | None) -> tuple[int | None, int | None]:
    """How many are out of use and how many will be: lines "address : size : R", P or F (could not be reserved)."""
    if text is None:
        return None, None
    states = re.findall(r"^0x[0-9a-f]+ : 0x[0-9a-f]+ : ([RPF])$", text, re.MULTILINE)
    return len(states), sum(state != "R" for state in states)
