"""What went wrong, from what somebody pasted: ranked causes with the lines that are their evidence. Pure.

Causes have the names of `envkit/knowledge/causes.yaml`; what tells them are the signatures beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import msgspec

from envkit.explain.lines import lines_of
from envkit.explain.match import Matcher
from envkit.explain.rank import Clue, clues_of, score, together
from envkit.findings import Finding, Remedy
from envkit.knowledge import Knowledge

SCHEMA = "envkit.explanation/1"
KNOWN = 0.5
"""A cause that is less likely is no answer."""
_SUPPORT, _CONTRADICTION = 0.5, 0.6


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the text, counted from 1; line 0 is what envkit's checks found in pasted facts."""

    line: int
    text: str


class RankedCause(msgspec.Struct, frozen=True, kw_only=True):
    """A cause and how sure it is, 0 to 1.

    specific: the form of the cause that the text tells, where there are several ("secure-boot-rejects-driver" of
    "no-driver"); title and remedy are that form's. supported_by, contradicted_by: what the checks say of this machine,
    where it was asked.
    """

    cause: str
    specific: str = ""
    title: str
    confidence: float
    evidence: list[Evidence]
    remedy: Remedy
    environment: bool = True
    supported_by: list[str] = []
    contradicted_by: list[str] = []


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Causes, the most likely one first. not known: none is likely enough, `possible` has the less likely ones."""

    schema: str = SCHEMA
    status: Literal["known", "not known"]
    causes: list[RankedCause] = []
    possible: list[RankedCause] = []


def explain(
    text: str, knowledge: Knowledge, *, pasted: Iterable[Finding] = (), here: Iterable[Finding] | None = None
) -> Explanation:
    """Find the causes of what the text reports.

    Args:
        text: a log, a traceback, an error of an installer, in any mixture with facts and prose.
        knowledge: the signatures and causes.
        pasted: what the checks found in the facts that stand in the text.
        here: what the checks found on this machine; None where it was not asked.
    """
    signatures = knowledge.signatures
    matcher = _matcher(tuple(p for s in signatures for p in (s.pattern, *s.conditions)))
    found = matcher.search(lines_of(text, knowledge.translations.english()))
    clues = clues_of(signatures, found) + _from_checks(pasted, knowledge)
    scores = score(clues, knowledge.causes)
    ranked = [_cause(forms, clues, knowledge) for forms in _families(scores, knowledge)]
    if here is not None:
        ranked = [_confronted(cause, list(here), knowledge) for cause in ranked]
    ranked.sort(key=lambda cause: -cause.confidence)
    known = [cause for cause in ranked if cause.confidence >= KNOWN]
    possible = [cause for cause in ranked if cause.confidence < KNOWN]
    return Explanation(status="known" if known else "not known", causes=known, possible=possible)


@lru_cache(maxsize=1)
def _matcher(patterns: tuple[str, ...]) -> Matcher:
    """Kept for the next text: reading what hundreds of patterns need takes longer than to search most texts."""
    return Matcher(patterns)


def _from_checks(findings: Iterable[Finding], knowledge: Knowledge) -> list[Clue]:
    """What the checks found in pasted facts, as clues to the causes that they confirm."""
    causes_of: dict[str, list[str]] = {}
    for name, cause in knowledge.causes.items():
        for check in cause.checks:
            causes_of.setdefault(check, []).append(name)
    return [
        Clue(cause=name, confidence=0.55 if f.status == "fail" else 0.2, line=0, text=f.message)
        for f in findings
        if f.status in {"fail", "warn"} and not f.caused_by
        for name in causes_of.get(f.check, ())
    ]


def _families(scores: dict[str, float], knowledge: Knowledge) -> list[dict[str, float]]:
    """The forms of each cause with how sure they are, surest first."""
    families: dict[str, dict[str, float]] = {}
    for name, confidence in scores.items():
        families.setdefault(knowledge.causes[name].part_of or name, {})[name] = confidence
    return list(families.values())


def _cause(forms: dict[str, float], clues: list[Clue], knowledge: Knowledge) -> RankedCause:
    """One cause out of its forms: their lines together make it sure, the surest form says what to do."""
    name = next(iter(forms))
    cause = knowledge.causes[name]
    mine = sorted((c for c in clues if c.cause in forms), key=lambda c: (-c.confidence, c.line))
    lines = {c.line: Evidence(line=c.line, text=c.text) for c in reversed(mine)}
    return RankedCause(
        cause=cause.part_of or name,
        specific=name if cause.part_of else "",
        title=cause.title,
        confidence=round(together(list(forms.values())), 2),
        evidence=[lines[line] for line in dict.fromkeys(c.line for c in mine)],
        remedy=cause.remedy,
        environment=cause.environment,
    )


def _confronted(cause: RankedCause, here: list[Finding], knowledge: Knowledge) -> RankedCause:
    """The cause with what this machine's checks say to it: one that fires supports it, all that pass contradict it."""
    mine = [f for f in here if f.check in knowledge.causes[cause.specific or cause.cause].checks]
    fired = [f.message for f in mine if f.status in {"fail", "warn"}]
    passed = [f.message for f in mine if f.status == "pass"]
    if fired:
        sure = 1 - (1 - cause.confidence) * (1 - _SUPPORT)
        return msgspec.structs.replace(cause, confidence=round(sure, 2), supported_by=fired)
    if passed and len(passed) == len(mine):
        sure = cause.confidence * _CONTRADICTION
        return msgspec.structs.replace(cause, confidence=round(sure, 2), contradicted_by=passed)
    return cause
