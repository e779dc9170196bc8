"""A folder of wheels that takes the place of every index: is all of it there, and whole, before anything is built."""

from __future__ import annotations

import hashlib
import shlex
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envkit.errors import InputError
from envkit.profile import Profile

MOST_NAMED = 8
Wanted: TypeAlias = Mapping[str, tuple[str, Collection[str]]]
"""Package name → version and the SHA-256 of each file that will do; none known: any whole file will do."""


class _File(NamedTuple):
    path: Path
    name: str
    version: Version
    tags: frozenset[Tag]


def check_wheelhouse(folder: Path, packages: Wanted, *, python_version: str, profile: Profile) -> None:
    """Refuse a wheelhouse that lacks wheels, or has broken ones.

    Args:
        folder: the wheelhouse.
        packages: what is to be installed.
        python_version: of the interpreter that it is for, on this machine: "3.12.5".
        profile: what is to be installed, for the command that mends the wheelhouse.

    Raises:
        InputError: names what is missing, what is corrupt, and what is for another Python or platform.
    """
    here = set(supported_tags(python_version))
    files = list(_files(folder))
    missing, corrupt, foreign = [], [], []
    for name, (version, hashes) in sorted(packages.items()):
        there = [file for file in files if (file.name, file.version) == (canonicalize_name(name), Version(version))]
        fitting = [file for file in there if file.tags & here]
        faults = [fault(file.path, hashes) for file in fitting]
        if not there:
            missing.append(f"{name}=={version}")
        elif not fitting:
            foreign += [file.path.name for file in there]
        elif all(faults):
            corrupt += [f"{file.path.name} ({why})" for file, why in zip(fitting, faults, strict=True)]
    told = [
        _told("missing", missing),
        _told("corrupt", corrupt),
        _told(f"for another Python or platform than Python {python_version} here", foreign),
    ]
    if any(told):
        again = shlex.join(["envkit", "setup", "--profile", *profile.words, "--download", str(folder)])
        raise InputError(
            f"the wheelhouse {folder} will not do: {'; '.join(filter(None, told))}",
            hint=f"Where there is a network, `{again}` fetches what is missing or corrupt.",
        )


def wheelhouse_lock(folder: Path, profile: Profile, python: str, platform: str) -> Path:
    """Where a wheelhouse keeps what it was filled from: one lock for each profile, Python ("3.12") and platform."""
    words = [profile.name, profile.variant, f"py{python.replace('.', '')}", platform]
    return folder / f"envkit-lock-{'-'.join(filter(None, words))}.txt"


def supported_tags(python_version: str) -> list[Tag]:
    """The tags of wheels that a CPython of this version takes on this machine, best first."""
    major, minor = map(int, python_version.split(".")[:2])
    return [*cpython_tags((major, minor)), *compatible_tags((major, minor), f"cp{major}{minor}")]


def fault(wheel: Path, hashes: Collection[str]) -> str:
    """Why a wheel is not the one that is wanted, "" where it is."""
    try:
        if hashes:
            return "" if sha256_of(wheel) in hashes else "its SHA-256 is not the lock's"
        with zipfile.ZipFile(wheel) as archive:
            archive.namelist()
    except zipfile.BadZipFile:
        return "no complete zip file"
    except OSError as error:
        return error.strerror or "cannot be read"
    return ""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[_File]:
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except (InvalidWheelFilename, InvalidVersion):
            continue  # uv passes over it too
        yield _File(path, name, version, tags)


def _told(what: str, names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{what}: {', '.join(names[:MOST_NAMED])}{more}" if names else ""
