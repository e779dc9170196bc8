"""Which interpreter an environment is built on."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from envkit import harness
from envkit.errors import InputError
from envkit.profile import Profile
from envkit.setup.sources.configured import Sources
from envkit.setup.uv import FIND_SECONDS, find_uv, run_uv
from envkit.versions import satisfies


def find_python(profile: Profile, *, wanted: str, sources: Sources, environ: Mapping[str, str]) -> tuple[str, str]:
    """Path and version of the interpreter to build on.

    Args:
        profile: its requires.python must hold.
        wanted: a path, a version ("3.12"), or "": the one envkit runs on if it fits, else one that uv finds.
        sources: where packages come from.
        environ: the environment variables.

    Raises:
        InputError: there is none, or it does not fit the profile.
    """
    needs = profile.requires.python
    own = ".".join(map(str, sys.version_info[:3]))
    if not wanted and satisfies(own, needs) is not False:
        return str(Path(sys.executable).resolve()), own
    path = wanted
    if "/" not in wanted:
        argv = [find_uv(), "python", "find", "--no-project", "--", wanted or needs]
        searched = {**environ, "PATH": _without_shims(environ.get("PATH", ""))}
        child = run_uv(argv, sources=sources, environ=searched, deadline_seconds=FIND_SECONDS)
        path = child.stdout.strip()
        if not child.succeeded:
            what = f"Python {wanted}" if wanted else f"Python {needs}, which profile {profile.name} needs,"
            raise InputError(f"{what} was not found", hint=_another(wanted, profile, sources, environ))
    version = version_of(path)
    if satisfies(version, needs) is False:
        raise InputError(f"{path} is Python {version}, but profile {profile.name} needs {needs}")
    return str(Path(path).absolute()), version


def _another(wanted: str, profile: Profile, sources: Sources, environ: Mapping[str, str]) -> str:
    """What to do where no interpreter fits: install the newest release that does, if uv knows one."""
    argv = [find_uv(), "python", "list", "--only-downloads", "--", wanted or profile.requires.python]
    child = run_uv(argv, sources=sources, environ=environ, deadline_seconds=FIND_SECONDS)
    if found := re.search(r"^cpython-(\d+\.\d+)\.\d+-", child.stdout, re.MULTILINE):
        return f"Give a path with --python, or: uv python install {found[1]}"
    if wanted:
        return "Give a path, or one of the versions of `uv python list`."
    return f"There is no such Python: change requires.python in {profile.path or profile.name}."


def _without_shims(path: str) -> str:
    """PATH with pyenv's interpreters in the place of its shims: uv gives up at a shim whose version is not active."""
    folders: list[str] = []
    for folder in path.split(os.pathsep):
        place = Path(folder)
        versions = sorted(place.parent.glob("versions/*/bin"), reverse=True) if place.name == "shims" else []
        folders += map(str, versions or [place])
    return os.pathsep.join(folders)


def version_of(python: str) -> str:
    """The version of an interpreter: "3.11.7"; InputError where it cannot be run."""
    # -E -s and not -I, which Python 2 does not know.
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    child = harness.run([python, "-E", "-s", "-c", code], deadline_seconds=FIND_SECONDS)
    version = child.stdout.strip().rpartition("\n")[2]
    if not child.succeeded or not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise InputError(f"{python} is no usable Python: {child.last_words() or child.why()}")
    return version
