"""The transaction: build beside the target, judge, prove, and only then put in place.

Whatever ends it early (a failure, Ctrl-C, kill -9) leaves the old environment whole and in place.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.duplicate import let_move
from envkit.setup.plan import Plan, Step
from envkit.setup.progress import Progress
from envkit.setup.sources import Sources
from envkit.setup.state import State, renew, verdict_of, write_state
from envkit.setup.swap import drop, put_in_place, start_building
from envkit.setup.target import check_room, only_one
from envkit.setup.uv import explain, run_uv

Verify = Callable[[Path], str]
"""Given the new environment's python: why it is not good, "" when it is."""


def apply(
    plan: Plan,
    profile: Profile | None,
    *,
    sources: Sources,
    environ: Mapping[str, str],
    progress: Progress,
    judge: Verify,
    prove: Verify,
) -> State | None:
    """Run the plan's steps.

    Args:
        plan: made by make_plan or mending_plan, for a target that check_target let pass.
        profile: what the plan was made from; None where it mends what is there.
        sources: where packages come from.
        environ: the environment variables.
        progress: told what goes on.
        judge: called for the plan's judge step.
        prove: called for the plan's prove step.

    Raises:
        SetupError: a step failed; nothing was put in place.
    """
    target = Path(plan.target)
    check_room(target, disk_bytes=plan.disk_bytes, packages=len(plan.packages))
    verify = {"judge": judge, "prove": prove}
    _make_parents(target)
    with only_one(target):
        building = start_building(target)
        try:
            python = building / "bin/python"
            for step in plan.steps:
                if step.kind in {"run", "copy"}:
                    _run(step, plan, sources, environ, progress)
                    if step.kind == "copy":
                        let_move(building)
                elif step.kind != "place":
                    progress.begin(step.title)
                    progress.end()  # judging and proving show their own progress
                    why_not = verify[step.kind](python)
                    if why_not:
                        raise SetupError(f"the new environment did not pass: {why_not}", hint=_kept(plan))
            now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
            if profile:
                state: State | None = write_state(building, plan, profile, made_at=now)
            else:
                state = renew(building, verdict_of(plan))
                shutil.copy2(target / "pyvenv.cfg", building)
            put_in_place(target)
        except OSError as error:
            raise SetupError(f"{target} could not be built: {error}", hint=_kept(plan)) from error
        finally:
            drop(building)
    return state


def _run(step: Step, plan: Plan, sources: Sources, environ: Mapping[str, str], progress: Progress) -> None:
    progress.begin(step.title, plan if step.kind == "run" else None)
    try:
        child = run_uv(step.argv, sources=sources, environ=environ, on_idle=progress.tick)
    finally:
        progress.end()
    if child.succeeded:
        return
    failure = explain(child, sources, program=Path(step.argv[0]).name)
    if plan.lock:  # it may name files that are gone: the next run resolves anew
        Path(plan.lock).unlink(missing_ok=True)
    raise SetupError(f"{step.title} failed: {failure.message}", hint=failure.hint or _kept(plan))


def _kept(plan: Plan) -> str:
    return f"{plan.target} is as it was." if plan.replaces else "Nothing was put in place."


def _make_parents(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{target.parent} cannot be made: {error.strerror}") from error
