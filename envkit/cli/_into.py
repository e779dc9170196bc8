"""The course of `envkit setup --into PATH` and `--system`: a Python that exists is looked at and changed by a plan."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO

from envkit.capture import capture
from envkit.cli._machine import AREAS
from envkit.errors import InputError, SetupError
from envkit.facts import Facts, decode, encode
from envkit.findings import Finding, Report
from envkit.formats import Style
from envkit.formats.text import render as render_report
from envkit.interpreter import Interpreter
from envkit.profile import Profile
from envkit.setup.apply import apply
from envkit.setup.existing import in_place, into, journal, system
from envkit.setup.existing.system import Scheme
from envkit.setup.mending.duplicate import at_work
from envkit.setup.plan import Plan, previous_folder
from envkit.setup.progress import Progress
from envkit.setup.show import render_mending
from envkit.setup.sources.configured import Sources, read_sources

WANTED_AREAS = {"frameworks", "profile"}


@dataclass
class Into:
    """One run of setup on a Python that exists; `result` gathers what `--format json` prints."""

    profile: Profile
    path: str
    """Of the environment or its Python; with `system`, of the system's Python."""
    system: bool
    doctor: bool
    smoke: bool
    environ: Mapping[str, str]
    style: Style
    say: Callable[[str], None]
    progress_to: TextIO
    wheelhouse: str = ""
    """Folder that alone is asked; "": the configured sources."""
    offline: bool = False
    result: dict[str, object] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    before: Report | None = None

    def run(self, *, dry_run: bool) -> int:
        """Do it; 0 when the profile is in the environment, or the plan was shown."""
        self.smoke = self.smoke and bool(self.profile.smoke)  # a profile may name nothing to train
        python = self.path if self.system else str(into.interpreter_in(self.path))
        scheme = system.scheme_of(python) if self.system else None
        if scheme and journal.unfinished(Path(scheme.data)):
            if dry_run:
                raise SetupError("an earlier run was cut short", hint="Run without --dry-run: it is undone first.")
            in_place.recover(scheme)
        facts = capture(python=Interpreter(python, "--python" if self.system else "--into"))
        target = self._target(facts, scheme)
        if self.doctor and not self._fit(facts):
            return 1
        with tempfile.TemporaryDirectory(prefix="envkit-") as folder:
            wheels = Path(self.wheelhouse).expanduser() if self.wheelhouse else None
            sources = read_sources(self.environ, prefix=target, wheelhouse=wheels, offline=self.offline)
            plan = self._plan(facts, target, scheme, sources, Path(folder))
            if plan is None:
                words = f"nothing to do: {target} has what profile {self.profile.name} asks for"
                self.say(f"{self.style.mark('pass')} {words}\n")
                return 0
            self.result["plan"] = plan
            self.say(render_mending(plan, [], self.style) + "\n")
            if dry_run:
                return 0
            self._apply(plan, scheme, sources)
        seconds = time.monotonic() - self.started
        before = "" if scheme else f"; as it was before: {previous_folder(target)}"
        words = f"ready: {target} has profile {plan.profile}, {seconds:.0f} s{before}"
        self.say(f"{self.style.mark('pass')} {self.style.paint(words, 'bold')}\n")
        return 0

    def _target(self, facts: Facts, scheme: Scheme | None) -> Path:
        if facts.python.facts is None:
            raise InputError(
                f"{'--python' if self.system else '--into'} {self.path}: no usable Python: {facts.python.why}"
            )
        if scheme is None:
            return into.environment_of(facts.python.facts)
        system.check_system(facts, scheme)
        return Path(scheme.data)

    def _plan(self, facts: Facts, target: Path, scheme: Scheme | None, sources: Sources, folder: Path) -> Plan | None:
        installing, running = at_work(target)
        if installing:
            raise SetupError(f"an installer is at work in {target} (process {installing[0]})", hint="Wait for its end.")
        progress = Progress(self.progress_to)
        progress.begin(f"Resolving what profile {self.profile.name} takes")
        choose = (
            partial(system.system_plan, scheme=scheme)
            if scheme
            else partial(into.into_plan, target=target, running=len(running))
        )
        try:
            return choose(
                self.profile,
                facts,
                folder=folder,
                sources=sources,
                environ=self.environ,
                on_idle=progress.tick,
                judge=self.doctor,
                prove=self.smoke,
            )
        finally:
            progress.end()

    def _apply(self, plan: Plan, scheme: Scheme | None, sources: Sources) -> None:
        change = partial(in_place.apply_system, scheme=scheme) if scheme else apply
        change(
            plan,
            self.profile,
            sources=sources,
            environ=self.environ,
            progress=Progress(self.progress_to),
            judge=lambda python: self._judge(python, plan),
            prove=self._prove,
        )

    def _examine(self, facts: Facts, areas: tuple[str, ...] = ()) -> Report:
        from envkit import knowledge
        from envkit.checks import discover
        from envkit.doctor import examine

        return examine(facts, self.profile, knowledge.load(), discover(), select=areas)

    def _fit(self, facts: Facts) -> bool:
        """Whether this machine can be what the profile wants, before a byte is downloaded."""
        self.before = self._examine(facts)
        report = self._examine(facts, AREAS)
        if report.status != "unhealthy":
            return True
        self.result["doctor"] = report
        self.say(render_report(report, self.style, facts))
        self.say("\nNothing was changed. `--no-doctor` installs all the same.\n")
        return False

    def _judge(self, python: Path, plan: Plan) -> str:
        """Why it is not good, "" when it is: what was wrong before and is no matter of the profile's may stay so."""
        facts = capture(python=Interpreter(str(python), "the new environment"), target=plan.target)
        facts = decode(encode(facts).replace(plan.building, plan.target), "the new environment")
        report = self._examine(facts)
        self.result["doctor"] = report
        self.say(render_report(report, self.style, facts) + "\n")
        if report.status == "unknown":
            return report.headline
        old = {_key(finding) for finding in self.before.findings} if self.before else set()
        wrong = [f for f in report.findings if f.status in {"fail", "crash"} and not f.caused_by]
        return next((f.message for f in wrong if f.area in WANTED_AREAS or _key(f) not in old), "")

    def _prove(self, python: Path) -> str:
        """Why training in it did not come out right, "" when it did."""
        from envkit.cli._training import prove

        self.result["smoke"], why_not = prove(python, self.profile, self.style, self.say)
        return why_not


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.check, finding.subject, finding.message
