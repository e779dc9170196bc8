"""The report as Markdown for an issue, a merge request or a step summary of GitHub and GitLab (GFM)."""

from __future__ import annotations

import re
import shlex
from itertools import groupby

from envkit.facts import Facts
from envkit.findings import Finding, Report, Status, said
from envkit.formats import MARKS, VERDICT_MARKS, Style, tally, whose
from envkit.formats._shared import areas, problems
from envkit.redact import plain

_PROBLEMS: tuple[Status, ...] = ("fail", "crash", "warn", "unknown")
_PUNCTUATION = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])")  # a _ within a word is itself
# Mentions, issues, merge requests, labels, commits' owners ...: @name #1 !1 ~label %milestone $1 &1, and GH-1.
_REFERENCE = re.compile(r"([@#!~%$]|&amp;)(?=[\w\"])|(?<=\bGH)-(?=\d)|(?<=\bGL)-(?=\d)")
_BREAK = "&#8203;"  # a zero-width space: an escaped sign would be a link all the same


def render(report: Report, style: Style, facts: Facts) -> str:  # noqa: ARG001 - the protocol of every format
    """Verdict, what is there, and each problem with evidence and remedy to unfold."""
    parts = [f"### {MARKS[VERDICT_MARKS[report.status]][0]} {_text(report.headline)}", _table(report)]
    parts += [_problem(finding, consequences) for finding, consequences in problems(report)]
    if style.verbose:
        parts.append(_every_check(report))
    origin = f"envkit {report.envkit}".strip() + (f", profile {report.profile}" if report.profile else "")
    parts.append(f"{_text(tally(report, verbose=True))}. {_text(origin)}, {_text(report.taken_at)}".rstrip(", "))
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(report: Report) -> str:
    rows = []
    for area in areas(report):
        here = [finding.status for finding in report.findings if finding.area == area]
        if area not in report.summary and not {*here} & {*_PROBLEMS}:
            continue
        passed: Status = "pass" if "pass" in here else "skip"
        worst = min((status for status in here if status in _PROBLEMS), key=_PROBLEMS.index, default=passed)
        rows.append(f"| {MARKS[worst][0]} | {_text(area)} | {_text(report.summary.get(area, ''))} |")
    return "\n".join(["| | area | what is there |", "| --- | --- | --- |", *rows]) if rows else ""


def _problem(finding: Finding, consequences: list[Finding]) -> str:
    """A problem, folded. A line that begins with HTML is HTML to its end: there Markdown's escapes would be seen."""
    mark = MARKS[finding.status][0]
    parts = [f"<details>\n<summary>{mark} <code>{_html(finding.check)}</code> {_html(said(finding))}</summary>"]
    if finding.evidence:
        parts.append(_fenced("text", [plain(fact) for fact in finding.evidence]))
    if remedy := finding.remedy:
        parts.append(f"**To do:** {_text(remedy.text)}{whose(remedy)}")
        if remedy.commands:
            parts.append(_fenced("sh", [plain(shlex.join(command)) for command in remedy.commands]))
        if remedy.url:
            parts.append(f"<{_address(remedy.url)}>")
    if consequences:
        parts.append("\n".join(f"- so {_text(said(each))} (`{plain(each.check)}`)" for each in consequences))
    return "\n\n".join([*parts, "</details>"])


def _every_check(report: Report) -> str:
    rows = [
        f"| {MARKS[finding.status][0]} | `{plain(finding.check)}` | {_text(said(finding))} |"
        for finding in report.findings
    ]
    head = f"<details>\n<summary>All {len(rows)} checks</summary>\n\n| | check | |\n| --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n\n</details>"


def _text(text: str) -> str:
    """What shows in Markdown as this text, and links to nothing."""
    return _PUNCTUATION.sub(r"\\\g<0>", _html(text))


def _html(text: str) -> str:
    """What shows in HTML as this text, and links to nothing."""
    escaped = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _REFERENCE.sub(rf"\g<0>{_BREAK}", escaped)


def _address(url: str) -> str:
    return plain(url).replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")


def _fenced(language: str, lines: list[str]) -> str:
    """The lines in a block of code, its fence longer than any run of backticks in them."""
    longest = max((len(list(run)) for line in lines for sign, run in groupby(line) if sign == "`"), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence + language, *lines, fence])
