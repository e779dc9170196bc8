"""Which packages exactly: a profile's lock, or uv's resolution of it, as a file that installing reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from envkit.errors import InputError
from envkit.profile import Profile
from envkit.setup.locks.drift import difference, require_current
from envkit.setup.locks.lock import Lock, Pin, find_lock, other_locks, read
from envkit.setup.resolving.compile import (
    Compiled,
    OtherFileError,
    Question,
    ask,
    cache_folder,
)
from envkit.setup.resolving.conflict import Asked
from envkit.setup.resolving.platforms import own_platform, torch_backend, uv_target
from envkit.setup.resolving.pylock import Package, Wheel, keep_wheels, wheels
from envkit.setup.resolving.python import version_of
from envkit.setup.sources.configured import Sources
from envkit.versions import minor


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
