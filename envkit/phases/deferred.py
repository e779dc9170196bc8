"""The file in which a build leaves what must wait for the machine: beside envkit.json in the environment."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from envkit.errors import EnvkitError, InputError
from envkit.facts import Facts, Section
from envkit.facts.software import Python
from envkit.phases.sections import of_the_image
from envkit.profile import Profile
from envkit.setup.state import STATE_FILE
from envkit.setup.state import read as read_state
from envkit.target.deep import CUDA_LIBRARIES
from envkit.target.python import SHADOWABLE

SCHEMA = "envkit.deferred/1"
FILE = "envkit-deferred.json"
AGAIN = "write it where the image is built, after the last change of the environment: envkit doctor --phase build"
LARGEST_BYTES = 64 << 20
# What bends an interpreter: under another value of one of these it may find other packages.
STEERING = ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "LD_LIBRARY_PATH", "LD_PRELOAD")


class Deferred(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be judged where an image was built."""

    schema: str = SCHEMA
    """Name and version of this format; other versions are refused."""
    envkit: str
    """Version of the envkit that wrote it."""
    created: str
    """When, in UTC: "2026-11-26T08:14:24+00:00"."""
    profile: Profile
    """What the image was judged by, with its options and whatever it extends: its file need not be in the image."""
    identity: str
    """Tells one environment from another: a hash of when and from what it was made."""
    contents: str
    """Changes with the packages that lie in the environment: a hash of the names of their files."""
    assumptions: dict[str, str] = {}
    """What was assumed of the machine: {"driver": "570", "cc": "9.0"}."""
    checks: list[str]
    """Ids of the checks that wait for the machine."""
    smoke: list[str] = []
    """Training that waits for it: "smoke torch cuda"."""
    sections: list[str]
    """The sections of the facts that those checks need of the machine."""
    variables: list[str]
    """Names of the environment variables that each start sets anew."""
    image: dict[str, msgspec.Raw]
    """The sections of the image, which are not observed again, without the builder's variables; see `unpack`."""


def pack(sections: Mapping[str, Section[Any]]) -> dict[str, msgspec.Raw]:
    """Sections as they are kept in the file."""
    return {name: msgspec.Raw(msgspec.json.encode(section)) for name, section in sections.items()}


def unpack(deferred: Deferred, path: Path) -> dict[str, Section[Any]]:
    """The sections of the image; only their types are worked out, which for all of the facts would take a while.

    Raises:
        InputError: the file (path) is damaged, or has other sections than this envkit takes for the image's.
    """
    if differing := sorted(deferred.image.keys() ^ set(of_the_image())):
        raise InputError(
            f"{path} was written by envkit {deferred.envkit}, for which other facts were the image's: "
            f"{', '.join(differing)}",
            hint=AGAIN,
        )
    types = {field.name: field.type for field in msgspec.structs.fields(Facts)}
    try:
        image = {name: msgspec.json.decode(raw, type=types[name]) for name, raw in deferred.image.items()}
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is damaged: {error}", hint=AGAIN) from error
    if image["python"].facts is None:
        raise InputError(f"{path} is damaged: it does not say which Python was judged", hint=AGAIN)
    return image


def path_in(prefix: str) -> Path:
    """Where the file of an environment is: beside what setup remembers, which --system leaves in /usr/local on Debian.

    Args:
        prefix: the environment's folder (sys.prefix).
    """
    return next((folder / FILE for folder in _folders(prefix) if (folder / STATE_FILE).exists()), Path(prefix, FILE))


def find(python: str) -> tuple[Path, bool]:
    """The file of the environment that an interpreter belongs to, by its path alone, and whether it is there."""
    folder = os.path.dirname(os.path.dirname(python))
    prefixes = [folder]
    if not os.path.exists(os.path.join(folder, "pyvenv.cfg")):  # python3 on PATH may be a link to its prefix
        prefixes.append(os.path.dirname(os.path.dirname(os.path.realpath(python))))
    there = (place / FILE for prefix in prefixes for place in _folders(prefix))
    found = next(filter(os.path.lexists, there), None)
    return (found, True) if found else (path_in(folder), False)


