"""The report for a terminal: the verdict first, then one line for each healthy area, and the problems in full."""

from __future__ import annotations

import shlex
import textwrap

from envkit.facts import Facts
from envkit.findings import Finding, Remedy, Report, Status, said
from envkit.formats import VERDICT_MARKS, Style, Tone, tally, whose
from envkit.formats._shared import areas
from envkit.redact import plain

_PROBLEMS: tuple[Status, ...] = ("fail", "crash", "warn", "unknown")


def render(report: Report, style: Style, facts: Facts) -> str:  # noqa: ARG001 - the protocol of every format
    """The report as text of at most `style.width` columns (words and commands to copy are never broken)."""
    lines = [*_lines(report.headline, style, mark=VERDICT_MARKS[report.status], tone="bold"), ""]
    consequences: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.caused_by:
            consequences.setdefault(finding.caused_by, []).append(finding)
    for area in areas(report):
        lines += _area(area, report, consequences, style)
    lines += ["", *_lines(tally(report, verbose=style.verbose), style, tone="dim")]
    return "\n".join(lines) + "\n"


def _area(area: str, report: Report, consequences: dict[str, list[Finding]], style: Style) -> list[str]:
    here = [f for f in report.findings if f.area == area]
    problems = [f for f in here if f.status in _PROBLEMS and not f.caused_by]
    quiet = [f for f in here if f.status in {"pass", "skip"}] if style.verbose else []
    if not problems and not quiet and area not in report.summary:
        return []
    troubles = [f.status for f in here if f.status in _PROBLEMS]  # those too that are told under their cause
    passed: Status = "pass" if any(f.status == "pass" for f in here) else "skip"
    worst = min(troubles, key=_PROBLEMS.index, default=passed)
    title = {"python": "Python"}.get(area, area)
    lines = _lines(f"{title:<14}{report.summary.get(area, '')}".rstrip(), style, mark=worst, hanging=14)
    explained: set[str] = set()
    for finding in problems:
        lines += _problem(finding, style)
        if finding.check not in explained:  # a cause with several subjects has its consequences once
            explained.add(finding.check)
            lines += _consequences(finding, consequences, style, {finding.check})
    for f in quiet:
        text = f"{f.check:<38}{f.message if f.status == 'skip' else ''}".rstrip()
        lines += _lines(text, style, indent=4, mark=f.status, hanging=38)
    return lines


def _problem(finding: Finding, style: Style) -> list[str]:
    lines = _lines(said(finding), style, indent=4, mark=finding.status, label=finding.check)
    for fact in finding.evidence:
        lines += _lines(f"· {fact}", style, indent=6, hanging=2, tone="dim")
    return lines + (_remedy(finding.remedy, style) if finding.remedy else [])


def _remedy(remedy: Remedy, style: Style) -> list[str]:
    lines = _lines(f"→ {remedy.text}{whose(remedy)}", style, indent=6, hanging=2)
    lines += [" " * 10 + style.paint(plain(shlex.join(command)), "bold") for command in remedy.commands]
    return [*lines, " " * 10 + plain(remedy.url)] if remedy.url else lines


def _consequences(cause: Finding, consequences: dict[str, list[Finding]], style: Style, above: set[str]) -> list[str]:
    """What follows from a cause, a line each."""
    lines: list[str] = []
    for f in consequences.get(cause.check, []):
        lines += _lines(f"so {said(f)}", style, indent=6, hanging=3, label=f.check)
        if f.check not in above:
            above.add(f.check)
            lines += _consequences(f, consequences, style, above)
    return lines


def _lines(
    text: str,
    style: Style,
    *,
    indent: int = 0,
    hanging: int = 0,
    mark: Status | None = None,
    label: str = "",
    tone: Tone = "plain",
) -> list[str]:
    """Wrap to the width, then paint: escape codes take no columns, so they come last."""
    margin = " " * indent + ("  " if mark else "")
    tag = f"[{label}]" if label else ""
    wrapped = textwrap.wrap(
        plain(f"{text} {tag}".rstrip()),
        max(style.width, 40),
        initial_indent=margin,
        subsequent_indent=margin + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    painted = [style.paint(line, tone) for line in wrapped or [margin]]
    if tag and style.colour:
        painted[-1] = painted[-1].replace(tag, style.paint(tag, "dim"))
    if mark:
        painted[0] = painted[0].replace(margin, f"{' ' * indent}{style.mark(mark)} ", 1)
    return painted
