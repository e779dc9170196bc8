"""What judging facts yields: findings with evidence and a remedy, gathered in a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

SCHEMA = "envkit.report/1"

Status = Literal["pass", "warn", "fail", "skip", "unknown", "crash"]
Who = Literal["user", "admin", "vendor"]
Verdict = Literal["healthy", "degraded", "unhealthy", "unknown"]
FailOn = Literal["fail", "warn", "never"]
Area = Literal["machine", "accelerators", "container", "python", "frameworks", "profile"]
AREAS: tuple[Area, ...] = ("machine", "accelerators", "container", "python", "frameworks", "profile")


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about a finding. Data, never the tail of a message.

    commands: argv lists, to be copied or run in their order.
    who: who can do it.
    safe: `doctor --fix` may do what the commands say, if they are such as envkit/setup/mending/mend.py reads (packages
    of the inspected environment, what lies about in it); it does it in a copy, which takes its place if better.
    """

    text: str
    commands: list[list[str]] = []
    who: Who = "user"
    safe: bool = False
    url: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check on one subject.

    check and area are filled in by the doctor. caused_by: the check whose finding explains this one.
    """

    check: str = ""
    area: str = ""
    status: Status
    subject: str = ""
    message: str
    evidence: list[str] = []
    remedy: Remedy | None = None
    caused_by: str | None = None


Findings = Iterable[Finding]


def fail(
    message: str, *, subject: str = "", evidence: list[str] | None = None, remedy: Remedy | None = None
) -> Finding:
    """A condition that stops training, or makes it wrong."""
    return Finding(status="fail", message=message, subject=subject, evidence=evidence or [], remedy=remedy)


def warn(
    message: str, *, subject: str = "", evidence: list[str] | None = None, remedy: Remedy | None = None
) -> Finding:
    """A condition that slows training, or will stop it under some load."""
    return Finding(status="warn", message=message, subject=subject, evidence=evidence or [], remedy=remedy)


def unsure(message: str, *, subject: str = "", evidence: list[str] | None = None) -> Finding:
    """The facts or the tables do not say; never a failure."""
    return Finding(status="unknown", message=message, subject=subject, evidence=evidence or [])


def said(finding: Finding) -> str:
    """The message, with the subject before it unless it names that itself."""
    about = f"{finding.subject}: " if finding.subject and finding.subject not in finding.message else ""
    return about + finding.message


def count(number: int, noun: str) -> str:
    """A number of things: "1 file", "2 files"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one machine: findings of every check, causes before what they explain."""

    schema: str = SCHEMA
    envkit: str = ""
    taken_at: str = ""
    status: Verdict
    headline: str
    profile: str = ""
    python: str = ""
    """The inspected interpreter."""
    summary: dict[str, str] = {}
    """Area to one line that says what is there."""
    findings: list[Finding] = []

    def count(self, status: Status) -> int:
        return sum(1 for finding in self.findings if finding.status == status)
