"""Which problems of an environment can be mended, which are left to whom, and whether the outcome is better. Pure."""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec.structs import replace

from envkit.facts.software import Python
from envkit.findings import Finding, Report, said
from envkit.profile import Profile
from envkit.setup.mending import mend
from envkit.setup.mending.mend import Changes
from envkit.versions import satisfies

BY_SETUP = ["envkit", "setup", "--profile"]
PROBLEMS = {"fail", "warn"}
TROUBLES = PROBLEMS | {"unknown", "crash"}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is mended, and what is left with the reason where there is one to tell."""

    mended: list[Finding] = []
    changes: Changes = Changes()
    left: list[tuple[Finding, str]] = []


def problems(report: Report) -> list[Finding]:
    """What is wrong, without what only follows from it."""
    return [f for f in report.findings if f.status in PROBLEMS and not f.caused_by]


def choose(report: Report, python: Python | None, profile: Profile) -> Choice:
    """Tell apart what safe remedies mend in this environment, and put together what they change.

    A remedy that says to set the profile up is safe too: what the profile names is aligned, what was added is kept.
    """
    if python is None:
        return Choice(left=[(finding, "") for finding in problems(report)])
    choice = Choice()
    for finding in problems(report):
        choice = add(choice, finding, python, profile)
    # What only seems to follow from another problem may be about other packages.
    for finding in report.findings if choice.mended else []:
        wanted = _wanted(finding, python, profile) if finding.caused_by and finding.status in PROBLEMS else None
        if wanted and not set(wanted.packages) & set(choice.changes.packages):
            choice = replace(add(choice, finding, python, profile), left=choice.left)
    return choice


def add(choice: Choice, finding: Finding, python: Python, profile: Profile) -> Choice:
    """The choice with one more finding, mended with the others or left."""
    wanted = _wanted(finding, python, profile)
    why = mend.out_of_reach(wanted, python) if wanted else ""
    both = mend.together(choice.changes, wanted) if wanted and not why else None
    if both:
        return replace(choice, mended=[*choice.mended, finding], changes=mend.settled(both, python))
    if wanted and not why:
        why = "it takes PyTorch from another index than what is mended with it"
    return leave(choice, finding, why)


def leave(choice: Choice, finding: Finding, why: str) -> Choice:
    """The choice with one more finding that is left."""
    return replace(choice, left=[*choice.left, (finding, why)])


def none_of(choice: Choice, why: str) -> Choice:
    """The same, all of it left for this reason."""
    return Choice(left=[*((finding, why) for finding in choice.mended), *choice.left])


def _wanted(finding: Finding, python: Python, profile: Profile) -> Changes | None:
    """What the remedy of a finding changes; None where that is not for envkit to do."""
    remedy = finding.remedy
    if remedy is None:
        return None
    if any(command[:4] == [*BY_SETUP, profile.asked or profile.name] for command in remedy.commands):
        suits = satisfies(python.version, profile.requires.python) is not False
        return Changes(install=profile.packages, torch_backend=profile.torch_backend) if suits else None
    return mend.read(remedy.commands, python) if remedy.safe else None


def objection(before: Report, after: Report, mended: list[Finding]) -> str:
    """Why the mended copy is no better than what it was made from, "" where it is."""
    had, has = _troubles(before), _troubles(after)
    for finding in after.findings:
        if finding.status in TROUBLES and has[finding.check] > had[finding.check]:
            return f"it would bring another problem: {said(finding)}"
    if all(has[finding.check] >= had[finding.check] for finding in mended):
        return f"it did not help: {said(mended[0])}"
    return ""


def _troubles(report: Report) -> Counter[str]:
    """How much each check has found; a failure weighs more than any number of warnings."""
    weights = {"fail": 1000, "crash": 1000, "unknown": 1000, "warn": 1}
    found: Counter[str] = Counter()
    for finding in report.findings:
        found[finding.check] += weights.get(finding.status, 0)
    return found
