"""JUnit XML as its readers see it: junitparser, and Jenkins' xunit plugin (its schema junit-10.xsd, unchanged)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import junitparser
import msgspec
import pytest
import xmlschema

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts, decode
from envkit.findings import FailOn, Report
from envkit.formats import Style
from envkit.formats.junit import render
from envkit.knowledge import load
from envkit.profile import Profile

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).parent / "junit-10.xsd"))
MACHINES = sorted((Path(__file__).parents[1] / "machines").glob("*/facts.json"))[::8]

Judged = Callable[..., Report]


def cases(report: Report, fail_on: FailOn = "fail") -> dict[str, Any]:
    """Class and name of each test case, and what junitparser reads of it; the document is valid."""
    text = render(report, Style(fail_on=fail_on), Facts())
    SCHEMA.validate(text)
    read = [case for suite in junitparser.JUnitXml.fromstring(text.encode()) for case in suite]
    named = {f"{case.classname} {case.name}": case for case in read}
    assert len(named) == len(read), "a name stands twice"
    return named


def kinds(report: Report, fail_on: FailOn = "fail") -> dict[str, str]:
    return {
        name.split(".", 1)[1]: "+".join(type(result).__name__ for result in case.result) or "passed"
        for name, case in cases(report, fail_on).items()
    }


def test_each_finding_is_a_case_and_what_is_not_known_has_not_passed(report: Report) -> None:
    assert kinds(report) == {
        "machine memory-low": "passed",
        "machine clock-off": "Skipped",
        "machine disk-low": "passed",
        "accelerators driver-too-old [GPU 0, A10]": "Failure",
        "accelerators driver-too-old [GPU 1, A10]": "Failure",
        "accelerators gpu-hot": "Skipped",
        "frameworks torch-on-cpu": "Failure",
        "frameworks jax-broken": "Error",
    }


def test_a_failure_has_the_message_the_evidence_the_remedy_and_the_cause(report: Report) -> None:
    read = cases(report)
    (failure,) = read["envkit.accelerators driver-too-old [GPU 0, A10]"].result
    assert failure.message == "GPU 0, A10: driver 470 is too old"
    assert failure.text.splitlines() == [
        "GPU 0, A10: driver 470 is too old",
        "· /sys/module/nvidia/version: 470.82",
        "· CUDA 12.8 needs 570",
        "→ Install a newer driver. (needs an administrator)",
        "    envkit setup --profile 'my cpu'",
        "    nvidia-smi",
        "    https://example.com/drivers",
    ]
    assert read["envkit.frameworks torch-on-cpu"].result[0].text.endswith("caused by driver-too-old")
    assert read["envkit.machine clock-off"].result[0].message == "unknown: no time server answers"


def test_findings_that_nothing_tells_apart_have_names_of_their_own(report: Report) -> None:
    twice = msgspec.structs.replace(report, findings=[report.findings[0]] * 2 + [report.findings[2]] * 2)
    assert [name.split(" ", 1)[1] for name in cases(twice)] == [
        "driver-too-old [GPU 0, A10]",
        "driver-too-old [GPU 0, A10] (2)",
        "torch-on-cpu",
        "torch-on-cpu (2)",
    ]


def test_a_warning_is_told_and_passes_unless_warnings_are_to_fail(report: Report) -> None:
    assert cases(report)["envkit.machine memory-low"].system_out == "warning: only 8 GiB of memory"
    assert kinds(report, "warn")["machine memory-low"] == "Failure"
    assert kinds(report, "never")["frameworks torch-on-cpu"] == "Failure"


def test_counts_and_properties_are_those_of_the_suites(report: Report) -> None:
    suites = junitparser.JUnitXml.fromstring(render(report, Style(), Facts()).encode())
    assert (suites.tests, suites.failures, suites.errors) == (8, 3, 1)
    machine = next(suite for suite in suites if suite.name == "envkit.machine")
    assert (machine.tests, machine.failures, machine.errors, machine.skipped) == (3, 0, 0, 1)
    assert machine.hostname is None
    properties = {item.name: item.value for item in machine.properties()}
    assert properties == {"envkit": "1.2", "profile": "cuda12", "verdict": "unhealthy", "summary": "Debian, 2 CPUs"}


def test_without_a_verdict_something_is_an_error(report: Report, judged: Judged) -> None:
    assert kinds(judged(report, "unknown", "disk-low", "clock-off"))["machine clock-off"] == "Error"
    assert kinds(judged(report, "unknown", "gpu-hot"))["doctor verdict"] == "Error"
    assert kinds(judged(report, "healthy", "disk-low", "clock-off"))["machine clock-off"] == "Skipped"


@pytest.mark.parametrize(
    ("verdict", "checks", "status"),
    [("healthy", ["disk-low", "clock-off", "gpu-hot"], 0), ("unhealthy", ["driver-too-old"], 1), ("unknown", [], 1)],
)
def test_junitparser_fails_where_doctor_does(
    report: Report, judged: Judged, tmp_path: Path, *, verdict: str, checks: list[str], status: int
) -> None:
    file = tmp_path / "report.xml"
    file.write_text(render(judged(report, verdict, *checks), Style(), Facts()), encoding="utf-8")
    argv = [sys.executable, "-m", "junitparser", "verify", str(file)]
    assert subprocess.run(argv, check=False, capture_output=True).returncode == status


def test_no_character_of_a_machine_can_break_the_document(hostile: Report) -> None:
    read = cases(hostile)
    (failure,) = read[next(name for name in read if " gpu-lost" in name)].result
    assert "</failure><b>&amp;</b>" in failure.message
    assert "\x1b" not in failure.message + failure.text


@pytest.mark.parametrize("path", MACHINES, ids=[path.parent.name for path in MACHINES])
def test_real_machines_are_valid(path: Path) -> None:
    facts = decode(path.read_text(), str(path))
    assert cases(examine(facts, Profile(), load(), discover()))
