"""uv's explanation of a resolution that failed, read: which needs exclude each other, what cannot be had. Pure.

uv prints the derivation of its solver (PubGrub): sentences "Because FACT and FACT, we can conclude that RESULT.", to
the last of which "your requirements are unsatisfiable". Wording: crates/uv-resolver/src/pubgrub/report.rs of uv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Literal, NamedTuple

import msgspec

Kind = Literal["contradiction", "name", "offline", "version", "python", "wheel", "source-only", "damaged", "withdrawn"]

LONGEST_CHAIN = 6
MOST_CHAINS = 300
_NAME = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?:\[[\w.,-]+\])?"
_RANGE = rf"(?:all versions of )?{_NAME}(?:(?:[=~!<>]=?=?)[\w.*+!,<>=~]*)?"
_TERM = rf"{_RANGE}(?: \| {_RANGE})*"
_FACTS: tuple[tuple[Kind, str], ...] = (
    ("name", rf"(?P<term>{_TERM}) (?:was|were) not found in the (?:package registry|provided package locations)"),
    ("offline", rf"(?P<term>{_TERM}) (?:was|were) not found in the cache"),
    ("version", rf"there (?:is|are) no versions? of (?P<term>{_TERM})"),
    ("version", rf"only (?P<term>(?P<detail>{_TERM})) (?:is|are) available"),
    ("version", rf"only the following versions of {_NAME} are available: (?P<term>(?P<detail>{_TERM}))"),
    ("python", rf"(?P<term>{_TERM}) (?:depends? on|requires?) Python ?(?P<detail>[<>=!~]\S*)"),
    ("wheel", rf"(?P<term>{_TERM}) (?:has|have) no wheels with a matching .* tag \(e\.g\., `(?P<detail>[^`]+)`\)"),
    ("source-only", rf"(?P<term>{_TERM}) (?:has|have) no usable wheels"),
    ("damaged", rf"(?P<term>{_TERM}) (?:has|have) (?:an )?(?:invalid|inconsistent) (?:metadata|package format)"),
    ("withdrawn", rf"(?P<term>{_TERM}) (?:was|were) yanked(?: \(reason: (?P<detail>.*)\))?"),
)
"""What makes a package impossible to have; in this order they are told."""
_ASKED = rf"you require (?P<one>{_TERM})(?: and (?P<other>{_TERM}))?"
_DEPENDS = rf"(?P<by>{_TERM}) depends? on (?P<one>{_TERM})(?: and (?P<other>{_TERM}))?"
_PYTHON = r"the (?:current|requested) Python version \(\S+\) does not satisfy Python\S+"
_REFERENCE = r"we know from \(\d+\) that .*"
_KNOWN = "|".join([_ASKED, _DEPENDS, *(pattern for _, pattern in _FACTS), _PYTHON, _REFERENCE])
_KNOWN = re.sub(r"\?P<\w+>", "?:", _KNOWN)
_LIST = re.compile(rf"(?:(?:all|one) of|( are available)):((?:\n +{_RANGE}(?=\n|$))+)")


class Term(NamedTuple):
    """A package and which versions of it, any of several ranges; the range "": all."""

    name: str
    ranges: tuple[str, ...] = ("",)


class Need(NamedTuple):
    """One package needs another."""

    needed: Term
    by: Term | None = None
    """None: it was asked for."""
    derived: bool = False
    """uv concluded it: there are packages in between."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no solution."""

    kind: Kind
    package: Term
    """What cannot be had, or what the needs disagree about."""
    chains: list[list[Need]]
    """How each need of it comes about, from what was asked for to the package."""
    detail: str = ""
    """Python that it needs, tag that was looked for, versions that there are, why it was withdrawn."""
    python: str = ""
    """Version that was resolved for, where uv says it."""
    offered: list[str] = []
    """Tags of the wheels that there are."""


def read(text: str) -> Conflict | None:
    """The conflict in uv's words; None where they are not understood."""
    facts: list[tuple[Kind, Term, str]] = []
    needs: list[Need] = []
    for premise, derived in _statements(text):
        if asked := re.fullmatch(_ASKED, premise):
            needs += [] if derived else [Need(term(name)) for name in asked.groups() if name]
        elif fact := _fact(premise):
            facts += [] if derived else [fact]
        elif depends := re.fullmatch(_DEPENDS, premise):
            by, *needed = depends.groups()
            needs += [Need(term(name), term(by), derived) for name in needed if name]
    chains = sorted(_chains(needs), key=len)
    found = re.search(r"Python version \((?:>=)?([\d.]+)\)|You require CPython ([\d.]+)", text)
    python = next(filter(None, found.groups()), "") if found else ""
    for one, other in sorted(combinations(chains, 2), key=lambda pair: len(pair[0]) + len(pair[1])):
        if _plain(one) == _plain(other) and exclude(one[-1].needed, other[-1].needed):
            return Conflict(kind="contradiction", package=one[-1].needed, chains=[one, other], python=python)
    for kind in [kind for kind, _ in _FACTS]:
        for chain in chains:
            package = chain[-1].needed
            about = [fact for fact in facts if fact[0] == kind and fact[1].name == _plain(chain)]
            # What there is instead tells something where it is not what is needed, everything else where it is.
            there_is = kind == "version" and any(fact[2] for fact in about)
            about = [fact for fact in about if exclude(fact[1], package) == there_is]
            if about:
                detail, offered = min(map(_detail, about))[1], _offered(text)
                return Conflict(
                    kind=kind, package=package, chains=[chain], detail=detail, python=python, offered=offered
                )
    return None


