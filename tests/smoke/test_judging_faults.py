"""Faults put into a float32 implementation are noticed: one seed of one model here, all by benchmarks/smoke_faults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_fault_in_an_mlp_is_noticed_and_the_right_one_is_not_faulted(cpu_stack: Path) -> None:
    argv = [sys.executable, "-m", "benchmarks.smoke_faults", "--python", str(cpu_stack)]
    options = ["--seeds", "1", "--first", "300", "--cases", "mlp", "--frameworks"]
    done = subprocess.run([*argv, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No fault above rounding is missed" in done.stdout
    assert done.stdout.count("1/1") > 20
