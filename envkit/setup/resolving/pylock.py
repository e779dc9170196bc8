"""A pylock.toml (PEP 751) as uv writes it: its packages and files, read and thinned out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

_WHEEL = re.compile(
    r'\{ (?:name = "[^"]*", )?(?:url|path) = "([^"]+)"[^{}]*hashes = \{ sha256 = "([0-9a-f]{64})" \} \}'
)
_WHEELS = re.compile(r"^wheels = \[.*?\]$", re.MULTILINE | re.DOTALL)
_SIZE = re.compile(r"\bsize = (\d+)")


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One package of a lock."""

    name: str
    version: str
    size_bytes: int | None = None
    source: str = ""
    """Host or folder that it comes from."""
    remote: bool = False


class Wheel(NamedTuple):
    """One file of a package."""

    text: str
    """As it stands in the lock."""
    sha256: str
    size_bytes: int | None


def read_lock(text: str) -> list[Package]:
    """The packages of a pylock.toml as uv writes it: one key a line (Python 3.10 has no TOML reader)."""
    packages = []
    for name, version, block in _blocks(text):
        files = block[block.find("\nwheels = ") :] if "\nwheels = " in block else block
        url = re.search(r'(?:url|path) = "([^"]+)"', files)
        size = _SIZE.search(files)
        place = urlsplit(url[1]) if url else urlsplit("")
        remote = place.scheme in {"http", "https"}
        path = Path(unquote(place.path))
        packages.append(
            Package(
                name=name,
                version=version,
                size_bytes=int(size[1]) if size else _file_size(path) if not remote else None,
                source=place.netloc.rpartition("@")[2] if remote else str(path.parent),
                remote=remote,
            )
        )
    return packages


def wheels(text: str) -> dict[str, list[Wheel]]:
    """The hashed wheels of each package, by its name."""
    return {name: list(_wheels(block)) for name, _, block in _blocks(text)}


def keep_wheels(text: str, wanted: Callable[[str, Wheel], bool]) -> str:
    """The pylock.toml with those wheels alone that are wanted, by name of the package and wheel."""
    head, *blocks = text.split("[[packages]]")
    kept = [head]
    for block in blocks:
        name, _ = _identity(block)
        rows = "".join(f"    {wheel.text},\n" for wheel in _wheels(block) if wanted(name, wheel))
        kept.append(_WHEELS.sub(lambda _, rows=rows: f"wheels = [\n{rows}]", block))  # type: ignore[misc]
    return "[[packages]]".join(kept)


def _blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """(name, version, text) of each package."""
    for block in text.split("[[packages]]")[1:]:
        name, version = _identity(block)
        if name:
            yield name, version, block


def _identity(block: str) -> tuple[str, str]:
    name, version = (re.search(rf'^{key} = "([^"]+)"', block, re.MULTILINE) for key in ("name", "version"))
    return name[1] if name else "", version[1] if version else ""


def _wheels(block: str) -> Iterator[Wheel]:
    for found in _WHEEL.finditer(block):
        size = _SIZE.search(found[0])
        place = urlsplit(found[1])
        local = Path(unquote(place.path)) if place.scheme not in {"http", "https"} else None
        yield Wheel(found[0], found[2], int(size[1]) if size else _file_size(local) if local else None)


def _file_size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
