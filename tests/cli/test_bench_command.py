"""`envkit bench` as a user runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]


def test_without_pytorch_memory_and_disk_are_measured_and_the_rest_is_skipped(envkit: Envkit, bare: Path) -> None:
    ran = envkit("bench", "--python", bare, "--format", "json", "--device", "cpu")
    report = ran.json
    assert (ran.status, ran.err, report["schema"], report["status"]) == (0, "", "envkit.bench/1", "healthy")
    found = {(m["kind"], m["variant"]): m for m in report["measurements"]}
    assert found["memory", ""]["value"] > 0.1
    assert found["matmul", "float32"]["status"] == "skip"
    assert found["matmul", "float32"]["cause"] == "framework-missing"
    assert found["disk", "write"]["status"] in {"pass", "skip"}
    assert report["machine"]["processors"] == len(os.sched_getaffinity(0))


def test_the_processors_products_are_measured_with_pytorch(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("bench", "--python", cpu_stack, "--only", "matmul")
    assert (ran.status, ran.err) == (0, "")
    assert ran.first_line.startswith("✓ bench: 2 of 2 measured, with nothing to compare with, in ")
    assert "matrix product float64" in ran.out
    assert "FLOPS" in ran.out
    assert "memory copy" not in ran.out


def test_a_saved_report_is_a_baseline_for_the_same_machine_only(envkit: Envkit, bare: Path, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert envkit("bench", "--python", bare, "--only", "memory", "--device", "cpu", "--save", file).status == 0
    ran = envkit("bench", "--python", bare, "--only", "memory", "--device", "cpu", "--baseline", file)
    assert ran.status in {0, 1}  # others may use the processors now, or have used them then
    assert "of the baseline" in ran.out

    report = json.loads(file.read_text())
    report["measurements"][0]["value"] *= 1000
    file.write_text(json.dumps(report))
    ran = envkit("bench", "--python", bare, "--only", "memory", "--device", "cpu", "--baseline", file)
    assert ran.status == 1
    assert "[slower-than-baseline]" in ran.out

    report["machine"]["cpu"] = "Abacus 3000"
    file.write_text(json.dumps(report))
    ran = envkit("bench", "--python", bare, "--baseline", file)
    assert (ran.status, ran.out) == (2, "")
    assert "is of another machine: its CPU is Abacus 3000, here it is " in ran.error()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "matmull"], "--only: 'matmull' is not one of matmul, memory"),
        (["--device", "gpu"], "--device: 'gpu' is not one of all, cpu, cuda"),
        (["--format", "xml"], "--format: 'xml' is not one of text, json"),
        (["--python", "/no/python"], "--python /no/python: no such file"),
        (["--baseline", "/no/file.json"], "--baseline /no/file.json: No such file or directory"),
        (["--baseline", os.devnull], "--baseline"),
        (["--save", "/no/folder/file.json"], "--save /no/folder/file.json: there is no folder"),
    ],
)
def test_a_wrong_value_is_one_line_before_anything_is_measured(
    envkit: Envkit, bare: Path, options: list[str], said: str
) -> None:
    ran = envkit("bench", "--python", bare, *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error()


def test_a_device_that_is_not_there_is_refused_with_what_there_is(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("bench", "--python", cpu_stack, "--device", "cuda:0", "--only", "memory")
    assert (ran.status, ran.out) == (2, "")
    assert ran.error() == "--device: PyTorch has no cuda:0 here"
    assert "there are: cpu" in ran.err


def test_an_interpreter_that_crashes_tells_nothing(envkit: Envkit, program: Callable[[str], Path]) -> None:
    ran = envkit("bench", "--python", program("kill -SEGV $$"), "--only", "memory", "--device", "cpu")
    assert ran.status == 1
    assert "SIGSEGV" in ran.out


def test_nothing_is_left_in_the_environment_nor_in_the_working_folder(
    envkit: Envkit, bare: Path, tmp_path: Path, listing: Callable[[Path], Any]
) -> None:
    before = listing(bare)
    assert envkit("bench", "--python", bare, "--only", "disk").status in {0, 3}
    assert listing(bare) == before
    assert not list((tmp_path / "here").iterdir())
