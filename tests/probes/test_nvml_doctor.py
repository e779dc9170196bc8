"""`envkit doctor` on this machine with a driver that the stand-in plays: all of it in time, all else reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

Doctor = Callable[..., tuple[dict[str, Any], float]]


@pytest.fixture
def doctor(driver: Path, stand_in: dict[str, Any], tmp_path: Path) -> Iterator[Doctor]:
    """The doctor's report and how long it took; a child that it leaves inside the driver is ended after the test."""
    script = tmp_path / "script"

    def run(machine: str, *options: str) -> tuple[dict[str, Any], float]:
        script.write_text(stand_in["Machine"]().read(machine).script)
        argv = [sys.executable, "-m", "envkit", "doctor", "--format", "json", "--python", sys.executable, *options]
        environment = {**os.environ, "LD_LIBRARY_PATH": str(driver), "NVML_SCRIPT": str(script)}
        started = time.monotonic()
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return json.loads(done.stdout), time.monotonic() - started

    yield run
    for process in psutil.process_iter(["cmdline"]):
        if any(word.endswith("nvml_child.py") for word in process.info["cmdline"] or []) and is_ours(process, script):
            process.kill()


def is_ours(process: psutil.Process, script: Path) -> bool:
    try:
        return process.environ().get("NVML_SCRIPT") == str(script)
    except psutil.Error:
        return False


def checks(report: dict[str, Any], *statuses: str) -> set[str]:
    return {finding["check"] for finding in report["findings"] if finding["status"] in statuses}


def test_eight_gpus_are_told(doctor: Doctor) -> None:
    report, _ = doctor("h100x8")
    assert "8 x NVIDIA H100 80GB HBM3" in report["summary"]["accelerators"]


@pytest.mark.parametrize("machine", ["h100x8-one-getter-never-returns", "h200-init-never-returns"])
def test_a_function_that_never_returns_costs_the_deadline_and_a_second_at_most(doctor: Doctor, machine: str) -> None:
    deadline = 3.0
    healthy, _ = doctor("h100x8", "--timeout", str(deadline))
    report, seconds = doctor(machine, "--timeout", str(deadline))
    assert seconds < deadline + 1.0
    assert "nvidia-driver-hangs" in checks(report, "fail")
    every = {finding["check"] for finding in healthy["findings"] if finding["area"] != "accelerators"}
    assert every <= {finding["check"] for finding in report["findings"]}
    assert set(healthy["summary"]) == set(report["summary"])
    assert all(report["summary"].values())
