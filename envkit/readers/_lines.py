"""Lines of a long text, and those with a mark of a tool, found without a look at the others.

A pattern that has to be tried at every place of 50 MB takes a second, finding a word takes a hundredth of that: so a
reader names the words that its lines have, and its patterns are tried on these lines only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

MOST = 20_000  # packages, variables, lines of one kind: no machine has more, and a text may be of 50 MB
MOST_GPUS = 256  # in one machine; what is listed further is of others
_CHUNK = 1 << 20


def lines(text: str) -> Iterator[str]:
    """Line by line, without holding them all."""
    start = 0
    while start <= len(text):
        end = text.find("\n", start + _CHUNK)
        end = len(text) if end < 0 else end
        yield from text[start:end].split("\n")
        start = end + 1


def starts(text: str, *marks: str) -> Iterator[int]:
    """Where the lines begin that have one of the marks, each line once, in their order."""
    following = {mark: at for mark in marks if (at := text.find(mark)) >= 0}
    while following:
        at = min(following.values())
        yield text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        if end < 0:
            return
        for mark, place in list(following.items()):
            if place < end and (place := text.find(mark, end)) >= 0:
                following[mark] = place
            elif place < 0:
                del following[mark]


def marked(text: str, *marks: str) -> Iterator[str]:
    """The lines that have one of the marks."""
    for start in starts(text, *marks):
        end = text.find("\n", start)
        yield text[start : end if end >= 0 else len(text)]


def matches(pattern: re.Pattern[str], text: str, *marks: str, most: int = MOST) -> Iterator[re.Match[str]]:
    """Where the pattern begins a line that has one of the marks, not without end."""
    return islice(filter(None, (pattern.match(text, start) for start in starts(text, *marks))), most)


def within(pattern: re.Pattern[str], text: str, *marks: str, most: int = MOST) -> Iterator[re.Match[str]]:
    """Where the pattern is found within the lines that have one of the marks, not without end."""
    return islice((match for line in marked(text, *marks) for match in pattern.finditer(line)), most)


def first(pattern: re.Pattern[str], text: str, *marks: str) -> re.Match[str] | None:
    """The first of `matches`."""
    return next(matches(pattern, text, *marks), None)