def _folders(prefix: str) -> tuple[Path, Path]:
    return Path(prefix), Path(prefix, "local")


def identity(folder: Path) -> str:
    """What tells an environment from others; it survives packages that change in it."""
    state = read_state(folder)
    made: object = [state.made_at, state.digest, state.lock_sha256, state.python_version] if state else ""
    if not state:
        try:
            made = (folder / "pyvenv.cfg").read_text("utf-8", "replace")
        except OSError:
            made = ""
    return hashlib.sha256(msgspec.json.encode(made)).hexdigest()


def contents(python: Python, environ: Mapping[str, str]) -> str:
    """What changes when packages come, go or change their version, or lose a folder: milliseconds, no file is read."""
    hashed = hashlib.sha256()
    here = [os.path.realpath(python.executable), str(os.access(python.executable, os.X_OK))]
    told = [f"{name}={environ.get(name, '')}" for name in STEERING]
    packages = (name for folder in python.site_packages for name in _names(folder))
    for line in (*here, *told, *packages, *_before_the_packages(python, environ)):
        hashed.update(line.encode("utf-8", "surrogateescape") + b"\0")
    return hashed.hexdigest()


def _before_the_packages(python: Python, environ: Mapping[str, str]) -> Iterator[str]:
    """What a mount may put before the image's packages: in ~/.local, on PYTHONPATH, where work is done, CUDA's own."""
    if python.user_site_enabled:
        base = environ.get("PYTHONUSERBASE") or os.path.expanduser("~/.local")
        folder = f"{base}/lib/python{'.'.join(python.version.split('.')[:2])}/site-packages"
        yield from _names(folder) if os.path.isdir(folder) else ()
    paths = [folder for folder in environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    for place in (f"{folder}/{name}" for folder in (".", *paths) for name in SHADOWABLE):
        if os.path.exists(f"{place}.py") or os.path.exists(f"{place}/__init__.py"):
            yield place
    yield from (name for folder in paths for name in _listed(folder) if name.endswith(".dist-info"))
    libraries = filter(os.path.isabs, environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))
    yield from (name for folder in libraries for name in _listed(folder) if name.startswith(CUDA_LIBRARIES))


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _names(folder: str, depth: int = 2) -> Iterator[str]:
    """The paths below a folder, two levels deep, but for bytecode, which comes with the first import."""
    yield folder
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name == "__pycache__":
            continue
        if depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from _names(entry.path, depth - 1)
        else:
            yield entry.name


def write(path: Path, deferred: Deferred) -> None:
    """Put the file in its place in one step: a kill leaves the old one, or none.

    Raises:
        EnvkitError: it cannot be written there.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(deferred), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise EnvkitError(
            f"{path} cannot be written: {error.strerror}", hint="build as the user that the environment belongs to"
        ) from error


def read(path: Path) -> Deferred:
    """What a build deferred.

    Raises:
        InputError: the file cannot be read, is damaged, or is of another environment.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path} is no file", hint=AGAIN)
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise InputError(f"{path} is damaged: larger than {LARGEST_BYTES >> 20} MiB", hint=AGAIN)
        schema = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("schema", msgspec.Raw(b"null"))
        if (told := msgspec.json.decode(schema)) != SCHEMA:
            raise InputError(f"{path}: schema is {told!r}, expected {SCHEMA!r}", hint=AGAIN)
        found = msgspec.json.decode(content, type=Deferred)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}", hint=AGAIN) from error
    if found.identity != identity(path.parent):
        raise InputError(
            f"{path} is of another environment (written on {found.created[:10]} for profile "
            f"{found.profile.name or 'none'})",
            hint=AGAIN,
        )
    return found
