"""Locks: what a profile means on one Python and platform, every package pinned and hashed, in a file beside it.

The text is pip's own format: `pip install -r` takes it too. It names no index, address or path: files are known by
their hashes, wherever they come from.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from envkit.errors import InputError, SetupError
from envkit.profile import Profile
from envkit.setup.resolving.platforms import PLATFORMS

FOLDER = "locks"
TITLE = "# What envkit installs, made by `envkit profiles lock`; pip install -r takes it, too."
HEADER = ("profile", "variant", "python", "platform", "digest", "made", "uv", "packages")
OPTIONS = ("--require-hashes", "--only-binary :all:")

_FIELD = re.compile(r"# (\w+): ?(.*)")
_SIZE = re.compile(r"# (\d+) bytes")
_PIN = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)==([A-Za-z0-9.!+_-]+) \\")
_HASH = re.compile(r"    --hash=sha256:([0-9a-f]{64})( \\)?")


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """One package, and the files of it that may be installed."""

    name: str
    version: str
    sha256: tuple[str, ...]
    """Of each wheel that suits the Python and platform."""
    size_bytes: int | None = None
    """Of the largest of them."""


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """One lock file."""

    profile: str
    variant: str = ""
    """Which options of the profile it has: "with-jax"."""
    python: str
    """"3.11"."""
    platform: str
    """"linux-x86_64"."""
    digest: str
    """Of what of the profile was locked."""
    made: str
    """The day: "2026-11-26"."""
    uv: str
    """Version of the uv that made it."""
    pins: tuple[Pin, ...]
    path: str = ""
    """The file it was read from."""
    sha256: str = ""
    """Of that file."""

    @property
    def packages(self) -> int:
        """How many: a file that was cut short has fewer than its head says."""
        return len(self.pins)

    @property
    def requirements(self) -> list[str]:
        return [f"{pin.name}=={pin.version}" for pin in self.pins]


def lock_path(profile: Profile, python: str, platform: str) -> Path:
    """Where the lock of a profile for a Python ("3.11") and platform stands: beside the profile's own file."""
    file = Path(profile.path)
    name = f"py{python.replace('.', '')}-{platform}.txt"
    return file.parent / FOLDER / file.stem / profile.variant / name


def find_lock(profile: Profile, python: str, platform: str) -> Lock | None:
    """The lock of a profile for a Python and platform; None where there is none.

    Raises:
        InputError: it is broken, or is the lock of another profile, Python or platform.
    """
    if not profile.path or platform not in PLATFORMS:
        return None
    path = lock_path(profile, python, platform)
    if not os.path.lexists(path):
        return None
    remake = f"Make it again: envkit profiles lock {' '.join(profile.words)}"
    lock = read(path, remake)
    there = (lock.profile, lock.variant, lock.python, lock.platform)
    wanted = (profile.name, profile.variant, python, platform)
    if there != wanted:
        raise InputError(
            f"{path}: a lock for {_described(*there)}, but {_described(*wanted)} is asked for",
            hint=remake,
        )
    return lock


def other_locks(profile: Profile) -> list[str]:
    """For which Pythons and platforms a profile is locked: ["py312-linux-x86_64"]; [] where it has no locks at all."""
    if not profile.path:
        return []
    return sorted(path.stem for path in lock_path(profile, "", "").parent.glob("py*.txt"))


def read(path: Path, remake: str = "Make it again.") -> Lock:
    """A lock file.

    Args:
        path: where it is.
        remake: what to do where it is broken.

    Raises:
        InputError: it cannot be read, or a line is not what a lock has there: says which, and what was expected.
    """
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8").replace("\r\n", "\n").split("\n")  # git may write them so
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"{path}: the lock cannot be read: {reason}", hint=remake) from error
    header: dict[str, str] = {}
    try:
        found = {pin.name: pin for pin in _pins(path, lines, header)}
    except ValueError as error:
        raise InputError(str(error), hint=remake) from None
    for key in HEADER:
        if not header.get(key) and key != "variant":
            raise InputError(f"{path}: `# {key}: ...` is missing at its head", hint=remake)
    if header.pop("packages") != str(len(found)):
        raise InputError(f"{path}: {len(found)} packages given, its head expects another number", hint=remake)
    made = hashlib.sha256(content).hexdigest()
    return Lock(**header, pins=tuple(found.values()), path=str(path), sha256=made)


def _pins(path: Path, lines: list[str], header: dict[str, str]) -> Iterator[Pin]:
    """The packages, each after its last hash; puts what the comments at the head say into `header`."""
    seen = set()
    size: int | None = None
    pin: Pin | None = None  # the one whose hashes are being read
    for number, line in enumerate(lines, 1):
        if pin:
            more = _HASH.fullmatch(line)
            if not more:
                raise _wrong(path, number, line, "`    --hash=sha256:` and 64 hexadecimal digits")
            pin = msgspec.structs.replace(pin, sha256=(*pin.sha256, more[1]))
            if not more[2]:
                yield pin
                pin = None
        elif named := _PIN.fullmatch(line):
            if named[1] in seen:
                raise _wrong(path, number, line, "each package once")
            seen.add(named[1])
            pin, size = Pin(name=named[1], version=named[2], sha256=(), size_bytes=size), None
        elif told := _SIZE.fullmatch(line):
            size = int(told[1])
        elif not _said(line, header):
            raise _wrong(path, number, line, r"`name==version \`, or a comment such as `# 1024 bytes`")
    if pin or not seen:
        raise _wrong(path, len(lines), "", "a package and its hashes")


def _said(line: str, header: dict[str, str]) -> bool:
    """Whether a line is one of the head, or empty."""
    field = _FIELD.fullmatch(line)
    if field and field[1] in HEADER:
        header[field[1]] = field[2]
        return True
    return line in {"", TITLE, *OPTIONS}


def render(lock: Lock) -> str:
    """The text of a lock file."""
    head = [TITLE, *(f"# {key}: {getattr(lock, key)}".rstrip() for key in HEADER), *OPTIONS]
    for pin in lock.pins:
        head += ["", *([f"# {pin.size_bytes} bytes"] if pin.size_bytes is not None else [])]
        hashes = (f"    --hash=sha256:{digest}" for digest in pin.sha256)
        head.append(" \\\n".join([f"{pin.name}=={pin.version}", *hashes]))
    return "\n".join([*head, ""])


def write(lock: Lock, path: Path) -> None:
    """Put a lock in its place, in one step.

    Raises:
        SetupError: it cannot be written there.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(render(lock), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SetupError(f"{path}: the lock cannot be written: {error.strerror}") from error


def _described(profile: str, variant: str, python: str, platform: str) -> str:
    return f"profile {profile}{f' {variant}' if variant else ''}, Python {python}, {platform}"


def _wrong(path: Path, number: int, line: str, expected: str) -> ValueError:
    given = f"`{line[:60]}`" if line.strip() else "nothing"
    return ValueError(f"{path}:{number}: {given} given, expected {expected}")
