"""`envkit doctor --phase`: an image judged where it is built, and the rest where a container of it starts."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from envkit import interpreter
from envkit.capture import capture
from envkit.cli import _common
from envkit.doctor import exit_status
from envkit.errors import CannotTell, InputError
from envkit.facts import Facts, ok
from envkit.facts.software import Python
from envkit.findings import FailOn, Report, count
from envkit.phases import deferred, sections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.checks import Check
    from envkit.interpreter import Interpreter
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

PHASES = ("build", "run")
_AT_THE_START = "where the container starts: envkit doctor --phase run"


@dataclass
class Phase:
    """One run of doctor in a phase of a container's life."""

    profile: str
    python: str
    assume: str
    ignore: Collection[str]
    fail_on: FailOn
    within_seconds: float | None
    show: Callable[[Report, Facts], None]
    say: Callable[[str], None]

    def judge(self, name: str) -> int:
        """Judge, print, and return the exit status."""
        if self.assume and name != "build":
            raise InputError("--assume belongs to --phase build: where a container starts, nothing is assumed")
        found = interpreter.find(self.python or None)
        return self._build(found) if name == "build" else self._start(found)

    @cached_property
    def knowledge(self) -> Knowledge:
        from envkit import knowledge

        return knowledge.load()

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        from envkit.checks import discover

        return discover()

    def _build(self, found: Interpreter | None) -> int:
        from envkit.phases import build
        from envkit.target.python import ENVIRONMENT

        if found is None:
            raise InputError(f"there is no Python to judge: looked at {interpreter.LOOKED_AT}")
        image = sections.of_the_image()
        facts = self._capture(found, only=[*image, *sections.OF_THE_BUILDER])
        python = facts.python.facts
        if python is None or not python.prefix:
            why = facts.python.why or f"envkit cannot look into Python {python.version if python else ''}"
            raise CannotTell(f"the image cannot be judged: {why}")
        profile = _common.profile_of(self.profile, facts, self.checks)
        assumptions = self._assumptions(profile, python)
        judged = build.judge(facts, profile, self.knowledge, self.checks, assumptions=assumptions, ignore=self.ignore)
        self.show(judged.report, facts)
        if status := exit_status(judged.report, self.fail_on):
            return status
        path = deferred.path_in(python.prefix)
        smoke = build.smoke_to_come(profile, python.setup)
        left = deferred.Deferred(
            envkit=facts.envkit,
            created=facts.taken_at,
            profile=profile,
            identity=deferred.identity(path.parent),
            contents=deferred.contents(python, os.environ),
            assumptions=assumptions,
            checks=judged.checks,
            smoke=smoke,
            sections=judged.sections,
            variables=list(ENVIRONMENT),
            image=deferred.pack(build.image_of(facts)),
        )
        deferred.write(path, left)
        runs = f" and {count(len(smoke), 'smoke run')}" if smoke else ""
        self.say(f"deferred: {count(len(judged.checks), 'check')}{runs}, by name in {path}\n{_AT_THE_START}\n")
        return 0

    def _assumptions(self, profile: Profile, python: Python) -> dict[str, str]:
        """Those of the command line, else those that the environment was set up with."""
        from envkit.setup.choosing.assume import EXAMPLE, parse

        if self.assume:
            return parse(self.assume, self.knowledge)
        made = python.setup
        if made and made.assumptions and made.profile == profile.name:
            return made.assumptions
        if profile.requires.accelerator == "nvidia":
            raise InputError(
                f"profile {profile.name} asks for an NVIDIA GPU, and an image is built without one",
                hint=f"say which machine it is for: {EXAMPLE}",
            )
        return {}

    def _start(self, found: Interpreter | None) -> int:
        from envkit.phases import run

        path, there = deferred.find(found.path) if found else (Path(deferred.FILE), False)
        if not there or found is None:
            return self._undeferred(found, path)
        left = deferred.read(path)
        if self.profile and self.profile not in {left.profile.name, left.profile.asked, left.profile.path}:
            raise InputError(
                f"the image was judged by profile {left.profile.name or 'none'} when it was built, not {self.profile}",
                hint="leave --profile out, or build the image with it",
            )
        image = deferred.unpack(left, path)
        python: Python | None = image["python"].facts
        if python and deferred.contents(python, os.environ) != left.contents:
            return self._changed(found, left)
        facts = self._capture(None, only=left.sections, near=path.parent)
        variables = {name: os.environ[name] for name in left.variables if name in os.environ}
        facts = run.with_image(facts, image, variables, left.assumptions)
        report = run.judge_deferred(facts, left, self.knowledge, self.checks, self.ignore)
        self.show(report, facts)
        told = run.tally(report.findings, left.checks)
        self.say(f"{count(len(left.checks), 'deferred check')} judged: {told}\n")
        self._still_deferred(left)
        return exit_status(report, self.fail_on)

    def _changed(self, found: Interpreter, left: deferred.Deferred) -> int:
        """Packages have come, gone or changed since: what was judged of them holds no more, all is judged again."""
        from envkit.phases import run

        only = [*sections.of_the_image(), *left.sections]
        facts = run.assuming(self._capture(found, only=only), left.assumptions)
        names = [check.id for check in sections.chosen(self.checks.values(), left.profile, self.ignore)]
        report = run.examine_start(facts, left.profile, self.knowledge, self.checks, names=names, ignore=self.ignore)
        self.show(report, facts)
        self.say("the environment is not as it was when the image was built: all of it was judged again\n")
        self._still_deferred(left)
        return exit_status(report, self.fail_on)

    def _undeferred(self, found: Interpreter | None, path: Path) -> int:
        """Without a file all is judged that needs no look into packages, by the profile of the environment."""
        from envkit.phases import run
        from envkit.setup.state import read

        made = read(path.parent) if found else None
        told = Python(executable=found.path, version=made.python_version, setup=made) if found and made else None
        profile = _common.profile_of(self.profile, Facts(python=ok(told)) if told else None, self.checks)
        only = [name for name in sections.of_the_start() if name not in sections.others(profile)]
        # No target: without a look into it nobody knows whether something remains to be installed there.
        facts = self._capture(None, only=only)
        report = run.judge_start(facts, profile, self.knowledge, self.checks, self.ignore)
        self.show(report, facts)
        self.say(
            "nothing was deferred when the image was built"
            f"{f' (no {path})' if found else ' (no Python found)'}: judged without a look into packages; "
            "`envkit doctor` looks into them, too\n"
        )
        return exit_status(report, self.fail_on)

    def _capture(self, found: Interpreter | None, only: Collection[str], near: Path | None = None) -> Facts:
        folder = os.path.dirname(os.path.dirname(found.path)) if found else str(near or "")
        target = folder if os.path.exists(os.path.join(folder, "pyvenv.cfg")) else ""
        return capture(
            python=found,
            target=target,
            only=only,
            all_within_seconds=self.within_seconds,
            meanwhile=partial(self._prepare, "nvidia" in only),
        )

    def _prepare(self, gpus: bool) -> None:
        """Import and read what judging needs, while something else is waited for."""
        from envkit import doctor, redact, summary  # noqa: F401

        _ = self.checks, gpus and self.knowledge.gpus

    def _still_deferred(self, left: deferred.Deferred) -> None:
        if left.smoke:
            argv = ["envkit", "smoke", *(["--python", self.python] if self.python else [])]
            argv += ["--profile", left.profile.asked or left.profile.name] if left.profile.name else []
            self.say(f"still deferred: {', '.join(left.smoke)}; to prove it here: {shlex.join(argv)}\n")
