"""Where profiles are looked for: ./profiles, the user's configuration, envkit itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envkit.errors import InputError, closest

SUFFIXES = (".yaml", ".yml")


class Found(NamedTuple):
    """A profile's file. place: "./profiles", "user", or "built-in"."""

    name: str
    path: Path
    place: str


def find(name: str) -> Path:
    """The file of a profile.

    Args:
        name: a path (contains a slash, or ends in .yaml or .yml), or a name looked up in ./profiles, in the user's
            configuration folder, and among the built-in ones.

    Raises:
        InputError: there is no such file, or no profile of that name; says which there are.
    """
    if is_path(name):
        path = Path(name)
        if not os.path.lexists(path):
            raise InputError(f"{name}: there is no such file", hint="`envkit profiles list` shows what there is")
        return path
    for path in files_of(name):
        return path
    known = [found.name for found in available()]
    near = closest(name, known)
    raise InputError(
        f"no profile is called `{name}`"
        + (f", did you mean `{near}`?" if near else "")
        + f" (known: {', '.join(known) or 'none'})",
        hint="a path with a slash, or ending in .yaml, names a file: --profile ./mine.yaml",
    )


def files_of(name: str) -> Iterator[Path]:
    """The files of a name in all places; the first is the one that counts."""
    if is_name(name):
        yield from (path for _, folder in places() if (path := in_folder(name, folder)))


def available() -> list[Found]:
    """Every profile that a name finds, in the order of names; a file hidden by one of an earlier place is left out."""
    found: dict[str, Found] = {}
    for place, folder in places():
        for name, path in _profiles(folder):
            found.setdefault(name, Found(name, path, place))
    return sorted(found.values())


def places() -> Iterator[tuple[str, Path]]:
    """The folders that a name is looked up in, first wins."""
    built_in = _built_in()
    here = Path("profiles")
    try:
        envkits_own = here.samefile(built_in)  # in a checkout
    except OSError:
        envkits_own = False
    if not envkits_own:
        yield "./profiles", here
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification: a relative path is to be ignored. Without a home "~" stays, and is relative.
    configuration = configured if os.path.isabs(configured) else os.path.expanduser("~/.config")
    if os.path.isabs(configuration):
        yield "user", Path(configuration, "envkit", "profiles")
    yield "built-in", built_in


def is_path(name: str) -> bool:
    """Whether a profile is meant by its path, not by its name."""
    return "/" in name or os.sep in name or name.endswith(SUFFIXES)


def is_name(name: str) -> bool:
    """Whether this can be the name of a profile: no path, nothing that leads out of a folder."""
    return bool(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", name)) and ".." not in name


def in_folder(name: str, folder: Path) -> Path | None:
    """The file of a name in one folder."""
    return next((path for suffix in SUFFIXES if os.path.isfile(path := folder / f"{name}{suffix}")), None)


def _profiles(folder: Path) -> Iterator[tuple[str, Path]]:
    try:
        files = sorted(folder.iterdir())
    except OSError:  # not there, or not ours to read
        return
    for path in files:
        if path.suffix in SUFFIXES and is_name(path.stem) and os.path.isfile(path):
            yield path.stem, path


def _built_in() -> Path:
    """Beside the modules in an installed wheel, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "profiles"
    return installed if installed.is_dir() else package.parent / "profiles"
