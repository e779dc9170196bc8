"""`envkit doctor --fix`: what envkit may mend itself, and what it can only tell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from envkit.cli import _common
from envkit.facts import Facts
from envkit.findings import Finding, Remedy, Report
from envkit.profile import Profile

BY_SETUP = ["envkit", "setup", "--profile"]
WHO = {"user": "for you", "admin": "for an administrator", "vendor": "for the vendor of the machine"}


def fix(report: Report, facts: Facts, profile: Profile, *, dry_run: bool) -> int:
    """Say what can be done about each problem, do what is safe; the exit status.

    Safe is to build the inspected environment anew by its profile: through the transaction of `envkit setup`, which
    judges and proves it first and keeps the old one. Everything else is printed, to be run by whoever may.
    """
    problems = [f for f in report.findings if f.status in {"fail", "warn"} and not f.caused_by and f.remedy]
    python = facts.python.facts
    environment = python.prefix if python and python.virtual_environment else ""
    mended = [f for f in problems if environment and f.remedy and f.remedy.commands and _by_setup(f.remedy, profile)]
    if not problems:
        _common.write("nothing to fix\n")
        return 0
    if mended:
        _common.write(f"envkit builds {environment} anew by profile {profile.name}, which mends:\n")
        _common.write("".join(f"  · {_line(f)}\n" for f in mended))
    for f in problems:
        if f not in mended and f.remedy:
            _common.write(f"{WHO[f.remedy.who]}: {_line(f)}\n  → {f.remedy.text}\n")
            _common.write("".join(f"      {shlex.join(command)}\n" for command in f.remedy.commands))
    if dry_run or not mended:
        return 1
    return _rebuild(environment, profile)


def _by_setup(remedy: Remedy, profile: Profile) -> bool:
    """Whether building this very profile is among what the remedy says."""
    return any(command[:4] == [*BY_SETUP, profile.asked or profile.name] for command in remedy.commands)


def _line(finding: Finding) -> str:
    from envkit.findings import said

    return f"{said(finding)} [{finding.check}]"


def _rebuild(environment: str, profile: Profile) -> int:
    from envkit.cli._setup import Setup

    _common.write("\n")
    return Setup(
        profile=profile,
        target=Path(environment),
        python="",
        doctor=True,
        smoke=True,
        environ=os.environ,
        style=_common.style(),
        say=_common.write,
        progress_to=sys.stderr,
    ).run()
