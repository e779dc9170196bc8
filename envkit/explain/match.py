"""Search many regular expressions in many lines, in time linear in the text.

A pattern tells which word and which literals a line must have to match. What a word asks for is found out once for
each word of the text, so most lines cost a look at their words; a pattern is compiled when a line first asks for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from envkit.errors import InputError
from envkit.explain.lines import Line
from envkit.explain.literals import needs, words

MOST_TRIES = 1000
"""A pattern that was searched in vain so often is given up: no text can make the search slow."""
_KEPT = 4
_VOCABULARY = 100_000

_Wanted = tuple[str, list[str], str]  # the literals that a line must have besides, longest first, and the pattern


class Matcher:
    """Patterns that are searched together, each once."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._by_word: dict[str, list[_Wanted]] = {}
        self._by_part: dict[str, list[_Wanted]] = {}
        self._asked: dict[str, list[_Wanted]] = {}
        """What a word of the text asks for."""
        self._compiled: dict[str, re.Pattern[str]] = {}
        self._always: list[_Wanted] = []
        needed = [(need, pattern) for pattern in dict.fromkeys(patterns) for need in needs(pattern)]
        often = Counter(word for need, _ in needed for word in need.whole)
        for (literals, whole, parts), pattern in needed:
            if whole:  # the word that fewest patterns ask for
                where = self._by_word.setdefault(min(whole, key=lambda word: (often[word], -len(word))), [])
            else:
                where = self._by_part.setdefault(max(parts, key=len), []) if parts else self._always
            where.append((literals[0], literals[1:], pattern))

    def search(self, lines: Iterable[Line]) -> dict[str, list[Line]]:
        """The first few lines in which each pattern is found; one that is found nowhere is left out."""
        found: dict[str, list[Line]] = {}
        tries: dict[str, int] = {}
        for line in lines:
            for pattern in self._candidates(line.text.lower()):
                hits = found.get(pattern, ())
                if (
                    len(hits) == _KEPT
                    or (hits and hits[-1].number == line.number)
                    or tries.get(pattern, 0) > MOST_TRIES
                ):
                    continue
                if self._regex(pattern).search(line.text):
                    found.setdefault(pattern, []).append(line)
                else:
                    tries[pattern] = tries.get(pattern, 0) + 1
        return found

    def _candidates(self, lower: str) -> Iterator[str]:
        present = set(words(lower))
        if len(self._asked) > _VOCABULARY:
            self._asked.clear()
        if unknown := [word for word in present if word not in self._asked]:
            self._learn(unknown)
        for wanted in (self._always, *(self._asked[word] for word in present)):
            for longest, others, pattern in wanted:
                if longest in lower and all(literal in lower for literal in others):
                    yield pattern

    def _learn(self, unknown: list[str]) -> None:
        together = " ".join(unknown)
        parts = [part for part in self._by_part if part in together]
        for word in unknown:
            asked = [wanted for part in parts if part in word for wanted in self._by_part[part]]
            self._asked[word] = self._by_word.get(word, []) + asked

    def _regex(self, pattern: str) -> re.Pattern[str]:
        if pattern not in self._compiled:
            try:
                self._compiled[pattern] = re.compile(pattern)
            except re.error as error:
                raise InputError(f"the signature {pattern!r} is no regular expression: {error}") from error
        return self._compiled[pattern]
