"""From lines that were found to how sure each cause is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from envkit.explain.lines import Line, Role
from envkit.knowledge.tables import Cause, Signature

_WIDTH = 240
_COUNTED = 3
_FOLLOWS = 0.9
# How much a line is worth: what somebody tells in prose is less than what a program printed, and a line of source code
# in a traceback is not what happened.
_WORTH: dict[Role, float] = {"error": 1.0, "other": 1.0, "warning": 1.0, "prose": 0.8, "code": 0.4, "doubted": 0.3}
_ASIDE = 0.6


@dataclass(frozen=True, kw_only=True)
class Clue:
    """One line that tells one cause. excludes: causes that it rules out; program: it is the program's own error."""

    cause: str
    confidence: float
    line: int
    text: str
    role: Role = "other"
    excludes: tuple[str, ...] = ()
    program: bool = False


def clues_of(signatures: list[Signature], found: Mapping[str, list[Line]]) -> list[Clue]:
    """The signatures that hold, each with the best line it was found in."""
    clues = []
    for signature in signatures:
        if signature.pattern not in found or not _holds(signature, found):
            continue
        line = max(found[signature.pattern], key=lambda line: (_WORTH[line.role], not line.joined, -line.number))
        clues.append(
            Clue(
                cause=signature.cause,
                confidence=signature.confidence * _WORTH[line.role],
                line=line.number,
                text=_excerpt(signature.pattern, line.said or line.text),
                role=line.role,
                excludes=tuple(signature.excludes),
                program=signature.program,
            )
        )
    return clues


def score(clues: list[Clue], causes: Mapping[str, Cause]) -> dict[str, float]:
    """How sure each cause is, surest first; where two are as sure, the one whose line comes first.

    Lines are taken as independent: together they make 1-Π(1-c). A warning counts less where an error tells something,
    and so does all that is no error where the program's own error stands; a cause that another one excludes, or has as
    its consequence, comes below that one.
    """
    errors = [c for c in clues if c.role == "error" and c.confidence >= 0.5]
    by_itself = any(c.program for c in errors)
    by_cause: dict[str, dict[int, float]] = {}
    for clue in clues:
        worth = clue.confidence
        if (clue.role == "warning" and errors) or (clue.role != "error" and by_itself and not clue.program):
            worth *= _ASIDE
        lines = by_cause.setdefault(clue.cause, {})
        lines[clue.line] = max(lines.get(clue.line, 0.0), worth)
    alone = {cause: together(list(lines.values())) for cause, lines in by_cause.items() if cause in causes}
    below: dict[str, set[str]] = {cause: set() for cause in alone}
    for clue in clues:
        for other in clue.excludes:
            if other in alone and clue.cause in alone and other != clue.cause:
                below[other].add(clue.cause)
    for cause, sure in alone.items():
        for other in causes[cause].consequences:
            if other in alone and sure >= 0.5:
                below[other].add(cause)
    result = {cause: min([sure, *(_FOLLOWS * alone[above] for above in below[cause])]) for cause, sure in alone.items()}
    first = {cause: min(line for line in lines) for cause, lines in by_cause.items()}
    return dict(sorted(result.items(), key=lambda item: (-round(item[1], 2), first[item[0]], item[0])))


def _holds(signature: Signature, found: Mapping[str, list[Line]]) -> bool:
    return all(p in found for p in signature.needs) and not any(p in found for p in signature.refuted_by)


def together(confidences: list[float]) -> float:
    """How sure independent lines make a cause: 1-Π(1-c)."""
    doubt = 1.0
    for confidence in sorted(confidences, reverse=True)[:_COUNTED]:
        doubt *= 1 - confidence
    return min(1 - doubt, 0.99)


def _excerpt(pattern: str, text: str) -> str:
    """The line, or of a long one the part around the match."""
    text = " ".join(text.split()) if len(text) <= _WIDTH else text
    if len(text) <= _WIDTH:
        return text
    match = re.search(pattern, text)
    start = max(0, min((match.start() if match else 0) - 40, len(text) - _WIDTH))
    return (
        ("..." if start else "") + text[start : start + _WIDTH].strip() + ("..." if start + _WIDTH < len(text) else "")
    )