def term(text: str) -> Term:
    """Of "numpy>=1.23.5,<2.0.0", "all versions of alpha", or several with " | " between them."""
    parts = [re.fullmatch(rf"({_NAME})(.*)", part.removeprefix("all versions of ")) for part in text.split(" | ")]
    return Term(next(p[1] for p in parts if p), tuple(p[2].rstrip(",.") for p in parts if p))


def exclude(one: Term, other: Term) -> bool:
    """Whether no version is in a range of both."""
    return not any(_meet(f"{a},{b}") for a in one.ranges for b in other.ranges)


def _meet(clauses: str) -> bool:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - for an error message only

    found = re.findall(r"(===?|>=?|<=?)([^,*]+)(?=,|$)", clauses)  # !=, ~= and wildcards: they may meet
    try:
        bounds = [(operator, Version(version)) for operator, version in found]
    except InvalidVersion:
        return True
    lower = [(version, operator == ">") for operator, version in bounds if operator[0] in "=>"]
    upper = [(version, operator != "<") for operator, version in bounds if operator[0] in "=<"]
    if not lower or not upper:
        return True
    (least, above), (most, reached) = max(lower), min(upper)
    return least < most or (least == most and reached and not above)


def _statements(text: str) -> Iterator[tuple[str, bool]]:
    """(fact, False) and (conclusion, True) one by one."""
    body = text.partition("\nhint:")[0]
    body = re.sub(r"\{[^}]*\}", "", body)  # conditions of a need: numpy{python_full_version < '3.12'}>=1.23.2
    body = _LIST.sub(lambda found: f"{found[1] + ':' if found[1] else ''} {' | '.join(found[2].split())}", body)
    for sentence in re.split(r"\b(?:And because|Because) ", " ".join(body.split()))[1:]:
        premises, _, result = sentence.partition("we can conclude that ")
        for premise in _split(premises.strip(" ,")):
            yield premise, False
        yield re.sub(r"\.( \(\d+\))?\s*$", "", result), True


def _split(premises: str) -> list[str]:
    """The two facts of "FACT and FACT"."""
    for found in re.finditer(" and ", premises):
        pair = [premises[: found.start()], premises[found.end() :]]
        if all(re.fullmatch(_KNOWN, premise) for premise in pair):
            return pair
    return [premises]


def _fact(premise: str) -> tuple[Kind, Term, str] | None:
    for kind, pattern in _FACTS:
        if found := re.fullmatch(pattern, premise):
            return kind, term(found["term"]), found.groupdict().get("detail") or ""
    return None


def _chains(needs: list[Need]) -> Iterator[list[Need]]:
    """Every way from what was asked for to a package; what uv concluded last, which says most, first."""
    latest = needs[::-1]
    chains = [[need] for need in latest if need.by is None]
    for chain in chains:  # grows on the way
        yield chain
        last = chain[-1].needed
        seen = {need.needed.name for need in chain}
        if len(chain) < LONGEST_CHAIN and len(chains) < MOST_CHAINS:
            chains += [[*chain, n] for n in latest if n.by and n.needed.name not in seen and _is_of(n.by, last)]


def _is_of(by: Term, needed: Term) -> bool:
    """Whether a need of `by` is one of `needed`: an extra has those of its package too."""
    return by.name in {needed.name, needed.name.partition("[")[0]} and not exclude(by, needed)


def _plain(chain: list[Need]) -> str:
    return chain[-1].needed.name.partition("[")[0]


def _detail(fact: tuple[Kind, Term, str]) -> tuple[list[int], str]:
    """For the least: of several releases the one that needs the oldest Python."""
    return [int(number) for number in re.findall(r"\d+", fact[2])], fact[2]


def _offered(text: str) -> list[str]:
    """The tags in uv's hint about the wheels that there are."""
    hint = re.search(r"hint: .*?(?:tags?|platforms?): (`.*)", text)
    return re.findall(r"`([^`]+)`", hint[1]) if hint else []
