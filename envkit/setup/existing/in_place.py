"""A system's Python is changed by a plan: proved beside it, then installed, and put back if anything fails."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.apply import Verify
from envkit.setup.existing import journal
from envkit.setup.existing.journal import Journal
from envkit.setup.existing.system import Scheme, trial_of
from envkit.setup.plan import Plan, Step
from envkit.setup.progress import Progress
from envkit.setup.room import check_room
from envkit.setup.sources.configured import Sources
from envkit.setup.state import STATE_FILE, State, write_state
from envkit.setup.swap import drop, start_building
from envkit.setup.target import only_one
from envkit.setup.uv import explain, run_uv
from envkit.versions import normalise


def apply_system(
    plan: Plan,
    profile: Profile,
    *,
    scheme: Scheme,
    sources: Sources,
    environ: Mapping[str, str],
    progress: Progress,
    judge: Verify,
    prove: Verify,
) -> State:
    """Run the steps of a plan that system_plan made.

    Args:
        plan: what is done.
        profile: what it was made from.
        scheme: of the system's Python.
        sources: where packages come from.
        environ: the environment variables.
        progress: told what goes on.
        judge: called with the Python of the trial, and with the system's when all is installed.
        prove: called with the Python of the trial.

    Raises:
        SetupError: a step failed; the system's Python is as it was.
    """
    root = Path(plan.target)
    verify = {"judge": judge, "prove": prove}
    check_room(plan, sources=sources, environ=environ)
    with only_one(trial_of(root)), _undone_on_failure(root):
        trial = start_building(trial_of(root))
        try:
            for number, step in enumerate(plan.steps):
                if step.kind == "run":
                    _run(step, plan, sources, environ, progress)
                    continue
                progress.begin(step.title)
                progress.end()  # judging and proving show their own progress
                if step.kind == "copy":
                    journal.begin(root, _journal(plan, scheme, trial, plan.steps[number + 1].argv))
                elif step.kind in verify and (why_not := verify[step.kind](Path(step.argv[-1]))):
                    raise SetupError(f"it did not pass: {why_not}", hint=_kept(plan))
            now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
            state = write_state(root, plan, profile, made_at=now)
            journal.finish(root)
        finally:
            drop(trial)
    return state


def recover(scheme: Scheme) -> bool:
    """Undo what a run that was killed has begun; first of all, before facts are taken. Whether there was something.

    Raises:
        SetupError: another run is at work, or something cannot be put back.
    """
    root = Path(scheme.data)
    if not journal.unfinished(root):
        return False
    with only_one(trial_of(root)):
        return journal.undo(root)


@contextlib.contextmanager
def _undone_on_failure(root: Path) -> Iterator[None]:
    """Undo what an earlier run left, and what this one does unless it comes to its end."""
    journal.undo(root)
    try:
        yield
    except OSError as error:
        raise SetupError(f"{root} could not be changed: {error}") from error
    finally:
        journal.undo(root)  # nothing is there to be undone when all went well


def _journal(plan: Plan, scheme: Scheme, trial: Path, installer: list[str]) -> Journal:
    """What setting aside and installing will touch; what is new is read off the trial, which has it already."""
    folders = [Path(folder) for folder in scheme.folders]
    going = {move.name for move in plan.moves if move.before}
    coming = {move.name for move in plan.moves if move.after}
    replaced = [file for folder in folders for info in _metadata(folder, going) for file in journal.recorded(info)]
    new = [Path(scheme.data, STATE_FILE)]
    for site in trial.glob("lib*/python*/site-packages"):
        for file in (file for info in _metadata(site, coming) for file in journal.recorded(info)):
            new += [Path(os.path.normpath(folder / os.path.relpath(file, site))) for folder in folders]
    there = {file for file in replaced if os.path.lexists(file)}
    state = Path(scheme.data, STATE_FILE)
    return Journal(
        replaced=sorted(map(str, there | ({state} if state.exists() else set()))),
        new=sorted(str(file) for file in new if file in there or not os.path.lexists(file)),
        installer=installer,
    )


def _metadata(folder: Path, names: set[str]) -> Iterator[Path]:
    return (p for p in sorted(folder.glob("*.dist-info")) if normalise(p.name.partition("-")[0]) in names)


def _run(step: Step, plan: Plan, sources: Sources, environ: Mapping[str, str], progress: Progress) -> None:
    progress.begin(step.title, plan)
    try:
        child = run_uv(step.argv, sources=sources, environ=environ, on_idle=progress.tick)
    finally:
        progress.end()
    if not child.succeeded:
        failure = explain(child, sources)
        raise SetupError(f"{step.title} failed: {failure.message}", hint=failure.hint or _kept(plan))


def _kept(plan: Plan) -> str:
    return f"{plan.target} is as it was."
