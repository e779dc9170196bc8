"""What envkit remembers of an environment that it built, in the environment itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from envkit.facts.software import SetUp

if TYPE_CHECKING:
    from envkit.profile import Profile
    from envkit.setup.plan import Plan

Verdict = Literal["installed", "judged", "proved"]
STATE_SCHEMA = "envkit.environment/1"
STATE_FILE = "envkit.json"


class State(SetUp, frozen=True, kw_only=True):
    """An environment as it was when it was put in place; doctor reads the part that is facts."""

    schema: str = STATE_SCHEMA
    verdict: Verdict
    digest: str
    """Of the profile's packages, torch_backend and requires.python."""
    python: str
    """The interpreter that it was built on."""
    python_version: str


def digest(profile: Profile) -> str:
    """Changes with whatever the profile has to say about what is installed."""
    parts = [sorted(profile.packages), profile.torch_backend, profile.requires.python]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def write_state(environment: Path, plan: Plan, profile: Profile, *, made_at: str) -> State:
    """Record what is installed in the environment, and how far the plan's steps have shown it to be good."""
    planned = {package.name for package in plan.packages}
    state = State(
        profile=profile.name,
        profile_path=_path(profile),
        added=profile.added,
        left_out=profile.left_out,
        extras=sorted(plan.extras),
        lock_sha256=plan.lock_sha256,
        assumptions=plan.assumptions,
        deferred=plan.deferred,
        digest=digest(profile),
        packages={name: version for name, version in installed(environment) if name in planned},
        python=plan.python,
        python_version=plan.python_version,
        made_at=made_at,
        verdict=verdict_of(plan),
    )
    _write(environment, state)
    return state


def verdict_of(plan: Plan) -> Verdict:
    """How far the steps of a plan show an environment to be good."""
    kinds = {step.kind for step in plan.steps}
    return "proved" if "prove" in kinds and not plan.deferred else "judged" if "judge" in kinds else "installed"


def confirm(
    environment: Path,
    state: State,
    profile: Profile,
    verdict: Verdict,
    *,
    assumptions: Mapping[str, str],
    deferred: list[str],
) -> State:
    """Record that the environment is this profile's too, and how far it has been shown to be good since, and where."""
    now = msgspec.structs.replace(
        state,
        profile=profile.name,
        profile_path=_path(profile),
        added=profile.added,
        left_out=profile.left_out,
        assumptions=dict(assumptions),
        deferred=deferred,
        verdict=verdict,
    )
    if now != state:
        _write(environment, now)
    return now


def renew(environment: Path, verdict: Verdict, changed: Collection[str]) -> State | None:
    """Bring what is recorded up to what is installed by now; None where envkit did not build the environment.

    Args:
        environment: its folder.
        verdict: how far it has been shown to be good.
        changed: the packages that envkit has changed itself; what else differs stays told as changed by hand.
    """
    state = read(environment)
    if state is None:
        return None
    there = dict(installed(environment))
    packages = {name: version for name, version in state.packages.items() if name not in changed}
    packages |= {name: there[name] for name in changed if name in there}
    state = msgspec.structs.replace(state, packages=packages, verdict=verdict)
    _write(environment, state)
    return state


def _path(profile: Profile) -> str:
    return str(Path(profile.path).resolve()) if profile.path else ""


def _write(environment: Path, state: State) -> None:
    (environment / STATE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(state)) + b"\n")


def read(environment: str | Path) -> State | None:
    """What is recorded of an environment; None when envkit did not build it."""
    try:
        state = msgspec.json.decode((Path(environment) / STATE_FILE).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None
    return state if state.schema == STATE_SCHEMA else None


def up_to_date(
    target: Path, profile: Profile, *, python: str = "", extras: Collection[str] = (), lock_sha256: str = ""
) -> State | None:
    """What is recorded of the environment, if it is still what the profile asks for.

    Packages that were added by hand do not matter; one that is gone, or has another version, does.

    Args:
        target: the environment.
        profile: what is asked for.
        python: path or version ("3.12") of the interpreter asked for; "" for any that fits.
        extras: names of the extensions asked for.
        lock_sha256: of the profile's lock as it is now; "" where it has none.
    """
    state = read(target)
    if state is None or state.digest != digest(profile) or not _built_on(state, python):
        return None
    if sorted(extras) != state.extras or lock_sha256 != state.lock_sha256:
        return None
    there = set(installed(target))
    names = [name for name, _ in there]
    whole = all(names.count(name) == 1 and (name, version) in there for name, version in state.packages.items())
    return state if whole and (target / "bin/python").exists() else None


def installed(environment: Path) -> Iterator[tuple[str, str]]:
    """(name, version) of each package, by the folders' names alone: no child, no metadata read."""
    for folder in environment.glob("lib/python*/*-packages/*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        yield re.sub(r"[-_.]+", "-", name).lower(), version


def _built_on(state: State, python: str) -> bool:
    if "/" in python:
        return Path(python).resolve() == Path(state.python).resolve()
    return not python or f"{state.python_version}.".startswith(f"{python}.")
