"""Which packages exactly: a profile's lock, or uv's resolution of it, as a file that installing reads."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from envkit import harness
from envkit.errors import InputError
from envkit.profile import Profile
from envkit.setup.locks.drift import difference, require_current
from envkit.setup.locks.lock import Lock, Pin, find_lock, other_locks, read
from envkit.setup.resolving.compile import (
    SECOND_TRY,
    Compiled,
    OtherFileError,
    Question,
    ask,
    cache_folder,
    foreign_build,
)
from envkit.setup.resolving.conflict import Asked
from envkit.setup.resolving.platforms import own_platform, torch_backend, uv_target
from envkit.setup.resolving.pylock import Package, Wheel, keep_wheels, read_lock, wheels
from envkit.setup.sources.configured import Sources
from envkit.setup.uv import FIND_SECONDS, find_uv, run_uv
from envkit.versions import minor, satisfies

__all__ = ["SECOND_TRY", "Package", "Resolved", "find_python", "foreign_build", "read_lock", "resolve"]


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """Every package of an environment, with its version and hashes."""

    lock: str
    """A pylock.toml (PEP 751), in envkit's own cache folder."""
    packages: list[Package]
    torch_index: str = ""
    """Segment of the PyTorch index that was asked: "cpu"; "": the configured sources had it all."""
    age_seconds: float = 0.0
    locked: str = ""
    """Path of the profile's lock that it was taken from; "" where it has none, or was resolved anew."""
    lock_sha256: str = ""
    """Of that file."""
    changes: list[str] = []
    """Where it was resolved anew in spite of a lock: what differs from that, "numpy 2.2.6 → 2.3.0"."""
    other_locks: list[str] = []
    """Where the profile is locked, but not for this Python and platform: for which ones, "py312-linux-x86_64"."""


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


def resolve(
    profile: Profile,
    *,
    python: str,
    sources: Sources,
    environ: Mapping[str, str],
    python_version: str = "",
    wheelhouse: Path | None = None,
    also: Sequence[str] = (),
    upgrade: bool = False,
    known: Sequence[str] = (),
    on_idle: Callable[[int], None] | None = None,
) -> Resolved:
    """Which packages the profile means for this interpreter: those of its lock, else those that uv finds.

    Args:
        profile: what is installed.
        python: path of the interpreter.
        sources: where packages come from.
        environ: the environment variables.
        python_version: its version; "": it is asked.
        wheelhouse: a folder that has, besides wheels, the lock that it was filled from.
        also: requirements that are not the profile's: they go with its packages, and change none that is locked.
        upgrade: pass over the lock, and over what was resolved before; say what differs from the lock.
        known: names of packages that a misspelt one may stand for.
        on_idle: called with uv's pid now and then.

    Raises:
        InputError: the profile names no packages; its lock is broken, or of another Python or platform.
        SetupError: the lock is not of the profile as it is now; no source offers the packages, or the files that were
            locked; none can be reached.
    """
    if not profile.packages:
        raise InputError(f"profile {profile.name} names no packages: nothing to install")
    platform = own_platform()
    version = python_version or version_of(python)
    there = find_lock(profile, minor(version), platform) or _filled_from(wheelhouse, profile, minor(version), platform)
    lock = None if upgrade else there
    question = Question(
        profile.name,
        [*profile.packages, *also],
        ["--python", python, *(["--only-binary", ":all:"] if also else [])],
        backend=torch_backend(profile, platform),
        asked=Asked([*profile.packages, *also], f"profile {profile.name}", profile.path, version, known),
    )
    if lock:
        require_current(lock, profile)
        if wheelhouse:
            from envkit.setup.wheelhouses.wheelhouse import check_wheelhouse  # noqa: PLC0415 - only with one

            pins = {pin.name: (pin.version, pin.sha256) for pin in lock.pins}
            check_wheelhouse(wheelhouse, pins, python_version=version, profile=profile)
        question = _locked(question, lock, profile, also)
    found = ask(question, folder=cache_folder(environ), sources=sources, environ=environ, anew=upgrade, on_idle=on_idle)
    if wheelhouse and not lock:
        from envkit.setup.wheelhouses.wheelhouse import check_wheelhouse  # noqa: PLC0415 - as above

        has = {p.name: (p.version, ()) for p in found.packages}
        check_wheelhouse(wheelhouse, has, python_version=version, profile=profile)
    return Resolved(
        lock=str(found.file),
        packages=_sized(found.packages, lock) if lock else found.packages,
        torch_index=found.backend,
        age_seconds=found.age_seconds,
        locked=lock.path if lock else "",
        lock_sha256=lock.sha256 if lock else "",
        changes=difference(there.pins, pins_of(found)) if there and upgrade else [],
        other_locks=[] if there else other_locks(profile),
    )


def pins_of(found: Compiled) -> tuple[Pin, ...]:
    """What uv found, as the pins of a lock; those of wheels without a hash have none."""
    files = wheels(found.file.read_text(encoding="utf-8"))
    return tuple(
        Pin(
            name=package.name,
            version=package.version,
            sha256=tuple(sorted(wheel.sha256 for wheel in files[package.name])),
            size_bytes=max((wheel.size_bytes for wheel in files[package.name] if wheel.size_bytes), default=None),
        )
        for package in sorted(found.packages, key=lambda package: package.name)
    )


def _filled_from(wheelhouse: Path | None, profile: Profile, python: str, platform: str) -> Lock | None:
    """The lock that a wheelhouse was filled from, for a profile that has none of its own."""
    if wheelhouse is None:
        return None
    from envkit.setup.wheelhouses.wheelhouse import wheelhouse_lock  # noqa: PLC0415 - as above

    file = wheelhouse_lock(wheelhouse, profile, python, platform)
    return read(file) if file.exists() else None


def _locked(question: Question, lock: Lock, profile: Profile, also: Sequence[str]) -> Question:
    """The question where to get the files of a lock: for the platform that was locked, so that the same ones suit.

    The hashes say what is right, so every source is asked for each package: the first that knows its name may lack the
    version.
    """
    options, environment = uv_target(profile, lock.python, lock.platform)
    options = [*question.options, *options, "--index-strategy", "unsafe-best-match", *([] if also else ["--no-deps"])]
    allowed = {pin.name: {*pin.sha256} for pin in lock.pins}

    def finish(text: str) -> str:
        def locked(name: str, wheel: Wheel) -> bool:
            return wheel.sha256 in allowed[name] if name in allowed else bool(also)

        kept = keep_wheels(text, locked)
        if lost := [name for name, files in wheels(kept).items() if not files]:
            versions = {pin.name: pin.version for pin in lock.pins}
            told = ", ".join(f"{name} {versions.get(name, '')}".rstrip() for name in lost)
            raise OtherFileError(f"the sources offer another file of {told} than was locked")
        return kept

    return question._replace(
        requirements=lock.requirements,
        options=options,
        environment=environment,
        finish=finish,
        key=lock.sha256,
        asked=question.asked._replace(requirements=lock.requirements, who="the lock", file=lock.path),
        hint="Use a source that has what was locked, or resolve anew with --upgrade.",
    )


def _sized(packages: list[Package], lock: Lock) -> list[Package]:
    """The packages with the sizes that the lock knows, where their source does not tell."""
    known = {pin.name: pin.size_bytes for pin in lock.pins}
    return [
        package
        if package.size_bytes is not None
        else msgspec.structs.replace(package, size_bytes=known.get(package.name))
        for package in packages
    ]
