"""Lines "label: value" and JSON documents, found anywhere in a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from envkit.readers._text import size

_MISSING = frozenset(
    (
        *("", "n/a", "na", "none", "null", "unknown", "could not collect", "no cuda", "not found", "not installed"),
        *("not set", "<not set>", "<unset>", "<unknown>", "<not found>", "-"),
    )
)
_ATTEMPTS = 1000
_MOST = 20_000  # packages, variables, lines of one kind: no machine has more, and a text may be of 50 MB
_LONGEST_NUMBER = 20
_ANY_LINE = re.compile(r"^.*$", re.MULTILINE)
_DOCUMENT = re.compile(r"^[ \t]*[\[{]", re.MULTILINE)


def given(words: str | None) -> str | None:
    """The words, stripped; None where they say that there is nothing to say: "N/A", "Could not collect"."""
    words = (words or "").strip()
    return None if words.lower() in _MISSING else words


def amount(words: str) -> int | None:
    """Bytes in "31.25 GiB" or "196592 MB"; None where that is no size."""
    return size(words[:_LONGEST_NUMBER])


def count(words: str | None) -> int | None:
    """A whole number above zero; None where the words are none."""
    words = (words or "").strip()
    return int(words) or None if words.isascii() and words.isdecimal() and len(words) < _LONGEST_NUMBER else None


def labelled(text: str, *labels: str) -> dict[str, str]:
    """The value of the first line `label: value` of each label, stripped; indented, in a list or in backquotes too."""
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    found: dict[str, str] = {}
    for match in re.finditer(rf"^[ \t]*(?:[-*][ \t]+)?`?({names})`?[ \t]*:[ \t]*(.*)$", text, re.MULTILINE):
        found.setdefault(match[1], match[2].strip())
    return found


def lines(text: str) -> Iterator[str]:
    """Line by line, without holding them all."""
    for match in _ANY_LINE.finditer(text):
        yield match[0]


def groups(pattern: re.Pattern[str], text: str, most: int = _MOST) -> Iterator[tuple[str, ...]]:
    """As findall with several groups, one by one and not without end."""
    for match in islice(pattern.finditer(text), most):
        yield match.groups(default="")


def parts(text: str, heading: re.Pattern[str]) -> Iterator[tuple[re.Match[str], str]]:
    """Each heading, and the text from there to the next."""
    starts = list(islice(heading.finditer(text), _MOST))
    ends = [*(match.start() for match in starts[1:]), len(text)]
    for start, end in zip(starts, ends, strict=False):
        yield start, text[start.end() : end]


def documents(text: str) -> Iterator[Any]:
    """The JSON lists and objects that begin a line of the text. Linear: what does not parse is paid for only so often.

    Something else may follow a document on its last line; a document that is cut off is not found.
    """
    decoder, position = json.JSONDecoder(), 0
    patience = 2 * len(text) + 10_000
    for _ in range(_ATTEMPTS):
        start = _DOCUMENT.search(text, position)
        if start is None or patience < 0:
            return
        begin = start.end() - 1
        try:
            document, position = decoder.raw_decode(text, begin)
        except ValueError as error:  # besides JSON's own: an integer of thousands of digits
            patience -= getattr(error, "pos", len(text)) - begin
            position = text.find("\n", begin) + 1 or len(text)
        except RecursionError:  # thousands of open brackets: nothing that a tool prints
            return
        else:
            yield document
