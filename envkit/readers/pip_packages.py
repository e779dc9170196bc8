"""pip list, pip freeze, pip show and pip install; uv's; pipdeptree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from envkit.facts import Facts
from envkit.facts.software import Package
from envkit.readers import _installed
from envkit.readers._fields import documents, groups
from envkit.readers._lines import lines

NAME = "pip"

_MOST_PACKAGES = 5000
_WHOLE_LISTING = 40  # so many pinned lines in a row are an environment, fewer may be some lines of one
_NAME = r"[A-Za-z0-9](?:[\w.-]{0,100}[A-Za-z0-9])?"
_HEADER = re.compile(r"[ \t]*Package[ \t]+Version(?:[ \t]+.*)?$")
_COMMAND = re.compile(r"(?:^|[\s;&!($%#:])(?:uv[ \t]+)?pip[\d.]*[ \t]+(?:list|freeze)\b|(?:^|\s)poetry[ \t]+show\b")
_ROW = re.compile(rf"[ \t]*({_NAME})[ \t]+\(?v?(\d[\w.+!-]*)\)?(?:[ \t]+(\S.*))?$")
_PINNED = re.compile(rf"[ \t]*({_NAME})(?:\[[^\]\n]{{0,100}}\])?={{2,3}}(\d[\w.+!-]*)[ \t]*$")
_DIRECT = re.compile(rf"[ \t]*({_NAME}) @ (\S{{1,2000}})$")
_EDITABLE = re.compile(rf"[ \t]*-e \S{{1,2000}}?#egg=({_NAME})$")
_WHEEL = re.compile(r"/[\w.]+-(\d[\w.!%+]*)-(?:cp|py|pp)\d")
_SHOWN = re.compile(
    rf"^[ \t]*Name: ({_NAME})\n[ \t]*Version: (\d\S*)\n[ \t]*Summary:[^\n]*\n(?:[ \t]*[A-Z][\w-]*:[^\n]*\n){{0,8}}?"
    r"[ \t]*Location: ([^\n]*)",
    re.MULTILINE,
)
_INSTALLED = re.compile(r"^[ \t]*Successfully installed ([^\n]+)$", re.MULTILINE)
_SATISFIED = re.compile(rf"^[ \t]*Requirement already satisfied: ({_NAME})([^\n]*)$", re.MULTILINE)
_TREE = re.compile(
    rf"^[^\w\n]{{0,200}}({_NAME}) \[required: [^\]\n]{{0,200}}, installed: (\d[^\]\n]{{0,60}})\]", re.MULTILINE
)
_JSON = re.compile(r'"name":\s*"')
_SOME = re.compile(r"[|]|grep|findstr|outdated|--user|--not-required")
_LONGEST_LINE = 20_000
_BETWEEN = ("#", "WARNING", "[notice]", "Using Python")


class Block(NamedTuple):
    """Packages listed one under the other.

    headed: by the heading of columns or by the command; whole: nothing says that some are left out.
    """

    packages: list[Package]
    headed: bool = False
    whole: bool = False


def read(text: str) -> Facts | None:
    """Python's packages and the frameworks among them."""
    complete, listed = _listings(text)
    packages = {package.name: package for package in reversed(listed)}
    told = [*_shown(text), *_from_json(text)]
    complete = complete or any(name == "" for name, _, _ in told)
    for name, version, location in (*told, *_tree(text), *_satisfied(text), *_just_installed(text)):
        if name:
            packages.setdefault(name, Package(name=name, version=version, location=location))
    if not packages:
        return None
    found = _installed.sections(packages.values(), complete=complete)
    return msgspec.structs.replace(Facts(), **found)


def _listings(text: str) -> tuple[bool, list[Package]]:
    """The packages of columns and of pinned lines, and whether some listing is whole."""
    if not any(mark in text for mark in ("Package", "==", "pip", "poetry show", " @ ")):
        return False, []
    blocks = [block for block in _blocks(text) if block.headed or len(block.packages) > 1]
    pinned = 1 << 30 if "requirements" in text else _WHOLE_LISTING  # of a file of requirements nothing is installed yet
    complete = any(block.whole if block.headed else len(block.packages) >= pinned for block in blocks if block.packages)
    return complete, [package for block in blocks for package in block.packages]


