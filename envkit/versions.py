"""Versions, specifiers and requirements, without the start-up cost of `packaging` where they are plain.

What is not plain (pre-releases, URLs, nested markers) is left to `packaging`, so the answers are the same.
Sources: PEP 440 (versions), PEP 508 (requirements and markers), PEP 503 (names).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_PLAIN = re.compile(r"v?(\d+(?:\.\d+)*)(?:\+[a-z0-9.]+)?", re.IGNORECASE)
_CLAUSE = re.compile(r"\s*(~=|==|!=|<=|>=|<|>)\s*(\d+(?:\.\d+)*)(\.\*)?\s*")
_INDEX = re.compile(r"cpu|xpu|cu\d{3}|rocm\d+(\.\d+)*")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?\s*\(?([^;()@]*)\)?\s*(?:;\s*(.*))?")
_TOKEN = re.compile(r"""\s*(?:[()]|\b(?:and|or)\b|\w+\s*[=!<>]=?\s*(?:"[^"]*"|'[^']*')|\S+)""")
_ATOM = re.compile(r"""\s*(\w+)\s*(==|!=|<=|>=|<|>)\s*["']([^"']*)["']\s*""")


def release(version: str) -> tuple[int, ...] | None:
    """The numbers of a release: "550.54.15" -> (550, 54, 15); None for what is no plain release (rc, dev, text).

    Trailing zeros are dropped, so that 2.10 equals 2.10.0.
    """
    match = _PLAIN.fullmatch(version.strip())
    if not match:
        return None
    parts = [int(part) for part in match[1].split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def minor(version: str) -> str:
    """The series: "2.10.0+cu128" -> "2.10"; the text itself where it does not begin with two numbers."""
    match = re.match(r"\d+\.\d+", version)
    return match[0] if match else version


def local(version: str) -> str:
    """The local version: "2.10.0+cu128" -> "cu128"; "" without one."""
    return version.partition("+")[2]


def torch_index(version: str) -> str:
    """Segment of PyTorch's index that a build comes from: "2.10.0+cu128" -> "cu128"; "" for the main index's."""
    return local(version) if _INDEX.fullmatch(local(version)) else ""


def satisfies(version: str, specifiers: str) -> bool | None:
    """Whether a version meets specifiers like ">=525.60.13,<600"; None where either cannot be read."""
    if specifiers == f"=={version}":
        return True
    base, post, number = version.strip().partition(".post")
    have = release(base) if not post or (number.isdecimal() and "+" not in base) else None
    clauses = [_CLAUSE.fullmatch(clause) for clause in specifiers.split(",") if clause.strip()]
    if have is None or not all(clauses):
        return _satisfies_by_packaging(version, specifiers)
    return all(
        _holds(have, clause[1], clause[2], wildcard=bool(clause[3]), post=bool(post)) for clause in clauses if clause
    )


def _holds(have: tuple[int, ...], operator: str, text: str, *, wildcard: bool, post: bool) -> bool:
    want = release(text) or ()
    if post and have == want and not wildcard and operator != "~=":  # 1.0.post1 is after 1.0, yet no match of ">1.0"
        return operator in {"!=", ">="}
    if wildcard or operator == "~=":
        prefix = tuple(int(part) for part in text.split("."))
        at_least = have >= want
        if operator == "~=":
            prefix = prefix[:-1]
        padded = have + (0,) * (len(prefix) - len(have))
        same = padded[: len(prefix)] == prefix
        return same and at_least if operator == "~=" else same is (operator == "==")
    return {
        "==": have == want,
        "!=": have != want,
        "<=": have <= want,
        ">=": have >= want,
        "<": have < want,
        ">": have > want,
    }[operator]


def _satisfies_by_packaging(version: str, specifiers: str) -> bool | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - 20 ms, seldom needed
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    try:
        return SpecifierSet(specifiers).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return None


class Requirement(NamedTuple):
    """One PEP 508 requirement: "torch[opt]==2.10.0; python_version < '3.14'"."""

    name: str
    """Normalised."""
    extras: tuple[str, ...]
    specifiers: str
    marker: str

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifiers}"


def normalise(name: str) -> str:
    """The normal form of a name: "Typing_Extensions" -> "typing-extensions" (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_requirement(text: str) -> Requirement | None:
    """A requirement from its line; None for one that names a URL or cannot be read."""
    match = _REQUIREMENT.fullmatch(text)
    if not match:
        return None
    name, extras, specifiers, marker = match.groups()
    return Requirement(
        name=normalise(name),
        extras=tuple(sorted(part.strip() for part in (extras or "").split(",") if part.strip())),
        specifiers=specifiers.replace(" ", ""),
        marker=(marker or "").strip(),
    )


def marker_holds(marker: str, environment: Mapping[str, str]) -> bool | None:
    """Whether a marker is true in an environment of PEP 508 variables; None where it cannot be read.

    `environment` should hold "extra": "", then requirements of extras are not wanted.
    """
    tokens = [match[0].strip() for match in _TOKEN.finditer(marker)]
    if not tokens:
        return True
    try:
        truth = _either(tokens, environment)
    except _NotPlainError:
        truth = None
    return _marker_by_packaging(marker, environment) if truth is None or tokens else truth


class _NotPlainError(Exception):
    """A marker that is left to packaging."""


def _either(tokens: list[str], environment: Mapping[str, str]) -> bool:
    """Terms joined by `or`; takes its tokens from the list."""
    truth = _both(tokens, environment)
    while tokens and tokens[0] == "or":
        del tokens[0]
        truth = _both(tokens, environment) or truth
    return truth


def _both(tokens: list[str], environment: Mapping[str, str]) -> bool:
    """Atoms joined by `and`."""
    truth = _one(tokens, environment)
    while tokens and tokens[0] == "and":
        del tokens[0]
        truth = _one(tokens, environment) and truth
    return truth


def _one(tokens: list[str], environment: Mapping[str, str]) -> bool:
    """A comparison, or a marker in parentheses."""
    first = tokens.pop(0) if tokens else ""
    if first == "(":
        truth = _either(tokens, environment)
        if not tokens or tokens.pop(0) != ")":
            raise _NotPlainError
        return truth
    atom = _ATOM.fullmatch(first)
    if atom is None or atom[1] not in environment:
        raise _NotPlainError
    name, operator, value = atom.groups()
    if name in {"python_version", "python_full_version"}:
        met = satisfies(environment[name], operator + value)
        if met is None:
            raise _NotPlainError
        return met
    if name == "platform_release" or operator not in {"==", "!="}:
        raise _NotPlainError
    value = normalise(value) if name == "extra" else value
    return (environment[name] == value) is (operator == "==")


def _marker_by_packaging(marker: str, environment: Mapping[str, str]) -> bool | None:
    from packaging.markers import (  # noqa: PLC0415 - 20 ms, seldom needed
        InvalidMarker,
        Marker,
        UndefinedComparison,
        UndefinedEnvironmentName,
    )

    try:
        return Marker(marker).evaluate(dict(environment))
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return None
