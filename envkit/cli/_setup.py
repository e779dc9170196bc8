"""The course of `envkit setup`: what is asked, shown and done, in its order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from envkit.capture import capture
from envkit.facts import Facts
from envkit.findings import Report
from envkit.formats import Style
from envkit.formats.text import render as render_report
from envkit.interpreter import Interpreter
from envkit.profile import Profile
from envkit.setup import state
from envkit.setup.apply import apply
from envkit.setup.plan import Plan, make_plan
from envkit.setup.progress import Progress
from envkit.setup.resolve import find_python, resolve
from envkit.setup.show import render as render_plan
from envkit.setup.sources import Sources, read_sources
from envkit.setup.target import check_target
from envkit.setup.uv import find_uv

MACHINE = ("system", "cpu", "memory", "disk", "container", "nvidia", "tpu", "amd", "apple")
ENVIRONMENT = ("system", "python", "torch", "tensorflow", "jax")
ENVIRONMENT_AREAS = ("python", "frameworks", "profile")
MACHINE_AREAS = ("machine", "accelerators", "container")


@dataclass
class Setup:
    """One run of setup; `result` gathers what `--format json` prints."""

    profile: Profile
    target: Path
    python: str
    doctor: bool
    smoke: bool
    environ: Mapping[str, str]
    style: Style
    say: Callable[[str], None]
    progress_to: TextIO
    result: dict[str, object] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def plan_only(self) -> int:
        """Show what would be done."""
        sources, plan = self._plan()
        del sources
        self.say(render_plan(plan, self.style))
        return 0

    def run(self) -> int:
        """Do it; 0 when the environment is in its place."""
        target, _ = check_target(self.target)
        self.smoke = self.smoke and bool(self.profile.smoke)  # a profile may name nothing to train
        made = state.up_to_date(target, self.profile, python=self.python)
        # Without an accelerator to look for, the machine is judged together with the new environment.
        if self.doctor and (made or self.profile.wants_gpu) and not self._judge_machine(target):
            return 1
        if made and self.doctor and (damage := self._damage(target)):
            self.say(f"{self.style.mark('warn')} {self.target} is to be built anew: {damage}\n\n")
        elif made:
            return self._nothing_to_install(target, made)
        sources, plan = self._plan()
        self.say(render_plan(plan, self.style) + "\n")
        if self.doctor:  # imported while uv works
            threading.Thread(target=_prepare, daemon=True).start()
        apply(
            plan,
            self.profile,
            sources=sources,
            environ=self.environ,
            progress=Progress(self.progress_to),
            judge=lambda python: self._judge(python, plan),
            prove=self._prove,
        )
        proof = "judged and proved" if self.doctor and self.smoke else "judged" if self.doctor else "installed"
        seconds = time.monotonic() - self.started
        self.say(
            f"{self.style.mark('pass')} "
            + self.style.paint(f"ready: {self.target} has profile {plan.profile}, {proof}, {seconds:.0f} s", "bold")
            + f"\n  source {self.target}/bin/activate\n"
        )
        return 0

    def _plan(self) -> tuple[Sources, Plan]:
        active = self.environ.get("VIRTUAL_ENV")
        sources = read_sources(self.environ, prefix=Path(active) if active else None)
        target, replaces = check_target(self.target)
        python, version = find_python(self.profile, wanted=self.python, sources=sources, environ=self.environ)
        progress = Progress(self.progress_to)
        progress.begin(f"Resolving profile {self.profile.name}")
        try:
            resolved = resolve(
                self.profile, python=python, sources=sources, environ=self.environ, on_idle=progress.tick
            )
        finally:
            progress.end()
        plan = make_plan(
            self.profile,
            uv=find_uv(),
            python=python,
            python_version=version,
            target=target,
            resolved=resolved,
            sources=sources,
            replaces=replaces,
            judge=self.doctor,
            prove=self.smoke,
        )
        self.result["plan"] = plan
        return sources, plan

    def _examine(self, facts: Facts, areas: Collection[str] = ()) -> Report:
        """The facts judged by the profile; imported here, for `--no-doctor` needs none of it."""
        from envkit import knowledge
        from envkit.checks import discover
        from envkit.doctor import examine

        return examine(facts, self.profile, knowledge.load(), discover(), select=areas)

    def _judge_machine(self, target: Path) -> bool:
        """Whether this machine can be what the profile wants, before a byte is downloaded."""
        facts = capture(python=None, target=str(target), only=MACHINE)
        report = self._examine(facts, MACHINE_AREAS)
        if report.status != "unhealthy":
            return True
        self.result["doctor"] = report
        self.say(render_report(report, self.style))
        self.say("\nNothing was changed. `--no-doctor` installs all the same.\n")
        return False

    def _damage(self, target: Path) -> str:
        """What has become wrong with the packages of an environment since it was built, "" when nothing has."""
        facts = capture(python=Interpreter(str(target / "bin" / "python"), "the environment"), only=ENVIRONMENT)
        report = self._examine(facts, ENVIRONMENT_AREAS)
        return _objection(report)

    def _judge(self, python: Path, plan: Plan) -> str:
        """Why the new environment is not good, "" when it is."""
        facts = capture(python=Interpreter(str(python), "the new environment"), target=plan.target)
        report = self._examine(facts)
        self.result["doctor"] = report
        self.say(render_report(report, self.style).replace(plan.building, plan.target) + "\n")
        return _objection(report)

    def _prove(self, python: Path) -> str:
        """Why training in it did not come out right, "" when it did."""
        self.result["smoke"], why_not = prove(python, self.profile, self.style, self.say)
        return why_not

    def _nothing_to_install(self, target: Path, made: state.State) -> int:
        """The environment is as asked for; it is proved if it never was, and recorded as this profile's."""
        verdict = made.verdict
        if self.smoke and verdict != "proved":
            if self._prove(target / "bin" / "python"):
                return 1
            verdict = "proved"
        elif self.doctor and verdict == "installed":
            verdict = "judged"
        now = state.confirm(target, made, self.profile, verdict)
        self.result["environment"] = now
        self.say(
            f"{self.style.mark('pass')} nothing to do: {self.target} is what profile {now.profile} asks for "
            f"({now.verdict}, made {now.made_at[:10]}); `envkit doctor` and `envkit smoke` judge it again\n"
        )
        return 0


def prove(python: Path, profile: Profile, style: Style, say: Callable[[str], None]) -> tuple[object, str]:
    """Train in a new environment and show it: the report, and why it did not come out right, "" when it did."""
    from envkit.cli._training import train
    from envkit.smoke.show import render

    report = train(Interpreter(str(python), "the new environment"), lambda _: profile)
    say(render(report, style) + "\n")
    if report.status == "healthy":
        return report, ""
    why_not = (f"{r.framework} {r.model}: {r.message}" for r in report.runs if r.status != "pass")
    return report, next(why_not, "no run")


def _objection(report: Report) -> str:
    """Why an environment does not do, "" when it does."""
    return report.headline if report.status in {"unhealthy", "unknown"} else ""


def _prepare() -> None:
    """Import what judging needs."""
    from envkit import doctor, knowledge  # noqa: F401
    from envkit.checks import discover

    discover()
