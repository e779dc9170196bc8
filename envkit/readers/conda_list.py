"""conda list (mamba's and micromamba's too), as a table, as JSON and as --export."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from envkit.facts import Facts
from envkit.facts.software import Package
from envkit.readers import _installed
from envkit.readers._fields import documents
from envkit.readers._lines import first, lines

NAME = "conda list"

_PREFIX = re.compile(r"^[ \t]*(?:#[ \t]+packages|List of packages) in environment(?: at|:)([^\n]*)$", re.MULTILINE)
_MOST_PACKAGES = 5000
_LINE = 400
_HEADER = re.compile(r"[ \t]*#?[ \t]*Name[ \t]+Version[ \t]+Build\b")
_COMMAND = re.compile(r"(?:^|[\s;&!($%#:])(?:conda|mamba|micromamba)[ \t]+list\b")
_ROW = re.compile(r"[ \t]*([A-Za-z0-9_][\w.-]{0,100})[ \t]+(\d[\w.+!]*)[ \t]+([\w.+]+)(?:[ \t]+(\S+))?[ \t]*$")
_BUILD = re.compile(r"(?:\w[\w.]*_)?\d+$")
_EXPORT = re.compile(r"[ \t]*([a-z0-9_][\w.-]{0,100})=(\d[\w.+!]*)=([\w.]+)[ \t]*$")


class Row(NamedTuple):
    """One conda package."""

    name: str
    version: str
    build: str
    channel: str


def read(text: str) -> Facts | None:
    """Python, its packages and the frameworks among them."""
    rows, complete = _from_json(text)
    if not rows:
        rows, complete = _from_lines(text)
    if not rows:
        return None
    packages: dict[str, Package] = {}
    builds: dict[str, _installed.Build] = {}
    for row in rows:
        name = _installed.normalise(row.name if row.channel == "pypi" else _installed.conda_name(row.name))
        if not name or (row.name == "python"):
            continue
        installer = "pip" if row.channel == "pypi" else "conda"
        packages.setdefault(name, Package(name=name, version=row.version, installer=installer))
        if installer == "conda":
            builds.setdefault(name, _installed.build_of_conda(row.build))
    version = next((row.version for row in rows if row.name == "python"), "")
    prefix = prefixes[1].strip(" \t:\"'") if (prefixes := first(_PREFIX, text, " in environment")) else ""
    found = _installed.sections(
        packages.values(), complete=complete, builds=builds, conda=True, version=version, prefix=prefix
    )
    return msgspec.structs.replace(Facts(), **found)


def _from_lines(text: str) -> tuple[list[Row], bool]:
    """Rows of a table with a heading, after the command, or that stand alone and have a build as conda writes it."""
    if not any(mark in text for mark in ("conda", "mamba", "_0", "_1", "Build", "=py", "=h")):
        return [], False
    rows: list[Row] = []
    inside = complete = False
    for line in lines(text):
        if len(line) > _LINE or not (inside or "_" in line or "=" in line or "list" in line or "Build" in line):
            continue
        if "Build" in line and _HEADER.match(line):
            inside = complete = True
        elif "list" in line and (command := _COMMAND.search(line)):
            inside = True
            complete = complete or not re.search(r"[|]|grep|findstr|list[ \t]+[\w^]", line[command.start() :])
        elif row := _row(line, inside=inside):
            rows.append(row)
            if len(rows) == _MOST_PACKAGES:
                break
        elif line.strip(" \t#─━-") and not line.lstrip().startswith("#"):
            inside = False
    return rows, complete and bool(rows)


def _row(line: str, *, inside: bool) -> Row | None:
    if "=" in line and (export := _EXPORT.match(line)):
        return Row(export[1], export[2], export[3], "pypi" if export[3].startswith("pypi_") else "")
    match = _ROW.match(line)
    if not match or not (inside or (_BUILD.match(match[3]) and "_" in match[3])):
        return None
    return Row(match[1], match[2], match[3], match[4] or "")


def _from_json(text: str) -> tuple[list[Row], bool]:
    if '"build_string"' not in text:
        return [], False
    return list(_json_rows(text)), True


def _json_rows(text: str) -> Iterator[Row]:
    for document in documents(text):
        for row in document if isinstance(document, list) else []:
            if isinstance(row, dict) and "build_string" in row:
                yield Row(*(str(row.get(key, "")) for key in ("name", "version", "build_string", "channel")))
