"""The search finds what `re` finds, though it looks at few lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.errors import InputError
from envkit.explain.lines import Line
from envkit.explain.literals import needs, words
from envkit.explain.match import MOST_TRIES, Matcher


def found(patterns: list[str], *texts: str) -> dict[str, list[int]]:
    lines = [Line(number, text) for number, text in enumerate(texts, 1)]
    return {pattern: [line.number for line in hits] for pattern, hits in Matcher(patterns).search(lines).items()}


@pytest.mark.parametrize(
    ("pattern", "literals", "whole", "parts"),
    [
        (
            r"too old \(found version (?P<v>\d+)\)",
            ["too old (found version ", ")"],
            ["old", "found", "version"],
            ["too"],
        ),
        (r"(?i)CUDA out of memory", ["cuda out of memory"], ["out"], ["cuda", "memory"]),
        (r"^Killed$", ["killed"], ["killed"], []),
        (r"\bword\s+other\d", ["other", "word"], ["word", "other"], []),
        (r"colou?r", ["colo", "r"], [], ["colo"]),
        (r"[Nn]o such (?!thing)file", ["no such ", "file"], ["such"], ["file"]),
        (r".*", [""], [], []),
    ],
)
def test_what_a_pattern_needs(pattern: str, literals: list[str], whole: list[str], parts: list[str]) -> None:
    assert needs(pattern) == [(literals, whole, parts)]


def test_each_alternative_has_its_needs() -> None:
    assert [need.literals for need in needs("x(a|b|) fails|oops")] == [
        ["xa fails"],
        ["xb fails"],
        ["x fails"],
        ["oops"],
    ]


def test_words_are_runs_of_letters() -> None:
    assert words("cuda_error_no_device libcudart.so.12 of") == ["cuda", "error", "device", "libcudart"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("Killed", "OOMKilled"),
        (r"cannot open (shared|static) object", "libx: cannot open static object"),
        (r"(?i)no kernel IMAGE", "No Kernel image"),
        (r"a.{0,9}b|sm_\d+", "built for sm_90"),
        (r"(?:x){2} y", "xx y"),
        ("页面文件太小", "页面文件太小 (1455)"),
        (r"\d{3}", "802"),
    ],
)
def test_a_pattern_is_found_where_re_finds_it(pattern: str, text: str) -> None:
    assert re.search(pattern, text)
    assert found([pattern], "nothing", text) == {pattern: [2]}


PIECES = [
    "error",
    "cuda",
    " ",
    r"\d+",
    r"\s*",
    ".",
    "(a|bc)",
    "(?:lib)?",
    "[Nn]o",
    r"\bx",
    "so\\.",
    r"[^)]{0,9}",
    "|",
    "$",
    "é",
]


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=7),
    st.lists(st.text("errocudalibx 0123NnsoA.é)", max_size=30), max_size=5),
)
def test_no_line_is_missed_whatever_the_pattern(pieces: list[str], texts: list[str]) -> None:
    pattern = "".join(pieces)
    expected = [number for number, text in enumerate(texts, 1) if re.search(pattern, text)][:4]
    assert found([pattern], *texts).get(pattern, []) == expected


def test_a_pattern_that_fails_again_and_again_is_given_up() -> None:
    texts = [f"fails {n}" for n in range(MOST_TRIES + 10)]
    assert found(["fails [a-z]"], *texts, "fails x") == {}
    assert found(["fails [a-z]"], *texts[:100], "fails x") == {"fails [a-z]": [101]}


def test_a_signature_that_is_no_regular_expression_is_named() -> None:
    with pytest.raises(InputError, match=r"word\(+.*no regular expression"):
        found(["word(("], "word((")
