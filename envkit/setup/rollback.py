"""Going back to the environment that the last setup replaced, and forward again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from envkit import harness
from envkit.errors import InputError
from envkit.setup import state
from envkit.setup.plan import building_folder, previous_folder
from envkit.setup.state import State
from envkit.setup.swap import change_places, clear_leftovers, is_environment
from envkit.setup.target import lock_file, only_one

START_SECONDS = 30.0
ROLLBACK_SCHEMA = "envkit.rollback/1"


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed places."""

    schema: str = ROLLBACK_SCHEMA
    target: str
    previous: str
    """Where the environment is kept that was the target's until now; "" where there was none."""
    now: State | None
    """What envkit remembers of the one that is in place now; None where it did not build it."""
    before: State | None
    """The same of the one that was in place until now."""


def rollback(target: Path) -> Rollback:
    """Let the previous environment and the target's change places, in one step; done twice, all is as it was.

    Args:
        target: the path that check_target gives.

    Raises:
        InputError: there is no previous environment, or it is one that cannot run any more.
        SetupError: another setup works on the target.
    """
    previous = previous_folder(target)
    if not previous.exists() and not building_folder(target).exists():
        raise InputError(
            f"{target} has no previous environment to go back to: {previous} does not exist",
            hint="`envkit setup` keeps the environment that it replaces.",
        )
    with only_one(target):
        clear_leftovers(target)
        if why := _unusable(previous):
            raise InputError(f"{previous} {why}: {target} is left as it is")
        before = state.read(target)
        there = is_environment(target)
        change_places(target)
    return Rollback(target=str(target), previous=str(previous) if there else "", now=state.read(target), before=before)


def recover(target: Path) -> None:
    """Bring to its end what a killed run began; first of all in a run that changes things, for it may be all there is.

    Raises:
        SetupError: another setup works on the target, or what lies beside it is not envkit's.
    """
    if lock_file(target).exists():  # of one that is at work, or that died at it
        with only_one(target):
            clear_leftovers(target)


def describe(made: State | None) -> str:
    """An environment in a few words: "profile cuda12, proved, made 2026-11-20"."""
    if made is None:
        return "not built by envkit"
    return f"profile {made.profile}, {made.verdict}, made {made.made_at[:10]}"


def _unusable(previous: Path) -> str:
    """Why an environment cannot take the target's place, "" when it can."""
    if not is_environment(previous):
        return "is no environment"
    child = harness.run([str(previous / "bin/python"), "-I", "-c", ""], deadline_seconds=START_SECONDS)
    return "" if child.succeeded else f"cannot run: {child.last_words() or child.why()}"
