"""What an AMD GPU says of itself, in trees of files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envkit.facts.accelerators import AmdErrors, AmdGpu
from envkit.probes import amd_sensors, device_files

ADDRESS = "0000:05:00.0"
GPU = AmdGpu(pci_address=ADDRESS)
HEALTHY = {
    "current_compute_partition": "CPX\n",
    "current_memory_partition": "NPS1\n",
    "hwmon/hwmon3/temp2_input": "35000\n",
    "hwmon/hwmon3/temp2_crit": "100000\n",
    "hwmon/hwmon3/temp3_input": "33600\n",
    "hwmon/hwmon3/power1_input": "133500000\n",
    "hwmon/hwmon3/power1_cap": "750000000\n",
    "hwmon/hwmon3/power1_cap_default": "750000000\n",
    "ras/umc_err_count": "ue: 0\nce: 12\nde: 1\n",
    "ras/gfx_err_count": "ue: 2\nce: 0\n",
    "ras/features": "feature mask: 0x3ffb\n",
    "ras/gpu_vram_bad_pages": "0x00000001 : 0x00001000 : R\n0x00000002 : 0x00001000 : P\n0x00000003 : 0x00001000 : F\n",
}


def device(root: Path, texts: dict[str, str], address: str = ADDRESS) -> str:
    folder = root / "sys/bus/pci/devices" / address
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return str(root)


def told(root: str, *gpus: AmdGpu) -> list[AmdGpu]:
    found, unanswered = amd_sensors.with_sensors(root, gpus, 30.0)
    assert unanswered is None
    return found


def test_modes_errors_heat_and_power_are_told(tmp_path: Path) -> None:
    assert told(device(tmp_path, HEALTHY), GPU) == [
        AmdGpu(
            pci_address=ADDRESS,
            compute_partition="CPX",
            memory_partition="NPS1",
            errors=[
                AmdErrors(block="gfx", uncorrectable=2, correctable=0),
                AmdErrors(block="umc", uncorrectable=0, correctable=12, deferred=1),
            ],
            pages_retired=3,
            pages_pending=2,
            temperature_celsius=35,
            temperature_critical_celsius=100,
            memory_temperature_celsius=34,
            power_watts=133.5,
            power_limit_watts=750.0,
            power_limit_default_watts=750.0,
        )
    ]


def test_the_edge_stands_in_for_the_junction_and_the_average_comes_before_the_moment(tmp_path: Path) -> None:
    texts = {"temp1_input": "40000\n", "power1_average": "20000000\n", "power1_input": "99000000\n"}
    root = device(tmp_path, {f"hwmon/hwmon0/{name}": text for name, text in texts.items()})
    (gpu,) = told(root, GPU)
    assert (gpu.temperature_celsius, gpu.power_watts, gpu.power_limit_watts) == (40, 20.0, None)


def test_what_is_of_the_whole_gpu_is_told_once_and_its_modes_with_every_part(tmp_path: Path) -> None:
    parts = [AmdGpu(pci_address=f"0000:05:00.{part}", partition=part) for part in (3, 4)]
    first, second = told(device(tmp_path, HEALTHY), *parts)
    assert (first.compute_partition, second.compute_partition) == ("CPX", "CPX")
    assert (first.temperature_celsius, second.temperature_celsius) == (35, None)
    assert (second.errors, second.pages_retired) == (None, None)


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"ras/umc_err_count": "Query currently inaccessible\n"},
        {"ras/umc_err_count": "", "current_compute_partition": "", "hwmon/hwmon0/temp2_input": ""},
        {"ras/umc_err_count": "ue: lots\n", "current_compute_partition": "not supported\n"},
        {"hwmon/hwmon0/temp2_input": "N/A\n", "hwmon/hwmon0/power1_cap": "0\n", "hwmon/hwmon0/temp2_crit": "0\n"},
        {"ras/umc_err_count": "\x00" * 5000, "current_memory_partition": "\x1b[31m\n"},
    ],
)
def test_what_the_driver_does_not_say_is_unknown(tmp_path: Path, texts: dict[str, str]) -> None:
    assert told(device(tmp_path, texts), GPU) == [GPU]


def test_an_empty_list_of_pages_is_none_retired(tmp_path: Path) -> None:
    (gpu,) = told(device(tmp_path, {"ras/gpu_vram_bad_pages": ""}), GPU)
    assert (gpu.pages_retired, gpu.pages_pending) == (0, 0)


def test_a_gpu_that_sleeps_is_not_woken_by_questions(tmp_path: Path) -> None:
    (gpu,) = told(device(tmp_path, {**HEALTHY, "power/runtime_status": "suspended\n"}), GPU)
    assert (gpu.suspended, gpu.temperature_celsius, gpu.errors, gpu.compute_partition) == (True, None, None, None)
    (gpu,) = told(device(tmp_path, {"power/runtime_status": "active\n"}), GPU)
    assert (gpu.suspended, gpu.temperature_celsius) == (False, 35)


def test_the_counter_that_reading_clears_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def read(root: str, paths: list[str], deadline_seconds: float) -> tuple[dict[str, str], None]:
        asked.extend(paths)
        return {}, None

    monkeypatch.setattr(device_files, "read", read)
    told(device(tmp_path, {**HEALTHY, "xgmi_error": "0\n", "reset_method": "mode1\n"}), GPU)
    assert [path for path in asked if "/ras/" in path] == asked[-3:]
    assert {path.rpartition("/")[2] for path in asked} == {
        name.rpartition("/")[2] for name in HEALTHY if name != "ras/features"
    }


def test_a_driver_that_does_not_answer_costs_the_deadline_only_and_keeps_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "hangs.py"
    program.write_text('import time\nprint("\\x1e" + \'{"index": 0, "text": "SPX"}\', flush=True)\ntime.sleep(3600)\n')
    monkeypatch.setattr(device_files, "PROGRAM", (sys.executable, "-I", "-S", str(program)))
    root = device(tmp_path, HEALTHY)
    ((gpu,), unanswered) = amd_sensors.with_sensors(root, [GPU], 1.0)
    assert (gpu.compute_partition, gpu.memory_partition, gpu.errors) == ("SPX", None, None)
    assert unanswered == f"/sys/bus/pci/devices/{ADDRESS}/current_memory_partition"
