"""Judge facts by a profile: run the checks, order causes before what they explain. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from envkit.checks import Check
from envkit.errors import InputError, closest
from envkit.facts import SECTIONS, Facts, Section
from envkit.findings import Area, FailOn, Finding, Report, Status, Verdict, said
from envkit.knowledge import Knowledge
from envkit.profile import Profile
from envkit.summary import summarise

# Where a section that could not be observed is reported.
_AREA_OF_SECTION: dict[str, Area] = {
    **dict.fromkeys(("nvidia", "tpu", "amd", "apple"), "accelerators"),
    "container": "container",
    "python": "python",
    **dict.fromkeys(("torch", "tensorflow", "jax", "torch_deep", "tensorflow_deep", "jax_deep"), "frameworks"),
}
_SEVERITY: dict[Status, int] = {"fail": 0, "crash": 1, "warn": 2, "unknown": 3, "pass": 4, "skip": 5}
# An unknown one of these is no reason for doubt, unless the profile wants that very accelerator.
_OPTIONAL_SECTIONS = ("tpu", "amd", "apple", "disk", "container")


def examine(
    facts: Facts,
    profile: Profile,
    knowledge: Knowledge,
    checks: Mapping[str, Check],
    *,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Report:
    """Judge one machine.

    Args:
        facts: what was observed there.
        profile: what is expected; the empty profile expects nothing.
        knowledge: tables of drivers, wheels and GPUs.
        checks: every check there is, by id.
        select: ids or areas; only these are run. Empty: all.
        ignore: ids or areas that are left out.

    Raises:
        InputError: select or ignore names no check and no area.
    """
    known = {*checks, *(c.area for c in checks.values())}
    for name in (*select, *ignore):
        if name not in known:
            near = closest(name, known)
            raise InputError(
                f"no check or area is called {name!r}" + (f", did you mean {near!r}?" if near else ""),
                hint="`envkit checks list` shows them all",
            )
    chosen = [
        c
        for c in _causes_first(checks)
        if (not select or c.id in select or c.area in select) and not {c.id, c.area} & set(ignore)
    ]
    findings = _unknown_sections(facts, chosen)
    for check in chosen:
        findings.extend(_explain(f, check, checks, findings) for f in _run(check, facts, profile, knowledge))
    findings = _in_order(findings)
    status = _verdict(findings, profile)
    return Report(
        envkit=facts.envkit,
        taken_at=facts.taken_at,
        status=status,
        headline=_headline(status, findings, profile),
        profile=profile.name,
        python=facts.python.facts.executable if facts.python.facts else "",
        summary=summarise(facts, profile, findings),
        findings=findings,
    )


def exit_status(report: Report, fail_on: FailOn) -> int:
    """0 healthy, 1 a finding at or over fail_on, 3 could not tell."""
    if fail_on == "never":
        return 0
    if report.status == "unhealthy" or (report.status == "degraded" and fail_on == "warn"):
        return 1
    return 3 if report.status == "unknown" else 0


def _causes_first(checks: Mapping[str, Check]) -> list[Check]:
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


def _unknown_sections(facts: Facts, chosen: Collection[Check]) -> list[Finding]:
    """A finding for each reason why sections gave no answer, the section it names first standing for the others."""
    needed = {name for check in chosen for name in check.needs}
    by_reason: dict[str, list[str]] = {}
    for name in SECTIONS:
        section: Section[object] = getattr(facts, name)
        if name in needed and section.outcome == "unknown" and section.why != "not asked":
            by_reason.setdefault(section.why, []).append(name)
    return [
        Finding(
            check=f"{names[0].replace('_', '-')}-unknown",
            area=_AREA_OF_SECTION.get(names[0], "machine"),
            status="unknown",
            subject=names[0],
            message=f"the facts of {', '.join(names).replace('_', ' ')} could not be read: {why}",
        )
        for why, names in by_reason.items()
    ]


def _run(check: Check, facts: Facts, profile: Profile, knowledge: Knowledge) -> list[Finding]:
    """The findings of one check: its own, or one that says pass, skip or crash."""
    override = profile.checks.get(check.id)
    if override and override.ignore:
        return [_about(check, "skip", f"profile {profile.name} ignores it: {override.ignore}")]
    arguments: list[object] = []
    for name in check.needs:
        if name in {"facts", "profile", "knowledge"}:
            arguments.append({"facts": facts, "profile": profile, "knowledge": knowledge}[name])
            continue
        section: Section[object] = getattr(facts, name)
        if section.facts is None and (section.outcome == "unknown" or name not in check.accepts_absent):
            return [_about(check, "skip", f"{name}: {'absent' if section.outcome == 'absent' else section.why}")]
        arguments.append(section.facts)
    try:
        found = list(check.function(*arguments, **(override.thresholds if override else {})))
    except Exception as error:  # noqa: BLE001 - a check that raises is a result, not the end of the report
        return [_about(check, "crash", f"the check failed: {type(error).__name__}: {error}")]
    if not found:
        return [_about(check, "pass", check.title)]
    severity = override.severity if override else None
    return [
        Finding(
            check=check.id,
            area=check.area,
            status=severity if severity and f.status in {"fail", "warn"} else f.status,
            subject=f.subject,
            message=f.message,
            evidence=f.evidence,
            remedy=f.remedy,
        )
        for f in found
    ]


def _about(check: Check, status: Status, message: str) -> Finding:
    return Finding(check=check.id, area=check.area, status=status, message=message)


def _explain(finding: Finding, check: Check, checks: Mapping[str, Check], earlier: list[Finding]) -> Finding:
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


def _in_order(findings: list[Finding]) -> list[Finding]:
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


def _verdict(findings: list[Finding], profile: Profile) -> Verdict:
    wanted = profile.requires.accelerator
    doubtful = {"nvidia-unknown" if wanted == "nvidia" else "", f"{wanted}-unknown"}
    statuses = {f.status for f in findings}
    if "fail" in statuses:
        return "unhealthy"
    blind = any(
        f.status == "unknown"
        and f.check.endswith("-unknown")
        and (f.subject not in _OPTIONAL_SECTIONS or f.check in doubtful)
        for f in findings
    )
    if blind or "crash" in statuses or not statuses & {"pass", "warn"}:
        return "unknown"
    return "degraded" if "warn" in statuses else "healthy"


def _headline(status: Verdict, findings: list[Finding], profile: Profile) -> str:
    """The first line of every report."""
    with_profile = f" with profile {profile.name}" if profile.name else ""
    primary = [f for f in findings if f.caused_by is None]
    problems = [f for f in primary if f.status == "fail"]
    warnings = [f for f in primary if f.status == "warn"]
    unknowns = [f for f in findings if f.status == "unknown"]
    doubt = f", {_count(len(unknowns), 'thing')} unknown" if unknowns else ""
    if status == "unhealthy":
        return f"cannot train{with_profile}: {said(problems[0]) if problems else 'see below'}"
    if status == "unknown":
        reason = next((f.message for f in findings if f.status in {"unknown", "crash"}), "no check was run")
        return f"could not tell whether this machine can train{with_profile}: {reason}"
    if status == "degraded":
        return f"can train{with_profile}, {_count(len(warnings), 'warning')}{doubt}"
    return f"healthy: this machine can train{with_profile}{doubt}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
