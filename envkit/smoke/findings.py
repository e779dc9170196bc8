"""A smoke report as findings, for the formats that CI reads: one finding for each run. Pure."""

from __future__ import annotations

from envkit.findings import Finding, Report
from envkit.smoke.show import TITLES, headline
from envkit.smoke.types import RunResult, SmokeReport


def as_report(report: SmokeReport) -> Report:
    """The same verdict in the doctor's terms: each run is a finding of the area "smoke", and keeps its name."""
    return Report(
        envkit=report.envkit,
        taken_at=report.taken_at,
        status=report.status,
        headline=headline(report),
        python=report.python,
        summary={"smoke": headline(report).removeprefix("smoke: ")},
        findings=[*map(_finding, report.runs), *map(_disagreement, report.agreement)],
    )


def _finding(run: RunResult) -> Finding:
    parts = ["smoke", run.framework, run.model, run.device, run.variant, run.precision]
    failed = [check for check in run.checks if check.status == "fail"]
    evidence = [check.message for check in failed if check.message and check.message not in run.message]
    evidence += [f"to confirm it: {check.confirm}" for check in failed if check.confirm]
    evidence += [f"may be explained by {each}" for each in dict.fromkeys(c for check in failed for c in check.causes)]
    cause = f" [{run.cause}]" if run.cause else ""
    return Finding(
        check="-".join(parts),
        area="smoke",
        status=run.status,
        subject=f"{TITLES.get(run.framework, run.framework)} {run.version or ''}".strip() + f", {run.model}",
        message=(run.message or run.status) + cause,
        evidence=evidence,
    )


def _disagreement(sentence: str) -> Finding:
    return Finding(check="smoke-agreement", area="smoke", status="warn", message=sentence)
