"""Judge an image where it is built, and defer what depends on the machine that it will run on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from envkit.checks import Check
from envkit.doctor import examine
from envkit.facts import Facts, Section
from envkit.facts.software import SetUp
from envkit.findings import Finding, Report, count
from envkit.knowledge import Knowledge
from envkit.phases.sections import DEEP, ENVIRONMENT, chosen, of_the_image, of_the_start, others
from envkit.phases.watch import watched
from envkit.profile import CheckOverride, Profile
from envkit.setup.choosing.assume import assumed, spoken

# A builder's packages are its own doing: others than the profile pins are a mistake there, not somebody's choice.
HELD = ("profile-packages-differ", "profile-cuda-differs")


class Judged(NamedTuple):
    """What can be said where an image is built."""

    report: Report
    checks: list[str]
    """Ids of those that wait for the machine."""
    sections: list[str]
    """What these need of it."""


def judge(
    facts: Facts,
    profile: Profile,
    knowledge: Knowledge,
    checks: Mapping[str, Check],
    *,
    assumptions: Mapping[str, str],
    ignore: Collection[str] = (),
) -> Judged:
    """Judge the image, and find what cannot be judged without the machine.

    Other packages than the profile pins are a failure, unless the profile says what that is to count as.

    A check waits that names a section of the machine, or reads one, or reads an environment variable. With assumptions
    it is judged all the same, as on that machine, and then again where the container starts.

    Args:
        facts: what was observed of the image; other sections are not asked for.
        profile: what is expected.
        knowledge: tables of drivers, wheels and GPUs.
        checks: every check there is, by id.
        assumptions: what is assumed of the machine, by key; {}: nothing.
        ignore: ids or areas that are not judged now; of the machine, they are where the container starts.
    """
    reads: dict[str, set[str]] = {}
    there = assumed(facts, dict(assumptions), knowledge) if assumptions else facts
    those = chosen(checks.values(), profile, ())
    names = [check.id for check in those]
    examine(there, profile, knowledge, watched(checks, reads), select=names)
    report = examine(there, holding(profile), knowledge, checks, select=names, ignore=ignore)
    of_start = {*of_the_start(), ENVIRONMENT}
    waiting = {
        check.id: sorted(reads[check.id] & of_start)
        for check in those
        if reads[check.id] & of_start and not _not_to_come(check, profile)
    }
    needed = {name for needs in waiting.values() for name in needs} - others(profile)
    return Judged(
        report=_of_the_image(report, waiting, assumptions),
        checks=sorted(waiting),
        sections=[name for name in of_the_start() if name in needed],
    )


def holding(profile: Profile) -> Profile:
    """The profile, by which other packages than it pins are a failure, unless it has a word of its own on that."""
    return replace(profile, checks={**dict.fromkeys(HELD, CheckOverride(severity="fail")), **profile.checks})


def image_of(facts: Facts) -> dict[str, Section[Any]]:
    """The sections of the image, as they go into it: the builder's variables do not."""
    sections: dict[str, Section[Any]] = {name: getattr(facts, name) for name in of_the_image()}
    if (python := facts.python.facts) is not None:
        sections["python"] = replace(facts.python, facts=replace(python, environment={}))
    return sections


def smoke_to_come(profile: Profile, setup: SetUp | None) -> list[str]:
    """The training that has not been done where the image was built: "smoke torch cuda"."""
    if setup and setup.profile == profile.name and (setup.deferred or setup.verdict == "proved"):
        return setup.deferred
    return [f"smoke {run.framework} {run.device}" for run in profile.smoke]


def _not_to_come(check: Check, profile: Profile) -> bool:
    """Whether it is not judged at the start either: it needs a framework imported, or the profile ignores it."""
    override = profile.checks.get(check.id)
    return bool(override and override.ignore) or any(name.endswith(DEEP) for name in check.needs)


def _of_the_image(report: Report, waiting: Mapping[str, list[str]], assumptions: Mapping[str, str]) -> Report:
    """The report without claims about a machine that is not there: only what is wrong there stays."""
    findings = [
        _waits(finding, waiting[finding.check])
        if finding.check in waiting and finding.status in {"pass", "skip", "unknown"}
        else finding
        for finding in report.findings
    ]
    summary = {area: line for area, line in report.summary.items() if area not in {"accelerators", "container"}}
    if assumptions:
        summary["accelerators"] = f"assumed: {report.summary['accelerators']}"
    headline = report.headline
    if report.status in {"healthy", "degraded"}:
        warnings = sum(f.status == "warn" and not f.caused_by for f in findings)
        told = f", {count(warnings, 'warning')}" if warnings else ""
        by = f" with profile {report.profile}" if report.profile else ""
        headline = f"the image is good{by}{told}; {count(len(waiting), 'check')} wait for the machine"
    said = replace(report, headline=headline, summary=summary, findings=findings)
    # "570.999" stands for the newest driver of a branch: what was given is what is shown.
    return msgspec.json.decode(spoken(msgspec.json.encode(said).decode()), type=Report) if assumptions else said


def _waits(finding: Finding, needs: list[str]) -> Finding:
    told = ", ".join(name.replace("_", " ") for name in needs)
    return replace(finding, status="skip", message=f"waits for the start of the container: {told}", evidence=[])
