"""Causes before consequences: the order of checks, and which finding explains which. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from envkit.checks import Check
from envkit.findings import Finding, Status

_SEVERITY: dict[Status, int] = {"fail": 0, "crash": 1, "warn": 2, "unknown": 3, "pass": 4, "skip": 5}


def causes_first(checks: Mapping[str, Check]) -> list[Check]:
    """All checks, each behind those it comes after; otherwise in the order given."""
    ordered: dict[str, Check] = {}

    def place(check: Check, above: tuple[str, ...]) -> None:
        if check.id in ordered:
            return
        for cause in check.after:
            if cause in checks and cause not in above:
                place(checks[cause], (*above, check.id))
        ordered[check.id] = check

    for check in checks.values():
        place(check, ())
    return list(ordered.values())


def explain(finding: Finding, check: Check, checks: Mapping[str, Check], earlier: list[Finding]) -> Finding:
    """Name the earlier finding that explains this one, if there is one at least as severe about the same subject."""
    if finding.status not in {"fail", "warn", "unknown"}:
        return finding
    for cause in _ancestors(check, checks):
        for f in earlier:
            if f.check == cause and f.status in {"fail", "warn"} and _SEVERITY[f.status] <= _SEVERITY[finding.status]:
                same = not f.subject or not finding.subject or f.subject == finding.subject
                if same or f.area != finding.area:
                    return Finding(
                        **{**{k: getattr(finding, k) for k in finding.__struct_fields__}, "caused_by": cause}
                    )
    return finding


def _ancestors(check: Check, checks: Mapping[str, Check]) -> list[str]:
    """Ids of the checks before this one, nearest first."""
    found: dict[str, None] = {}
    queue = list(check.after)
    while queue:
        cause = queue.pop(0)
        if cause not in found:
            found[cause] = None
            queue.extend(checks[cause].after if cause in checks else ())
    return list(found)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Problems first and worst first, each followed by what it explains; then what passed, then what was skipped."""
    by_cause: dict[str, list[Finding]] = {}
    present = {f.check for f in findings}
    roots = []
    for f in findings:
        if f.caused_by in present and f.caused_by is not None:
            by_cause.setdefault(f.caused_by, []).append(f)
        else:
            roots.append(f)
    ordered: list[Finding] = []

    def add(finding: Finding) -> None:
        ordered.append(finding)
        for consequence in by_cause.pop(finding.check, []):
            add(consequence)

    for root in sorted(roots, key=lambda f: _SEVERITY[f.status]):
        add(root)
    return ordered
