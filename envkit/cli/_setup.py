"""The course of `envkit setup`: what is asked, shown and done, in its order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from envkit.cli._machine import AREAS, SECTIONS, Machine, none_chosen, objection
from envkit.cli._training import prove
from envkit.facts import Facts
from envkit.findings import Report
from envkit.formats import Style
from envkit.formats.text import render as render_report
from envkit.profile import Profile
from envkit.setup import state
from envkit.setup.apply import apply
from envkit.setup.choosing.assume import spoken
from envkit.setup.choosing.select import render as render_choice
from envkit.setup.locks.lock import find_lock
from envkit.setup.plan import Plan
from envkit.setup.progress import Progress
from envkit.setup.request import Prepared, Request, plan_of, prepare
from envkit.setup.resolving.platforms import own_platform
from envkit.setup.rollback import recover
from envkit.setup.show import render as render_plan
from envkit.setup.show import render_nothing_to_do, render_ready
from envkit.setup.sources.configured import Sources
from envkit.setup.target import check_target
from envkit.versions import minor

ENVIRONMENT = ("system", "python", "torch", "tensorflow", "jax")
ENVIRONMENT_AREAS = ("python", "frameworks", "profile")


@dataclass
class Setup:
    """One run of setup; `result` gathers what `--format json` prints."""

    wanted: Callable[[], Profile] | None
    """Reads the profile that was asked for; None: the one that suits best is chosen."""
    add: Collection[str]
    leave_out: Collection[str]
    machine: Machine
    request: Request
    doctor: bool
    smoke: bool
    environ: Mapping[str, str]
    style: Style
    say: Callable[[str], None]
    progress_to: TextIO
    result: dict[str, object] = field(default_factory=dict)

    @cached_property
    def profile(self) -> Profile:
        """The profile that is set up, with its options."""
        if self.wanted:
            return self.wanted()
        from envkit.profile import load

        choice = self.machine.choose(self.add, self.leave_out, self.request.python)
        self.result["choice"] = choice
        self.say(render_choice(choice, self.style) + "\n")
        if not choice.best:
            raise none_chosen(choice, self.machine.assume)
        return load(choice.best, add=self.add, leave_out=self.leave_out)

    @cached_property
    def progress(self) -> Progress:
        """What is told of all steps."""
        return Progress(self.progress_to)

    def plan_only(self) -> int:
        """Show what would be done."""
        target, _ = check_target(self.machine.target)
        self.smoke = self.smoke and bool(self.profile.smoke)
        made = None if self.request.upgrade else self._made(target)
        if made and not (self.doctor and self._damage(self._facts(target, made=True))):
            self.result["environment"] = made
            self.say(render_nothing_to_do(self.machine.target, self.profile.title, made, self.style))
            return 0
        _, plan = self._plan(self.machine.refusal(self.profile) if self.doctor else "")
        self.say(render_plan(plan, self.style))
        return 0

    def run(self) -> int:
        """Do it; 0 when the environment is in its place."""
        target, _ = check_target(self.machine.target)
        recover(target)
        self.smoke = self.smoke and bool(self.profile.smoke)  # a profile may name nothing to train
        made = None if self.request.upgrade else self._made(target)
        # Without an accelerator to look for, the machine is looked at while uv resolves.
        facts = self._facts(target, made=bool(made)) if self.doctor and (made or self.profile.wants_gpu) else None
        if facts and not self._judge_machine(facts):
            return 1
        if made and facts and (damage := self._damage(facts)):
            self.say(f"{self.style.mark('warn')} {self.machine.target} is to be built anew: {damage}\n\n")
        elif made:
            return self._nothing_to_install(target, made)
        looking = threading.Thread(target=self.machine.look, daemon=True)
        if self.doctor:
            looking.start()
        sources, plan = self._plan()
        self.say(render_plan(plan, self.style) + "\n")
        if self.doctor and not facts:
            looking.join()
            if not self._judge_machine(self.machine.facts):
                return 1
        apply(
            plan,
            self.profile,
            sources=sources,
            environ=self.environ,
            progress=self.progress,
            judge=lambda python: self._judge(python, plan),
            prove=self._prove,
        )
        self.result["phases"] = self.progress.phases
        self.say(render_ready(plan, self.progress.phases, proof=self._proof(plan), style=self.style))
        return 0

    def _made(self, target: Path) -> state.State | None:
        """What is recorded of the environment that is there, if it is as asked for."""
        made = state.read(target)
        lock = find_lock(self.profile, minor(made.python_version), own_platform()) if made else None
        wanted = self.request
        sha256 = lock.sha256 if lock else ""
        return state.up_to_date(target, self.profile, python=wanted.python, extras=wanted.extras, lock_sha256=sha256)

    def prepared(self) -> Prepared:
        """Every package that would be installed, and where it comes from."""
        from envkit.checks._gpus import capability_of, usable

        machine = self.machine
        gpus = usable(machine.facts.nvidia.facts) if self.request.extras else []
        return prepare(
            self.request,
            self.profile,
            environ=self.environ,
            progress=self.progress,
            knowledge=machine.knowledge,
            capabilities=list(filter(None, (capability_of(gpu, machine.knowledge) for gpu in gpus))),
        )

    def _plan(self, note: str = "") -> tuple[Sources, Plan]:
        prepared = self.prepared()
        plan = plan_of(
            prepared,
            self.profile,
            target=self.machine.target,
            assumptions=self.machine.assumptions,
            deferred=self._deferred,
            judge=self.doctor,
            prove=self.smoke,
        )
        plan = replace(plan, notes=[*filter(None, [note]), *self.machine.notes(), *plan.notes])
        self.result["plan"] = plan
        return prepared.sources, plan

    @cached_property
    def _deferred(self) -> list[str]:
        """The runs that must wait for the accelerator that is assumed: on a builder they train on its CPU instead."""
        from envkit.checks._gpus import usable

        if not self.machine.assumptions or usable(self.machine.here.nvidia.facts):
            return []
        return [f"smoke {run.framework} {run.device}" for run in self.profile.smoke if run.device != "cpu"]

    def _facts(self, target: Path, *, made: bool) -> Facts:
        """Of the machine; and of the environment that is there, beside it, so that neither waits for the other."""
        if not made:
            return self.machine.facts
        return self.machine.look_into(target / "bin/python", "the environment", only={*SECTIONS, *ENVIRONMENT})

    def _judge_machine(self, facts: Facts) -> bool:
        """Whether this machine can be what the profile wants, before a byte is downloaded."""
        report = self.machine.examine(_only(SECTIONS, facts), self.profile, AREAS)
        if report.status != "unhealthy":
            return True
        self._show(report, facts)
        self.say("Nothing was changed. `--no-doctor` installs all the same.\n")
        return False

    def _damage(self, facts: Facts) -> str:
        """What has become wrong with the packages of an environment since it was built, "" when nothing has."""
        return objection(self.machine.examine(_only(ENVIRONMENT, facts), self.profile, ENVIRONMENT_AREAS))

    def _judge(self, python: Path, plan: Plan) -> str:
        """Why the new environment is not good, "" when it is."""
        self.progress.tick()
        facts = self.machine.look_into(python, "the new environment")
        self.progress.pause()
        report = self.machine.examine(facts, self.profile)
        self._show(report, facts, instead_of=(plan.building, plan.target))
        return objection(report)

    def _show(self, report: Report, facts: Facts, instead_of: tuple[str, str] = ("", "")) -> None:
        self.result["doctor"] = report
        text = render_report(report, self.style, facts)
        text = text.replace(*instead_of) if instead_of[0] else text
        self.say((spoken(text) if self.machine.assumptions else text) + "\n")

    def _prove(self, python: Path) -> str:
        """Why training in it did not come out right, "" when it did."""
        profile = self.profile
        if self._deferred:
            profile = replace(profile, smoke=[replace(run, device="cpu") for run in profile.smoke])
        self.progress.pause()
        self.result["smoke"], why_not = prove(python, profile, self.style, self.say)
        return why_not

    def _nothing_to_install(self, target: Path, made: state.State) -> int:
        """The environment is as asked for; it is proved if it never was, and recorded as this profile's."""
        verdict = made.verdict
        if self.smoke and verdict != "proved" and not self._deferred:
            if self._prove(target / "bin" / "python"):
                return 1
            verdict = "proved"
        elif self.doctor and verdict == "installed":
            verdict = "judged"
        now = state.confirm(
            target,
            made,
            self.profile,
            verdict,
            assumptions=self.machine.assumptions,
            deferred=[] if verdict == "proved" else made.deferred,
        )
        self.result["environment"] = now
        self.say(render_nothing_to_do(self.machine.target, self.profile.title, now, self.style))
        return 0

    def _proof(self, plan: Plan) -> str:
        if plan.deferred:
            trained = ", trained on the CPU" if self.smoke else ""
            return f"{'judged as on that machine' if self.doctor else 'installed'}{trained}"
        return "judged and proved" if self.doctor and self.smoke else "judged" if self.doctor else "installed"


def _only(sections: Collection[str], facts: Facts) -> Facts:
    """Facts without the other sections: building an environment anew does not mend a machine, nor the other way."""
    kept = {name: getattr(facts, name) for name in sections}
    return replace(Facts(envkit=facts.envkit, taken_at=facts.taken_at), **kept)
