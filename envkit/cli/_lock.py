"""`envkit profiles lock`: every lock that is wanted made or checked, one line each."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from envkit.errors import EnvkitError, InputError, SetupError
from envkit.formats import Style
from envkit.profile import Profile, available, load
from envkit.profile.find import SUFFIXES, is_name
from envkit.setup.locks.lock import lock_path
from envkit.setup.locks.make import make_lock, renew, targets
from envkit.setup.progress import Progress
from envkit.setup.sources.configured import Sources, read_sources


def chosen(names: Sequence[str], add: Sequence[str], leave_out: Sequence[str]) -> list[Profile]:
    """The profiles of those names with and without options; without names, all that have those options."""
    if names:
        return [load(name, add=add, leave_out=leave_out) for name in names]
    wanted = {*add, *leave_out}
    return [
        load(found.name, add=add, leave_out=leave_out)
        for found in available()
        if wanted <= set(load(found.name).options)
    ]


def lock_all(
    profiles: Sequence[Profile],
    pythons: Sequence[str],
    platforms: Sequence[str],
    *,
    check: bool,
    style: Style,
    say: Callable[[str], None],
) -> int:
    """Make or check the locks and say what became of each; 0 when all were made, or are current.

    Raises:
        SetupError: some could not be resolved; the others are made.
    """
    sources = _sources()
    failed = stale = 0
    for profile in profiles:
        for python, platform in targets(profile, pythons, platforms):
            name = " ".join(filter(None, [profile.name, profile.variant, python, platform]))
            try:
                fate, changes = _one(profile, python, platform, sources, check=check)
            except EnvkitError as error:
                failed += 1
                say(f"{style.mark('fail')} {name}: {error.message}\n")
                continue
            stale += fate != "unchanged"
            if check:
                fate = {"made": "there is no lock", "changed": "not what would be locked now"}.get(fate, "current")
                changes = [] if fate == "there is no lock" else changes
            bad = check and fate != "current"
            say(f"{style.mark('warn' if bad else 'pass')} {name}: {fate}\n")
            say("".join(f"    {line}\n" for line in (changes if fate != "made" else [])))
    if failed:
        raise SetupError(f"{failed} could not be {'checked' if check else 'locked'}")
    return 1 if check and stale else 0


def _one(profile: Profile, python: str, platform: str, sources: Sources, *, check: bool) -> tuple[str, list[str]]:
    progress = Progress(sys.stderr)
    with progress.phase(f"Resolving profile {profile.name} for Python {python}, {platform}"):
        lock = make_lock(profile, python, platform, sources=sources, environ=os.environ, on_idle=progress.tick)
    return renew(profile, lock, check=check)


def freeze_environment(python: str, output: str, *, style: Style, say: Callable[[str], None]) -> None:
    """Write the profile and lock of an environment, and say where.

    Raises:
        InputError: there is no such environment, or it cannot be frozen.
    """
    from envkit.capture import capture
    from envkit.interpreter import find
    from envkit.setup.locks.freeze import freeze, frozen

    found = find(python or None)
    file = _output(output, os.path.dirname(os.path.dirname(found.path)) if found else "")
    profile = frozen(capture(python=found, only=("system", "python", "torch", "tensorflow")), name=file.stem)
    progress = Progress(sys.stderr)
    with progress.phase(f"Asking for {len(profile.packages)} packages"):
        lock = freeze(profile, file, sources=_sources(), environ=os.environ, on_idle=progress.tick)
    say(f"{style.mark('pass')} {file}: what is installed in {found.path if found else python}\n")
    say(f"  its lock: {lock_path(load(str(file)), lock.python, lock.platform)}\n")
    say(f"  envkit setup --profile {file}\n")


def _output(output: str, environment: str) -> Path:
    """The profile's file: as named, NAME.yaml in ./profiles, or in that folder by the name of the project."""
    path = Path(output)
    if path.suffix in SUFFIXES:
        return path
    if "/" not in output and not path.is_dir():
        if not is_name(output):
            raise InputError(f"-o {output}: expected a name, a folder, or a file ending in .yaml")
        return Path("profiles", f"{output}.yaml")
    folder = Path(environment)
    project = folder.parent.name if folder.name.startswith(".") else folder.name
    return path / f"{re.sub(r'[^A-Za-z0-9._+-]', '-', project).lstrip('.-+') or 'frozen'}.yaml"


def _sources() -> Sources:
    active = os.environ.get("VIRTUAL_ENV")
    return read_sources(os.environ, prefix=Path(active) if active else None)
