"""The machine that `envkit setup` works for, this one or one that is assumed: looked at once, judged by any profile."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from envkit.capture import capture
from envkit.checks import Check
from envkit.errors import InputError, SetupError
from envkit.facts import Facts
from envkit.findings import Report
from envkit.interpreter import Interpreter
from envkit.knowledge import Knowledge
from envkit.profile import Profile, available, load
from envkit.setup.choosing.assume import assumed, notes, parse, spoken
from envkit.setup.choosing.select import Choice, choose

SECTIONS = (
    *("system", "cpu", "memory", "disk", "container", "allocation"),
    *("nvidia", "amd", "intel", "tpu", "apple"),
)
AREAS = ("machine", "accelerators", "container")


@dataclass
class Machine:
    """Facts and judgements that the steps of a setup share; nothing is looked at before it is asked for."""

    target: Path
    """The folder that the environment is to be in."""
    assume: str = ""
    """What `--assume` says; "": this machine itself."""

    @cached_property
    def assumptions(self) -> dict[str, str]:
        """What is assumed, by key; {}: nothing."""
        return parse(self.assume, self.knowledge) if self.assume else {}

    @cached_property
    def here(self) -> Facts:
        """The facts of this machine."""
        return capture(python=None, target=str(self.target), only=SECTIONS)

    @cached_property
    def facts(self) -> Facts:
        """Those of the machine that the environment is for."""
        return self.as_assumed(self.here)

    @cached_property
    def knowledge(self) -> Knowledge:
        from envkit import knowledge

        return knowledge.load()

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        from envkit.checks import discover

        return discover()

    def as_assumed(self, facts: Facts) -> Facts:
        """Facts that were captured here, as they would be on the machine that is assumed."""
        return assumed(facts, self.assumptions, self.knowledge) if self.assumptions else facts

    def examine(self, facts: Facts, profile: Profile, areas: Collection[str] = ()) -> Report:
        """Facts judged by a profile."""
        from envkit.doctor import examine

        return examine(facts, profile, self.knowledge, self.checks, select=areas)

    def judge(self, profile: Profile) -> Report:
        """The machine alone, judged by a profile."""
        return self.examine(self.facts, profile, AREAS)

    def refusal(self, profile: Profile) -> str:
        """Why setup would stop before it changes anything, "" where it would not."""
        report = self.judge(profile)
        return spoken(f"would stop here: {report.headline}") if report.status == "unhealthy" else ""

    def look_into(self, python: Path, name: str, *, only: Collection[str] = ()) -> Facts:
        """The facts of an environment on the machine that it is for."""
        found = Interpreter(str(python), name)
        facts = capture(python=found, target=str(self.target), only=only, meanwhile=self.prepare)
        return self.as_assumed(facts)

    def prepare(self) -> None:
        """Import what judging needs, while something else is waited for."""
        from envkit import doctor  # noqa: F401

        _ = self.knowledge, self.checks

    def look(self) -> None:
        """Look at this machine, and import what judging it needs."""
        _ = self.here
        self.prepare()

    def notes(self) -> list[str]:
        """What is to be said of the assumptions beside the plan."""
        return notes(self.here, self.assumptions, self.knowledge) if self.assumptions else []

    def choose(self, add: Collection[str], leave_out: Collection[str], python: str) -> Choice:
        """The profile that suits best, with the options asked for.

        Raises:
            InputError: no profile has those options.
        """
        profiles, refused = {}, {}
        for found in available():
            try:
                profiles[found.name] = load(found.name, add=add, leave_out=leave_out)
            except InputError as error:  # noqa: PERF203 - one that is torn does not stop the others
                refused[found.name] = error.message.split("\n", 1)[0]
        if not profiles:
            raise InputError("; ".join(dict.fromkeys(refused.values())) or "there are no profiles")
        choice = choose(self.facts, profiles, self.judge, self.knowledge, python=python)
        return Choice(choice.best, choice.why, {**choice.others, **refused}, choice.advice)


def none_chosen(choice: Choice, assume: str = "") -> SetupError:
    """What ends a setup for which no profile could be chosen; the doctor knows nothing of what is assumed."""
    advice = choice.advice.replace("envkit doctor", f"envkit setup --assume {shlex.quote(assume)}") if assume else ""
    return SetupError(f"no profile was chosen: {choice.why}", hint=advice or choice.advice)


def objection(report: Report) -> str:
    """Why an environment does not do, "" when it does."""
    return report.headline if report.status in {"unhealthy", "unknown"} else ""
