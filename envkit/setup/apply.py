"""The transaction: build beside the target, judge, prove, and only then put in place.

Whatever ends it early (a failure, Ctrl-C, kill -9) leaves the old environment whole and in place.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.mending.duplicate import settle
from envkit.setup.plan import Plan, Step, building_folder
from envkit.setup.progress import Progress
from envkit.setup.room import check_room
from envkit.setup.sources.configured import Sources
from envkit.setup.state import State, renew, verdict_of, write_state
from envkit.setup.swap import drop, flush, put_in_place, start_building
from envkit.setup.target import only_one
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
    check_room(plan, sources=sources, environ=environ)
    verify = {"judge": judge, "prove": prove}
    _make_parents(target)
    with only_one(target):
        building = building_folder(target)
        state: State | None = None
        try:
            start_building(target)
            python = building / "bin/python"
            for step in plan.steps:
                with progress.phase(step.title, plan if step.kind == "run" else None):
                    if step.kind in {"run", "copy"}:
                        _run(step, plan, sources, environ, progress)
                        if not profile:  # before it is judged: what is recorded is judged, too
                            state = renew(building, verdict_of(plan), {move.name for move in plan.moves})
                    elif step.kind == "place":
                        if profile:
                            state = write_state(building, plan, profile, made_at=_now())
                        settle(building, target)
                        put_in_place(target)
                    else:  # the disk may write meanwhile: put_in_place has to wait for the rest alone
                        threading.Thread(target=flush, args=(building,), daemon=True).start()
                        if why_not := verify[step.kind](python):
                            raise SetupError(f"the new environment did not pass: {why_not}", hint=_kept(plan))
        except OSError as error:
            raise SetupError(f"{target} could not be built: {error}", hint=_kept(plan)) from error
        finally:
            drop(building)
    return state


def _run(step: Step, plan: Plan, sources: Sources, environ: Mapping[str, str], progress: Progress) -> None:
    run = partial(run_uv, step.argv, sources=sources, on_idle=progress.tick)
    installs = step.argv[1:3] == ["pip", "install"]
    # What uv has it asks for again where a server wants that: the hash of a lock says that it is right all the same.
    if installs and plan.lock_sha256 and run(environ={**environ, "UV_OFFLINE": "1"}).succeeded:
        return
    child = run(environ=environ)
    if child.succeeded:
        return
    failure = explain(child, sources, program=Path(step.argv[0]).name)
    if plan.lock:  # it may name files that are gone: the next run resolves anew
        Path(plan.lock).unlink(missing_ok=True)
    hint = failure.hint or _kept(plan)
    raise SetupError(f"{step.title} failed: {failure.message}", hint=hint, details=failure.text)


def _now() -> str:
    return dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")


def _kept(plan: Plan) -> str:
    return f"{plan.target} is as it was." if plan.replaces else "Nothing was put in place."


def _make_parents(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{target.parent} cannot be made: {error.strerror}") from error
