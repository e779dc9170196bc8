"""docs/schemas/*.json are what envkit prints and leaves behind, and say so to a validator."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from envkit.bench.types import BenchReport, Machine, Measurement
from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts, decode
from envkit.formats import Style
from envkit.formats.json import render
from envkit.knowledge import load
from envkit.profile import Profile

ROOT = Path(__file__).resolve().parents[2]
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts/document_schemas.py"))
FILES = {path.stem: path for path in (ROOT / "docs/schemas").glob("*.json")}
MACHINES = sorted((ROOT / "tests/machines").glob("*/facts.json"))


def errors(name: str, document: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(json.loads(FILES[name].read_text(encoding="utf-8")))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    for part in (schema, *schema["$defs"].values()):
        if part.get("type") == "object":
            yield part


def test_the_files_are_current() -> None:
    """`python scripts/document_schemas.py` writes them."""
    assert {name: path.read_text(encoding="utf-8") for name, path in FILES.items()} == SCRIPT["documents"]()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_a_schema_with_a_name_that_needs_no_host(name: str) -> None:
    schema = json.loads(FILES[name].read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    version = schema["properties"]["schema"]["const"].removeprefix(f"envkit.{name}/")
    assert schema["$id"] == f"urn:envkit:{name}:{version}"
    assert version.isdecimal()
    for part in objects(schema):
        assert part.get("additionalProperties") is not False, "a field may be added within a version"


def test_facts_and_reports_of_machines_are_valid() -> None:
    for path in MACHINES[::6]:
        assert errors("facts", json.loads(path.read_text())) == []
        facts = decode(path.read_text(), str(path))
        report = examine(facts, Profile(), load(), discover())
        assert errors("report", json.loads(render(report, Style(), facts))) == []


def test_what_is_no_report_is_not_valid() -> None:
    good = {"schema": "envkit.report/1", "status": "healthy", "headline": "x", "findings": []}
    assert errors("report", good) == []
    assert errors("report", {**good, "added-later": 1}) == []
    for wrong in ({"schema": "envkit.report/2"}, {"status": "fine"}, {"findings": [{"status": "pass"}]}):
        assert len(errors("report", {**good, **wrong})) == 1
    assert len(errors("report", {key: good[key] for key in ("status", "headline")})) == 1
    assert errors("facts", msgspec.to_builtins(Facts(taken_at="x"))) == []
    assert len(errors("facts", {"schema": "envkit.facts/1", "cpu": {"facts": {"cores": "many"}}})) >= 1


def test_an_environment_and_what_is_trained_in_it_are_valid(cpu_stack: Path) -> None:
    state = json.loads((cpu_stack.parents[1] / "envkit.json").read_text())
    assert errors("environment", state) == []
    argv = [sys.executable, "-m", "envkit", "smoke", "--python", str(cpu_stack), "--framework", "torch"]
    ran = subprocess.run([*argv, "--model", "mlp", "--format", "json"], capture_output=True, text=True, check=True)
    report = json.loads(ran.stdout)
    assert [run["status"] for run in report["runs"]] == ["pass"]
    assert errors("smoke", report) == []


def test_a_bench_is_valid() -> None:
    slow = Measurement(kind="matmul", device="cpu", status="fail", cause="slow", value=1.5, unit="TFLOPS")
    report = BenchReport(status="unhealthy", measurements=[slow], machine=Machine(gpus=["A10"]))
    assert errors("bench", msgspec.to_builtins(report)) == []
