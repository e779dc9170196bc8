"""Judge facts by a profile: run the checks, order causes before what they explain. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from envkit.causes import causes_first, explain, in_order
from envkit.checks import Check
from envkit.checks._admin import for_this_user
from envkit.errors import InputError, did_you_mean
from envkit.facts import SECTIONS, Facts, Section
from envkit.facts.accelerators import Nvidia
from envkit.findings import Area, FailOn, Finding, Report, Status, Verdict, count, said
from envkit.knowledge import Knowledge
from envkit.profile import Profile
from envkit.summary import summarise

# Where a section that could not be observed is reported.
_AREA_OF_SECTION: dict[str, Area] = {
    **dict.fromkeys(("nvidia", "tpu", "amd", "intel", "apple"), "accelerators"),
    "container": "container",
    "container_engine": "container",
    "python": "python",
    **dict.fromkeys(("torch", "tensorflow", "jax", "torch_deep", "tensorflow_deep", "jax_deep"), "frameworks"),
}
# Without these a machine can be told healthy all the same.
_SECONDARY = {
    *("disk", "limits", "memory_policy", "topology", "clock", "kernel", "network", "allocation"),
    *("container", "container_engine"),
}


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
            raise InputError(
                f"no check or area is called {name!r}{did_you_mean(name, known)}",
                hint="`envkit checks list` shows them all",
            )
    chosen = [
        c
        for c in causes_first(checks)
        if (not select or c.id in select or c.area in select) and not {c.id, c.area} & set(ignore)
    ]
    findings = _unknown_sections(facts, chosen)
    for check in chosen:
        findings.extend(explain(f, check, checks, findings) for f in _run(check, facts, profile, knowledge))
    findings = in_order(findings)
    status = _verdict(findings, profile)
    return Report(
        envkit=facts.envkit,
        taken_at=facts.taken_at,
        status=status,
        headline=_headline(status, findings, profile, facts.sources),
        profile=profile.name,
        python=facts.python.facts.executable if facts.python.facts else "",
        summary=summarise(facts, profile, findings, knowledge),
        findings=findings,
    )


def exit_status(report: Report, fail_on: FailOn) -> int:
    """0 healthy, 1 a finding at or over fail_on, 3 could not tell."""
    if fail_on == "never":
        return 0
    if report.status == "unhealthy" or (report.status == "degraded" and fail_on == "warn"):
        return 1
    return 3 if report.status == "unknown" else 0


def _unknown_sections(facts: Facts, chosen: Collection[Check]) -> list[Finding]:
    """A finding for each reason why sections gave no answer, the section it names first standing for the others.

    That an ordinary user may not read the kernel's log is no news: its checks say so where they are skipped.
    """
    needed = {name for check in chosen for name in check.needs}
    by_reason: dict[str, list[str]] = {}
    for name in SECTIONS:
        section: Section[object] = getattr(facts, name)
        if name in needed and name != "kernel_log" and section.outcome == "unknown" and section.why != "not asked":
            by_reason.setdefault(section.why, []).append(name)
    if all(getattr(facts, name).outcome == "unknown" for name in SECTIONS) and not by_reason:
        by_reason["these facts hold nothing that was observed"] = ["machine"]
    return [
        Finding(
            check=f"{names[0].replace('_', '-')}-unknown",
            area=_AREA_OF_SECTION.get(names[0], "machine"),
            status="unknown",
            subject=names[0],
            message=_unread(names, why, partial=bool(facts.sources)),
        )
        for why, names in by_reason.items()
    ]


def _unread(names: list[str], why: str, *, partial: bool) -> str:
    listed = ", ".join(names).replace("_", " ")
    return f"{why}: {listed}" if partial else f"the facts of {listed} could not be read: {why}"


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
    unlisted = [_Unlisted(given) for given in arguments if isinstance(given, Nvidia) and given.gpus is None]
    arguments = [next((u for u in unlisted if u.of is given), given) for given in arguments]
    try:
        found = list(check.function(*arguments, **(override.thresholds if override else {})))
    except Exception as error:  # noqa: BLE001 - a check that raises is a result, not the end of the report
        return [_about(check, "crash", f"the check failed: {type(error).__name__}: {error}")]
    if not found and any(nvidia.asked for nvidia in unlisted):
        return [_about(check, "skip", "nobody has listed the GPUs: the driver did not answer, or was not asked")]
    if not found:
        return [_about(check, "pass", f"not the case: {check.title}")]
    severity = override.severity if override else None
    return [
        Finding(
            check=check.id,
            area=check.area,
            status=severity if severity and f.status in {"fail", "warn"} else f.status,
            subject=f.subject,
            message=f.message,
            evidence=f.evidence,
            remedy=for_this_user(f.remedy, facts),
        )
        for f in found
    ]


class _Unlisted:
    """Facts of a driver that has listed no GPUs. It notes whether they are asked for: what nobody sees is not fine."""

    def __init__(self, of: Nvidia) -> None:
        self.of = of
        self.asked = False

    def __getattr__(self, name: str) -> object:
        self.asked = self.asked or name == "gpus"
        return getattr(self.of, name)


def _about(check: Check, status: Status, message: str) -> Finding:
    return Finding(check=check.id, area=check.area, status=status, message=message)


def _verdict(findings: list[Finding], profile: Profile) -> Verdict:
    statuses = {f.status for f in findings}
    if "fail" in statuses:
        return "unhealthy"
    if any(_blinds(f, profile) for f in findings) or "crash" in statuses or not statuses & {"pass", "warn"}:
        return "unknown"
    return "degraded" if "warn" in statuses else "healthy"


def _blinds(finding: Finding, profile: Profile) -> bool:
    """Whether it says that a section could not be read without which there is no verdict."""
    about_section = finding.status == "unknown" and finding.check.endswith("-unknown")
    return about_section and _matters(finding.subject, profile)


def _matters(section: str, profile: Profile) -> bool:
    """Whether a verdict can do without a section: it can, if that is of an accelerator the profile does not want."""
    if section in _SECONDARY:
        return False
    if section in {"nvidia", "tpu", "amd", "intel", "apple"}:
        return section == (profile.requires.accelerator if profile.name else "nvidia")
    return True


def _headline(status: Verdict, findings: list[Finding], profile: Profile, sources: list[str]) -> str:
    """The first line of every report."""
    with_profile = f" with profile {profile.name}" if profile.name else ""
    primary = [f for f in findings if f.caused_by is None]
    problems = [f for f in primary if f.status == "fail"]
    warnings = [f for f in primary if f.status == "warn"]
    unknowns = [f for f in findings if f.status == "unknown"]
    doubt = f", {count(len(unknowns), 'thing')} unknown" if unknowns else ""
    if status == "unhealthy":
        return f"cannot train{with_profile}: {said(problems[0]) if problems else 'see below'}"
    if status == "unknown" and sources:
        found = f"{count(len(warnings), 'warning')}, no failure" if warnings else "nothing wrong"
        return f"{found}{with_profile} in what was given ({', '.join(sources)}); the rest of the machine is not known"
    if status == "unknown":
        telling = (f.message for f in findings if f.status == "crash" or _blinds(f, profile))
        reason = next(telling, "no check was run")
        return f"could not tell whether this machine can train{with_profile}: {reason}"
    if status == "degraded":
        return f"can train{with_profile}, {count(len(warnings), 'warning')}{doubt}"
    return f"healthy: this machine can train{with_profile}{doubt}"
