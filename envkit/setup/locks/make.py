"""Making locks: uv's resolution of a profile for a Python and platform, this machine's or another."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from envkit.errors import InputError, SetupError
from envkit.profile import Profile
from envkit.setup.locks.drift import difference, drift
from envkit.setup.locks.lock import Lock, find_lock, lock_path, write
from envkit.setup.resolving.compile import Question, ask
from envkit.setup.resolving.conflict import Asked
from envkit.setup.resolving.platforms import PLATFORMS, allowed_platforms, allowed_pythons, torch_backend, uv_target
from envkit.setup.resolving.resolve import pins_of
from envkit.setup.sources.configured import Sources
from envkit.setup.state import digest
from envkit.versions import satisfies


def make_lock(
    profile: Profile,
    python: str,
    platform: str,
    *,
    sources: Sources,
    environ: Mapping[str, str],
    exactly: Sequence[str] = (),
    on_idle: Callable[[int], None] | None = None,
) -> Lock:
    """Resolve a profile for a Python ("3.11") and platform ("linux-x86_64").

    Args:
        profile: what is locked.
        python: the Python.
        platform: one of PLATFORMS.
        sources: where packages come from.
        environ: the environment variables.
        exactly: the whole of what is to be locked, as pins; (): what uv finds that the profile means.
        on_idle: called with uv's pid now and then.

    Raises:
        InputError: the profile names no packages.
        SetupError: they cannot be resolved, or a source tells no hash of a file.
    """
    if not profile.packages:
        raise InputError(f"profile {profile.name} names no packages: nothing to lock")
    options, environment = uv_target(profile, python, platform)
    options = ["--python", sys.executable, *options]  # else uv looks for one of that version, and may download it
    question = Question(
        profile.name,
        exactly or profile.packages,
        [*options, "--no-deps"] if exactly else options,
        backend=torch_backend(profile, platform),
        environment=environment,
        asked=Asked(profile.packages, f"profile {profile.name}", profile.path, python),
    )
    with tempfile.TemporaryDirectory(prefix="envkit-lock-") as folder:
        found = ask(question, folder=Path(folder), sources=sources, environ=environ, on_idle=on_idle)
        pins = pins_of(found)
    if bare := [f"{pin.name} {pin.version}" for pin in pins if not pin.sha256]:
        raise SetupError(f"profile {profile.name} cannot be locked: no hash of a wheel of {', '.join(bare)} is known")
    return Lock(
        profile=profile.name,
        variant=profile.variant,
        python=python,
        platform=platform,
        digest=digest(profile),
        made=datetime.now(timezone.utc).date().isoformat(),
        uv=metadata.version("uv"),
        pins=pins,
    )


def targets(profile: Profile, pythons: Sequence[str], platforms: Sequence[str]) -> list[tuple[str, str]]:
    """The Pythons and platforms to lock a profile for: those asked for, else all that it allows.

    Raises:
        InputError: no locks are made for one of them, or the profile does not allow it.
    """
    allowed = {"Python": allowed_pythons(profile), "platform": allowed_platforms(profile)}
    for what, asked in (("Python", pythons), ("platform", platforms)):
        for word in asked:
            # Where a profile names no newest Python, only envkit's own is locked for unasked.
            fits = re.fullmatch(r"3\.\d+", word) and satisfies(word, profile.requires.python) is not False
            if word not in allowed[what] and not (what == "Python" and fits):
                known = ", ".join(allowed[what]) or f"none of {', '.join(PLATFORMS)}"
                raise InputError(f"profile {profile.name} does not allow {what} {word}, but {known}")
    return [
        (python, platform) for platform in platforms or allowed["platform"] for python in pythons or allowed["Python"]
    ]


def renew(profile: Profile, new: Lock, *, check: bool) -> tuple[str, list[str]]:
    """Put a new lock in the place of the old one, unless only a check is wanted or it says the same.

    Returns:
        What becomes of the file ("made", "changed", "unchanged"), and what is other than in the old one.
    """
    try:
        old = find_lock(profile, new.python, new.platform)
    except InputError:  # broken: that it is made anew is what mends it
        if check:
            raise
        old = None
    changes = difference(old.pins, new.pins) if old else [f"+ {pin.name} {pin.version}" for pin in new.pins]
    changes += drift(old, profile) if old and not changes else []
    if old and not changes:
        return "unchanged", []
    if not check:
        write(new, lock_path(profile, new.python, new.platform))
    return ("changed" if old else "made"), changes
