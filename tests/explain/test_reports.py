"""Whole reports: those recorded beside the repository, if they are there, and the benchmark's own arithmetic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = ROOT / "../shared/cases"


def report(folder: Path, name: str, text: str, label: str, *acceptable: str) -> None:
    (folder / name).mkdir()
    (folder / name / "input.txt").write_text(text)
    (folder / name / "label.json").write_text(json.dumps({"label": label, "acceptable": acceptable}))


def diagnosis(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.diagnosis", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_benchmark_counts_hits_misses_and_blame(tmp_path: Path) -> None:
    full, shapes = (
        "OSError: [Errno 28] No space left on device",
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)",
    )
    report(tmp_path, "right", full, "disk-full")
    report(tmp_path, "acceptable", full, "host-out-of-memory", "disk-full")
    report(tmp_path, "wrong", full, "no-driver")
    report(tmp_path, "negative", shapes, "not-environment")
    report(tmp_path, "blamed", full, "not-environment")
    said = diagnosis(tmp_path).stdout
    assert "top-1  3/5" in said
    assert "miss   wrong: no-driver, known: disk-full" in said
    assert "negatives blamed  1/2 blamed" in said


def test_the_benchmark_refuses_a_folder_without_reports(tmp_path: Path) -> None:
    done = diagnosis(tmp_path)
    assert done.returncode == 1
    assert "no */label.json" in done.stderr


@pytest.mark.skipif(not CASES.is_dir(), reason="the recorded reports are not here")
def test_of_the_recorded_reports_all_but_one_are_named_right_and_no_negative_is_blamed() -> None:
    sys.path.insert(0, str(ROOT))
    from benchmarks.diagnosis import judge

    score = judge(CASES)
    assert score.first >= score.reports - 1, score.misses
    assert score.blamed == []
