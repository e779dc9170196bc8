"""What the formats for CI and issue trackers share: which findings count as failures, and a finding in plain lines."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Literal

from envkit.findings import AREAS, Finding, Report, said
from envkit.formats import Style, whose
from envkit.redact import plain

Outcome = Literal["passed", "skipped", "failure", "error"]


def outcome(finding: Finding, report: Report, style: Style) -> Outcome:
    """What a finding is to a test runner: nothing is red where the command exits with 0, but for --fail-on never.

    What is not known is never passed: an error where it leaves no verdict, else skipped.
    """
    match finding.status:
        case "fail":
            return "failure"
        case "warn":
            return "failure" if style.fail_on == "warn" else "passed"
        case "crash":
            return "error"
        case "unknown":
            return "error" if report.status == "unknown" else "skipped"
        case "skip":
            return "skipped"
        case "pass":
            return "passed"


def areas(report: Report) -> list[str]:
    """The areas that have findings or a summary: envkit's in their order, then any others."""
    there = dict.fromkeys([*report.summary, *(finding.area for finding in report.findings)])
    return [area for area in dict.fromkeys([*AREAS, *there]) if area in there]


def problems(report: Report) -> Iterator[tuple[Finding, list[Finding]]]:
    """Each problem that no other explains, with what follows from it; a cause of several subjects has that once."""
    explained: set[str] = set()
    for finding in report.findings:
        if finding.status not in {"pass", "skip"} and not finding.caused_by:
            first = finding.check not in explained
            explained.add(finding.check)
            yield finding, list(_following(finding.check, report, {finding.check})) if first else []


def _following(cause: str, report: Report, above: set[str]) -> Iterator[Finding]:
    for finding in report.findings:
        if finding.caused_by == cause:
            yield finding
            if finding.check not in above:
                above.add(finding.check)
                yield from _following(finding.check, report, above)


def lines(finding: Finding, consequences: list[Finding]) -> list[str]:
    """A finding in full, without colour or markup and one line each."""
    text = [said(finding), *(f"· {fact}" for fact in finding.evidence)]
    if remedy := finding.remedy:
        text.append(f"→ {remedy.text}{whose(remedy)}")
        text += [f"    {shlex.join(command)}" for command in remedy.commands]
        text += [f"    {remedy.url}"] if remedy.url else []
    text += [f"so {said(consequence)} [{consequence.check}]" for consequence in consequences]
    return [plain(line) for line in text]
