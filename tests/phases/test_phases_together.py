"""What is said at build and at start together is what doctor says at once, of every machine of tests/machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts
from envkit.findings import Report
from envkit.knowledge import Knowledge
from envkit.phases.deferred import Deferred
from envkit.phases.sections import chosen
from envkit.profile import Profile, load

EXPECTED = sorted((Path(__file__).parents[1] / "machines").glob("*/*.txt"))
IDS = [f"{path.parent.name}-{path.stem}" for path in EXPECTED]
KNOWLEDGE, CHECKS = Knowledge(), discover()

Machine = Callable[[str], Facts]
Build = Callable[..., tuple[Report, Deferred]]
Start = Callable[[Facts, Deferred], Report]


def profile_of(path: Path) -> Profile:
    return Profile() if path.stem == "no-profile" else load(path.stem)


def troubles(report: Report) -> set[tuple[str, str, str, str]]:
    wrong = {"fail", "warn", "crash"}
    return {(f.check, f.status, f.subject, f.message) for f in report.findings if f.status in wrong}


@pytest.mark.parametrize("path", EXPECTED, ids=IDS)
def test_both_phases_say_what_doctor_says_at_once(path: Path, machine: Machine, built: Build, started: Start) -> None:
    facts, profile = machine(path.parent.name), profile_of(path)
    report, left = built(facts, profile)
    together = troubles(report) | troubles(started(facts, left))
    assert together == troubles(examine(facts, profile, KNOWLEDGE, CHECKS))


@pytest.mark.parametrize("path", EXPECTED, ids=IDS)
def test_what_passed_at_build_is_not_judged_again(path: Path, machine: Machine, built: Build) -> None:
    report, left = built(machine(path.parent.name), profile_of(path))
    waiting = {f.check for f in report.findings if f.message.startswith("waits for the start")}
    assert waiting <= set(left.checks)
    assert not {f.check for f in report.findings if f.status == "pass"} & set(left.checks)


@pytest.mark.parametrize("path", EXPECTED, ids=IDS)
def test_checks_of_accelerators_that_a_profile_does_not_ask_for_find_nothing(path: Path, machine: Machine) -> None:
    facts, profile = machine(path.parent.name), profile_of(path)
    left_out = set(CHECKS) - {check.id for check in chosen(CHECKS.values(), profile, ())}
    assert not {found for found in troubles(examine(facts, profile, KNOWLEDGE, CHECKS)) if found[0] in left_out}
