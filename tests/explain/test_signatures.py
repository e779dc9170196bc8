"""The signatures that are shipped: each finds its sample, names a cause there is, and is quick on any text."""

from __future__ import annotations

import importlib
import re
import sys
import time
from typing import Any

import pytest

from envkit.checks import discover
from envkit.explain import explain
from envkit.explain.lines import LONGEST
from envkit.explain.literals import needs
from envkit.knowledge import Knowledge
from envkit.knowledge.tables import Signature

KNOWLEDGE = Knowledge()
SIGNATURES = KNOWLEDGE.signatures
SURE = 0.9


def name(signature: Signature) -> str:
    return f"{signature.cause}: {signature.pattern[:50]}"


def each(argument: str) -> Any:
    return pytest.mark.parametrize(argument, SIGNATURES, ids=name)


def met(signature: Signature) -> bool:
    """Whether the sample by itself has the lines that the signature asks for besides."""
    return all(any(re.search(need, line) for line in signature.sample.split("\n")) for need in signature.needs)


def test_there_are_signatures_for_eighty_causes() -> None:
    assert len({signature.cause for signature in SIGNATURES}) >= 80


@each("signature")
def test_a_signature_says_what_it_is_and_where_it_is_from(signature: Signature) -> None:
    assert signature.source
    assert 0 < signature.confidence < 1
    assert {signature.cause, *signature.excludes} <= KNOWLEDGE.causes.keys()
    assert signature.program <= (not KNOWLEDGE.causes[signature.cause].environment)


@each("signature")
def test_a_signature_finds_its_sample(signature: Signature) -> None:
    assert re.search(signature.pattern, signature.sample) or re.search(
        signature.pattern, " ".join(signature.sample.split())
    )
    found = explain(signature.sample, KNOWLEDGE)
    causes = [cause.cause for cause in found.causes + found.possible]
    if met(signature):
        assert (KNOWLEDGE.causes[signature.cause].part_of or signature.cause) in causes[
            : 1 if signature.confidence >= SURE else 3
        ]


@pytest.mark.parametrize("pattern", sorted({p for s in SIGNATURES for p in (s.pattern, *s.conditions)}))
def test_no_quantifier_stands_in_another(pattern: str) -> None:
    parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    assert not _nested(parser.parse(pattern), within=False)


def _nested(parsed: Any, *, within: bool) -> bool:
    """Whether something that may be repeated without a bound holds something that may."""
    for operation, argument in parsed:
        endless = str(operation) in {"MAX_REPEAT", "MIN_REPEAT"} and argument[1] > 1000
        if endless and within:
            return True
        inner = argument if isinstance(argument, tuple) else ()
        for part in (*inner, *(branch for group in inner if isinstance(group, list) for branch in group)):
            if hasattr(part, "data") and _nested(part.data, within=within or endless):
                return True
    return False


@each("signature")
def test_a_signature_is_quick_on_text_made_to_slow_it(signature: Signature) -> None:
    for pattern in (signature.pattern, *signature.conditions):
        literals = [literal for need in needs(pattern)[:4] for literal in need.literals]
        words = re.findall(r"[A-Za-z]{3,}", pattern)[:6]  # as they are written: literals are in lower case
        baits = (signature.sample[:-1] + " ", *literals[:5], *words, " ".join(words), "a ", "/x", "1")
        lines = [(bait * LONGEST)[:LONGEST] for bait in baits if bait]
        assert min(_seconds(pattern, lines) for _ in range(2)) < 0.5  # all are far below half of that


def _seconds(pattern: str, lines: list[str]) -> float:
    started = time.process_time()
    for line in lines:
        re.search(pattern, line)
    return time.process_time() - started


def test_causes_name_checks_and_causes_that_exist() -> None:
    checks = discover()
    for cause in KNOWLEDGE.causes.values():
        assert cause.title
        assert cause.remedy.text
        assert set(cause.checks) <= checks.keys()
        assert set(cause.consequences) <= KNOWLEDGE.causes.keys()
        assert not cause.part_of or not KNOWLEDGE.causes[cause.part_of].part_of


def test_a_cause_that_a_check_finds_is_confirmed_by_that_check() -> None:
    shared = KNOWLEDGE.causes.keys() & discover().keys()
    assert [cause for cause in shared if cause not in KNOWLEDGE.causes[cause].checks] == []
