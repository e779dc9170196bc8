"""The report for the log of a GitHub Actions step: the text, folded, and annotations of what is wrong.

Workflow commands: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; their escapes are
those that the runner undoes (actions/runner, ActionCommand.cs).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from envkit.facts import Facts
from envkit.findings import Finding, Report
from envkit.formats import MARKS, VERDICT_MARKS, Style, text
from envkit.formats._shared import lines, outcome, problems
from envkit.redact import plain

LIMIT = 10  # annotations of a level that GitHub shows of one step; it drops the others in silence

Level = Literal["error", "warning", "notice"]


def render(report: Report, style: Style, facts: Facts) -> str:
    """The report as lines for stdout. No text of a finding can be taken for a command."""
    written = text.render(report, style, facts)
    # Commands are off until the token comes, and a text cannot hold its own hash.
    token = sha256(written.encode(errors="replace")).hexdigest()
    headline = f"{MARKS[VERDICT_MARKS[report.status]][0]} {plain(report.headline)}"
    log = [_command("group", headline), _command("stop-commands", token), written.rstrip("\n")]
    return "\n".join([*log, _command(token, ""), _command("endgroup", ""), *_annotations(report, style)]) + "\n"


def _annotations(report: Report, style: Style) -> list[str]:
    """The verdict as a notice, and each problem that is no consequence of another."""
    by_level: dict[Level, list[tuple[str, str]]] = {"error": [], "warning": []}
    for finding, consequences in problems(report):
        red = outcome(finding, report, style) in {"failure", "error"}
        message = "\n".join(lines(finding, consequences))
        by_level["error" if red else "warning"].append((_title(finding), message))
    if report.status in {"unhealthy", "unknown"} and not by_level["error"]:
        by_level["error"].append(("envkit", plain(report.headline)))
    else:
        by_level["notice"] = [("envkit", plain(report.headline))]
    return [
        _command(level, message, title=title)
        for level, annotations in by_level.items()
        for title, message in _within_limit(annotations)
    ]


def _within_limit(annotations: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(annotations) <= LIMIT:
        return annotations
    shown, rest = annotations[: LIMIT - 1], annotations[LIMIT - 1 :]
    names = ", ".join(dict.fromkeys(title for title, _ in rest))
    return [*shown, (f"{len(rest)} more", f"the log of this step has them in full: {names}")]


def _title(finding: Finding) -> str:
    return finding.check if finding.status in {"fail", "warn"} else f"{finding.check} ({finding.status})"


def _command(name: str, data: str, **properties: str) -> str:
    """A workflow command; % is escaped first, as the runner undoes it last."""
    listed = ",".join(f"{key}={_escaped(_escaped(value), ':,')}" for key, value in properties.items())
    return f"::{name}{' ' if listed else ''}{listed}::{_escaped(data)}"


def _escaped(data: str, characters: str = "%\r\n") -> str:
    for character in characters:
        data = data.replace(character, f"%{ord(character):02X}")
    return data
