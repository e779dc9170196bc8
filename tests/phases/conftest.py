"""Machines of tests/machines as they are where an image is built, and where a container of it starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from envkit.checks import discover
from envkit.facts import Facts, Section, decode, ok
from envkit.findings import Report
from envkit.knowledge import Knowledge
from envkit.phases import build, deferred, run
from envkit.phases.deferred import Deferred
from envkit.phases.sections import DEEP, OF_THE_BUILDER, of_the_image
from envkit.profile import Profile

MACHINES = Path(__file__).parents[1] / "machines"
KNOWLEDGE, CHECKS = Knowledge(), discover()

Left = tuple[Report, Deferred]
Machine = Callable[[str], Facts]
Build = Callable[..., Left]
Start = Callable[[Facts, Deferred], Report]


def _only(facts: Facts, *names: str) -> Facts:
    return replace(Facts(envkit=facts.envkit), **{name: getattr(facts, name) for name in names})


@pytest.fixture
def machine() -> Machine:
    """The facts of a machine, without those that only --deep has."""

    def read(name: str) -> Facts:
        path = MACHINES / name / "facts.json"
        facts = decode(path.read_text(), str(path))
        return replace(facts, **{name: Section() for name in facts.__struct_fields__ if name.endswith(DEEP)})

    return read


@pytest.fixture
def built() -> Build:
    """Build the image that a machine runs, where there is no device: the report, and what it leaves."""

    def run_build(facts: Facts, profile: Profile, assumptions: dict[str, str] | None = None) -> Left:
        there = _only(facts, *of_the_image(), *OF_THE_BUILDER)
        if there.python.facts:  # a builder does not have the variables that a scheduler or a user sets at the start
            there = replace(there, python=ok(replace(there.python.facts, environment={})))
        judged = build.judge(there, profile, KNOWLEDGE, CHECKS, assumptions=assumptions or {})
        python = facts.python.facts
        left = Deferred(
            envkit="0.1.0",
            created="2026-11-26T08:14:24+00:00",
            profile=profile,
            identity="",
            contents="",
            assumptions=assumptions or (python.setup.assumptions if python and python.setup else {}),
            checks=judged.checks,
            sections=judged.sections,
            variables=[],
            image=deferred.pack(build.image_of(there)),
        )
        return judged.report, left

    return run_build


@pytest.fixture
def started() -> Start:
    """Start a container of an image on a machine: the report of what was deferred."""

    def run_start(facts: Facts, left: Deferred) -> Report:
        variables = facts.python.facts.environment if facts.python.facts else {}
        image = deferred.unpack(left, Path())
        there = run.with_image(_only(facts, *left.sections), image, variables, left.assumptions)
        return run.judge_deferred(there, left, KNOWLEDGE, CHECKS)

    return run_start