def _blocks(text: str) -> Iterator[Block]:
    block, number = Block([]), 0
    for line in lines(text):
        if number > _MOST_PACKAGES:
            break
        if len(line) > _LONGEST_LINE or not (block.headed or block.packages or _may_open(line)):
            continue
        if opened := _opened(line):
            yield block
            after_command = block.headed and not block.packages
            block = opened._replace(whole=opened.whole and (block.whole or not after_command))
            number += 1
        elif package := _pinned(line) or (_row(line) if block.headed else None):
            block.packages.append(package)
            number += 1
        elif (line.strip(" \t-=`") and not line.lstrip().startswith(_BETWEEN)) or (block.packages and not line.strip()):
            yield block
            block = Block([])
    yield block


def _may_open(line: str) -> bool:
    """Whether a listing may begin with a line: asked of every one of 50 MB, so it is neither a loop nor a pattern."""
    return "==" in line or " @ " in line or "-e " in line or "pip" in line or "poetry" in line or "Package" in line


def _opened(line: str) -> Block | None:
    """The listing that a line announces: the heading of columns, or the command."""
    if "Package" in line and _HEADER.match(line):
        return Block([], headed=True, whole="Latest" not in line)
    command = _COMMAND.search(line) if "pip" in line or "poetry" in line else None
    return Block([], headed=True, whole=not _SOME.search(line, command.end())) if command else None


def _pinned(line: str) -> Package | None:
    if "==" in line and (match := _PINNED.match(line)):
        return Package(name=_installed.normalise(match[1]), version=match[2])
    if " @ " in line and (match := _DIRECT.match(line)):
        wheel = _WHEEL.search(match[2])
        version = wheel[1].replace("%2B", "+") if wheel else None
        return Package(name=_installed.normalise(match[1]), version=version)
    if "-e " in line and (match := _EDITABLE.match(line)):
        return Package(name=_installed.normalise(match[1]), editable=True)
    return None


def _row(line: str) -> Package | None:
    match = _ROW.match(line)
    if not match:
        return None
    return Package(name=_installed.normalise(match[1]), version=match[2], editable=(match[3] or "").startswith("/"))


def _shown(text: str) -> Iterator[tuple[str, str, str]]:
    for name, version, location in groups(_SHOWN, text, "Name: ") if "Summary:" in text else ():
        yield _installed.normalise(name), version, location.strip()


def _from_json(text: str) -> Iterator[tuple[str, str, str]]:
    """Of pip list --format json; a name "" says that the list is whole."""
    if '"version":' not in text or not _JSON.search(text):
        return
    for document in documents(text):
        rows = document if isinstance(document, list) else []
        plain = [r for r in rows if isinstance(r, dict) and isinstance(r.get("name"), str) and "build_string" not in r]
        for row in plain:
            if isinstance(row.get("version"), str):
                yield _installed.normalise(row["name"]), row["version"], ""
        if plain and len(plain) == len(rows):
            yield "", "", ""


def _tree(text: str) -> Iterator[tuple[str, str, str]]:
    for name, version in groups(_TREE, text, "[required: "):
        yield _installed.normalise(name), version.strip(), ""


def _satisfied(text: str) -> Iterator[tuple[str, str, str]]:
    """Of "Requirement already satisfied: numpy in /usr/lib/... (from torch) (1.26.4)"."""
    for name, rest in groups(_SATISFIED, text, "Requirement already satisfied: "):
        version = rest.rpartition("(")[2].strip(" )")
        if version[:1].isdigit():
            yield _installed.normalise(name), version, ""


def _just_installed(text: str) -> Iterator[tuple[str, str, str]]:
    """Of "Successfully installed torch-2.1.0 numpy-1.26.4", the last first."""
    found = groups(_INSTALLED, text, "Successfully installed ")
    for word in reversed([word for (line,) in found for word in line[:_LONGEST_LINE].split()]):
        name, _, version = word.rpartition("-")
        if name and version[:1].isdigit():
            yield _installed.normalise(name), version, ""
