"""A smoke report in the forms that CI reads."""

from __future__ import annotations

import junitparser
import pytest

from envkit.facts import Facts
from envkit.formats import Style, find
from envkit.smoke.findings import as_report
from envkit.smoke.types import Check, RunResult, SmokeReport

WRONG = Check(
    check="gradient", status="fail", message="lost", confirm="the same eager", causes=["known-bad-combination"]
)
REPORT = SmokeReport(
    status="unhealthy",
    runs=[
        RunResult(
            framework="torch", model="mlp", device="cpu", status="pass", version="2.13.0", message="gradient 1e-7"
        ),
        RunResult(
            framework="torch",
            model="cnn",
            device="cpu",
            variant="compiled",
            status="fail",
            cause="wrong-gradient",
            message="cnn: lost",
            checks=[WRONG],
        ),
        RunResult(framework="jax", model="mlp", device="cpu", status="crash", cause="hang", message="no answer"),
        RunResult(framework="jax", model="cnn", device="cpu", status="skip", cause="precision-missing", message="none"),
    ],
    agreement=["cnn on cpu: torch (compiled) alone is wrong"],
)


def test_each_run_is_a_finding_with_a_name_of_its_own() -> None:
    report = as_report(REPORT)
    names = [finding.check for finding in report.findings]
    assert names[0] == "smoke-torch-mlp-cpu-eager-float32"
    assert len(set(names)) == len(names) == 5
    assert "to confirm it: the same eager" in report.findings[1].evidence


def test_junit_is_red_where_a_run_failed_or_crashed_and_nowhere_else() -> None:
    text = find("junit").render(as_report(REPORT), Style(), Facts())
    cases = [case for suite in junitparser.JUnitXml.fromstring(text.encode()) for case in suite]
    red = {case.name for case in cases if any(type(result).__name__ in {"Failure", "Error"} for result in case.result)}
    assert {name.partition(":")[0] for name in red} == {
        "smoke-torch-cnn-cpu-compiled-float32",
        "smoke-jax-mlp-cpu-eager-float32",
    }


@pytest.mark.parametrize("format_", ["github", "markdown", "text"])
def test_the_cause_is_in_every_form(format_: str) -> None:
    assert "wrong-gradient" in find(format_).render(as_report(REPORT), Style(), Facts())
