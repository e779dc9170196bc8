"""Installed distributions, read from their .dist-info and .egg-info (importlib.metadata alone costs more to import)."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


def normalise(name: str) -> str:
    """A distribution's name as PEP 503 writes it: "nvidia-cudnn-cu12"."""
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def listing() -> Iterator[tuple[str, str, str]]:
    """(normalised name, folder on sys.path, metadata folder or file in it), in the order of sys.path."""
    for location in dict.fromkeys(sys.path):
        names = _names(location)
        wheels = {normalise(name.partition("-")[0]) for name in names if name.endswith(".dist-info")}
        for name in names:
            stem, suffix = os.path.splitext(name)
            project = normalise(stem.partition("-")[0])
            if name.startswith("~"):  # pip renames what it is about to remove to "~orch-2.0.dist-info"
                continue
            # Debian has packages with both: one distribution all the same.
            if suffix == ".dist-info" or (suffix == ".egg-info" and project not in wheels):
                yield project, location, name


def leftovers() -> list[str]:
    """What pip, when it was interrupted, left renamed: "torch" is "~orch" until it is deleted."""
    return [
        os.path.join(location, name)
        for location in dict.fromkeys(sys.path)
        if os.path.basename(location) in {"site-packages", "dist-packages"}
        for name in _names(location)
        if name.startswith("~")
    ]


def find(*names: str) -> dict[str, Any] | None:
    """The first of these distributions that is installed, as `read` tells it; the first on sys.path counts."""
    installed: dict[str, tuple[str, str]] = {}
    for name, location, metadata in listing():
        installed.setdefault(name, (location, metadata))
    for name in names:
        if name in installed:
            package = read(*installed[name])
            package["version"] = package["version"] or _version(installed[name][1])
            return package
    return None


def starting_with(*prefixes: str) -> dict[str, str]:
    """Name to version of the installed distributions whose names start so; versions as the folders' names say."""
    return {name: _version(metadata) for name, _, metadata in reversed(list(listing())) if name.startswith(prefixes)}


def read(location: str, metadata: str) -> dict[str, Any]:
    """The facts of one distribution (`Package` of envkit's facts)."""
    folder = f"{location}/{metadata}"
    headers = _headers(f"{folder}/METADATA") or _headers(f"{folder}/PKG-INFO") or _headers(folder)
    wheel = _headers(f"{folder}/WHEEL")
    direct = text(f"{folder}/direct_url.json")
    return {
        "name": normalise(_one(headers, "name") or metadata.partition("-")[0]),
        "version": _one(headers, "version"),
        "location": location,
        "installer": (text(f"{folder}/INSTALLER") or "").strip() or None,
        "requires": headers.get("requires-dist", []),
        "requires_python": _one(headers, "requires-python"),
        "tags": wheel.get("tag", []),
        "metadata": metadata,
        "direct": direct is not None,
        "editable": '"editable":true' in (direct or "").replace(" ", ""),
        "record": os.path.isfile(f"{folder}/RECORD") if metadata.endswith(".dist-info") else None,
    }


def pins(requires: Sequence[str]) -> dict[str, str]:
    """Name to version of the requirements pinned by ==; environment markers are not looked at."""
    found = {}
    for requirement in requires:
        name, equals, version = requirement.partition(";")[0].partition("==")
        if equals:
            found[normalise(name.partition("[")[0].strip(" ("))] = version.strip(" )")
    return found


def text(path: str) -> str | None:
    """A file's text, or None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:  # a zip, or gone
        return []


def _version(metadata: str) -> str:
    parts = os.path.splitext(metadata)[0].split("-")
    return parts[1] if len(parts) > 1 else ""


def _one(headers: dict[str, list[str]], name: str) -> str | None:
    return headers[name][0] if name in headers else None


def _headers(path: str) -> dict[str, list[str]]:
    """Header lines of a file up to its first empty line, by lower-case name; {} where it cannot be read."""
    headers: dict[str, list[str]] = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line == "\n":
                    break
                name, colon, value = line.partition(":")
                if colon and not line[0].isspace():  # a folded line belongs to the one before: none that we need
                    headers.setdefault(name.lower(), []).append(value.strip())
    except OSError:
        return {}
    return headers
