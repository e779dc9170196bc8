"""Reports that are saved and compared with."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from envkit.bench import baseline
from envkit.bench.types import SCHEMA, BenchReport, Machine, Measurement
from envkit.errors import InputError

HERE = Machine(cpu="AMD EPYC 9654", gpus=["NVIDIA H100 80GB HBM3"] * 8, processors=96)
REPORT = BenchReport(
    machine=HERE,
    python=os.path.expanduser("~/project/.venv/bin/python"),
    measurements=[Measurement(kind="disk", device="disk", variant="write", status="pass", value=1.5, unit="GB/s")],
)


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    baseline.write(str(path), REPORT)
    again = baseline.read(str(path))
    assert (again.machine, again.measurements) == (HERE, REPORT.measurements)
    assert (REPORT.python, again.python) == (
        os.path.expanduser("~/project/.venv/bin/python"),
        "~/project/.venv/bin/python",
    )
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "truncated"),
        ("[1]", "no schema"),
        ('{"schema": "envkit.facts/1"}', f"schema envkit.facts/1, expected {SCHEMA}"),
        ('{"schema": "envkit.bench/2"}', f"schema envkit.bench/2, expected {SCHEMA}"),
        ('{"schema": 7}', "no schema"),
        (json.dumps({"schema": SCHEMA, "measurements": 3}), "Expected `array`"),
        ("[" * 100_000, "baseline"),
        ("\x00\xff", "malformed"),
    ],
)
def test_a_file_that_is_no_report_of_this_schema_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as refused:
        baseline.read(str(path))
    assert "--save FILE" in (refused.value.hint or "")


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="--baseline"):
        baseline.read(str(tmp_path / name))


def test_another_model_of_cpu_or_gpu_is_another_machine() -> None:
    with pytest.raises(InputError, match="its CPU is AMD EPYC 9654, here it is Xeon"):
        baseline.refuse_another_machine("b.json", HERE, Machine(cpu="Xeon", gpus=HERE.gpus))
    with pytest.raises(InputError, match=r"its GPUs are NVIDIA H100 80GB HBM3, .*, here they are none"):
        baseline.refuse_another_machine("b.json", HERE, Machine(cpu=HERE.cpu))


def test_a_lost_gpu_or_processor_makes_no_other_machine() -> None:
    baseline.refuse_another_machine("b.json", HERE, Machine(cpu=HERE.cpu, gpus=HERE.gpus[:7], processors=4))


@pytest.mark.parametrize("name", [".", "missing/bench.json"])
def test_where_no_file_can_be_written_is_known_before_measuring(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="--save"):
        baseline.refuse_unwritable(str(tmp_path / name))
