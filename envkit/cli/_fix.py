"""The course of `envkit doctor --fix`: what is mended is planned, shown and done; others are told the rest."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from envkit.capture import capture
from envkit.errors import InputError, SetupError
from envkit.facts import SECTIONS, Facts, decode, encode
from envkit.facts.software import Python
from envkit.findings import Finding, Report, said
from envkit.formats import Style
from envkit.interpreter import Interpreter
from envkit.profile import Profile
from envkit.setup.apply import apply
from envkit.setup.mending import choose, mend
from envkit.setup.mending.align import Resolver, resolve_choice
from envkit.setup.mending.choose import Choice
from envkit.setup.mending.duplicate import at_work
from envkit.setup.mending.plan import clear_up, mending_plan
from envkit.setup.plan import Plan, previous_folder
from envkit.setup.progress import Progress
from envkit.setup.show import render_mending
from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.target import check_target
from envkit.setup.uv import find_uv

ENVIRONMENT = ("python", "torch", "tensorflow", "jax")
WHO = {"user": "for you", "admin": "for an administrator", "vendor": "for the vendor of the machine"}
ON_HOST = "for an administrator of this container's host"


@dataclass
class Fix:
    """One run of --fix on what doctor has found."""

    report: Report
    facts: Facts
    profile: Profile
    examine: Callable[[Facts], Report]
    deep: bool
    style: Style
    say: Callable[[str], None]
    progress_to: TextIO
    started: float = field(default_factory=time.monotonic)

    def run(self, *, dry_run: bool) -> int:
        """Say what can be done and by whom, do what is safe; 0 when nothing is left to do."""
        if not choose.problems(self.report):
            self.say("\nnothing to fix\n")
            return 0
        python = self.facts.python.facts
        choice = choose.choose(self.report, python, self.profile)
        if not choice.mended or python is None:
            self._tell(choice)
            return 1
        with _workplace() as folder:
            try:
                target = _target(python)
                choice, sources, plan = self._plan(choice, python, target, Path(folder))
            except (SetupError, InputError) as error:
                self._tell(choose.none_of(choice, error.message))
                return 1
            if choice.mended:
                self._show(choice, target, plan)
            self._tell(choice)
            if dry_run or not choice.mended:
                return 1
            self.say("\n")
            if plan:
                self._apply(choice, plan, sources)
            else:
                clear_up(choice.changes, target)
        return self._tell_outcome(choice, target, plan)

    def _plan(self, choice: Choice, python: Python, target: Path, folder: Path) -> tuple[Choice, Sources, Plan | None]:
        """What can be mended after all, and the plan of a copy; None where leftovers are only to be cleared away."""
        sources = read_sources(os.environ, prefix=target)
        installing, running = at_work(target)
        if installing:
            raise SetupError(f"an installer is at work in it (process {installing[0]})")
        progress = Progress(self.progress_to)
        resolver = Resolver(python, folder, sources, os.environ, progress.tick)
        if choice.changes.install:
            progress.begin("Resolving what it takes")
        try:
            choice, resolved = resolve_choice(choice, python, self.profile, resolver)
        finally:
            progress.end()
        if not choice.changes.packages:
            return choice, sources, None
        plan = mending_plan(
            choice.changes,
            python,
            uv=find_uv(),
            target=target,
            resolved=resolved,
            sources=sources,
            profile=python.profile or "",
            prove=bool(self.profile.smoke and self.profile.name == python.profile),
            running=len(running),
        )
        if not plan.moves:
            raise SetupError("the packages that it asks for are those that are there")
        return choice, sources, plan

    def _show(self, choice: Choice, target: Path, plan: Plan | None) -> None:
        mended = [_line(finding) for finding in choice.mended]
        if plan:
            self.say("\n" + render_mending(plan, mended, self.style))
            return
        self.say("\n" + self.style.paint(f"Plan: clear up {target}", "bold") + "\n")
        self.say("".join(f"  {line}\n" for line in mended))
        commands = [shlex.join(command) for f in choice.mended if f.remedy for command in f.remedy.commands]
        self.say("".join(f"    $ {command}\n" for command in commands))

    def _tell(self, choice: Choice) -> None:
        """What envkit does not do, with the commands, for whoever may."""
        for finding, why in choice.left:
            remedy = finding.remedy
            who = WHO[remedy.who] if remedy else "nothing known to do"
            if remedy and remedy.who == "admin" and self.facts.container.facts:
                who = ON_HOST
            self.say(f"\n{who}: {_line(finding)}\n")
            self.say(f"  (not done by envkit: {why})\n" if why else "")
            if remedy:
                self.say(f"  → {remedy.text}\n")
                self.say("".join(f"      {shlex.join(command)}\n" for command in remedy.commands))

    def _apply(self, choice: Choice, plan: Plan, sources: Sources) -> None:
        apply(
            plan,
            None,
            sources=sources,
            environ=os.environ,
            progress=Progress(self.progress_to),
            judge=lambda python: self._judge(choice, python, plan),
            prove=self._prove,
        )

    def _look(self, path: Path) -> Facts:
        """The facts of this machine with what is in that Python now."""
        python = self.facts.python.facts
        how = (python.found_by if python else None) or "--python"
        wanted = [n for n in SECTIONS if n in ENVIRONMENT or (self.deep and n.endswith("_deep"))]
        now = capture(python=Interpreter(str(path), how), only=wanted, deep=self.deep)
        return replace(self.facts, **{name: getattr(now, name) for name in wanted})

    def _judge(self, choice: Choice, python: Path, plan: Plan) -> str:
        """Why the mended copy is not better than the environment, "" when it is."""
        facts = decode(encode(self._look(python)).replace(plan.building, plan.target), "the mended copy")
        return choose.objection(self.report, self.examine(facts), choice.mended)

    def _prove(self, python: Path) -> str:
        """Why training in it did not come out right, "" when it did."""
        from envkit.cli._training import prove

        return prove(python, self.profile, self.style, self.say)[1]

    def _tell_outcome(self, choice: Choice, target: Path, plan: Plan | None) -> int:
        """Judge what is in place now, and say what is left."""
        python = self.facts.python.facts
        left = choose.problems(self.examine(self._look(Path(python.executable)))) if python else []
        told = {finding.check for finding, _ in choice.left}
        previous = f"; as it was before: {previous_folder(target)}" if plan else ""
        seconds = time.monotonic() - self.started
        self.say(f"{self.style.mark('pass')} mended: {target}, {seconds:.0f} s{previous}\n")
        for finding in left:
            if finding.check not in told:
                self.say(f"{self.style.mark(finding.status)} still so: {_line(finding)}\n")
        if left:
            self.say(f"left to do: {len(left)}, see above\n")
        return 1 if left else 0


def _workplace() -> tempfile.TemporaryDirectory[str]:
    """A folder for the lock, as long as it is needed."""
    try:
        return tempfile.TemporaryDirectory(prefix="envkit-")
    except OSError as error:
        raise SetupError(f"no temporary folder can be made: {error}", hint="Set TMPDIR to one.") from error


def _target(python: Python) -> Path:
    """The folder of the environment; InputError or SetupError says why it is left alone."""
    if why := mend.untouchable(python):
        raise SetupError(why)
    target, replaces = check_target(Path(python.prefix))
    if not replaces:
        raise SetupError("it is no virtual environment")
    return target


def _line(finding: Finding) -> str:
    return f"{said(finding)} [{finding.check}]"
