"""Lines "label: value" and JSON documents, found anywhere in a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from envkit.readers._lines import MOST, first, matches
from envkit.readers._text import size

_MISSING = frozenset(
    (
        *("", "n/a", "na", "none", "null", "unknown", "could not collect", "no cuda", "not found", "not installed"),
        *("not set", "<not set>", "<unset>", "<unknown>", "<not found>", "-"),
    )
)
_ATTEMPTS = 1000
_LONGEST_DOCUMENT = 4_000_000  # characters: what JSON becomes in memory is ten times as long
_LONGEST_NUMBER = 20
_DOCUMENT = re.compile(r"^[ \t]*(?=(?:\[\s{0,40}[\[{\"\]]|\{\s{0,40}[\"}]))", re.MULTILINE)


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
    found = {label: first(_labelled_line(label), text, label) for label in labels}
    return {label: line[1].strip() for label, line in found.items() if line}


def _labelled_line(label: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*(?:[-*][ \t]+)?`?{re.escape(label)}`?[ \t]*:[ \t]*(.*)$", re.MULTILINE)


def groups(pattern: re.Pattern[str], text: str, *marks: str, most: int = MOST) -> Iterator[tuple[str, ...]]:
    """The groups of each line that the pattern matches, among those with one of the marks; not without end."""
    for match in matches(pattern, text, *marks, most=most):
        yield match.groups(default="")


def parts(text: str, heading: re.Pattern[str], *marks: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each heading, a line with one of the marks, and the text from there to the next."""
    found = list(matches(heading, text, *marks))
    ends = [*(match.start() for match in found[1:]), len(text)]
    for start, end in zip(found, ends, strict=False):
        yield start, text[start.end() : end]


def document_at(text: str, start: re.Match[str] | None) -> Any:
    """The JSON document that begins where a pattern was found; None where it is cut off or far longer than a tool's."""
    try:
        return decoded(text, start.start())[0] if start else None
    except (ValueError, RecursionError):
        return None


def decoded(text: str, place: int) -> tuple[Any, int]:
    """The JSON document at a place, and its length. A ValueError may be of an integer of thousands of digits, too."""
    return json.JSONDecoder().raw_decode(text[place : place + _LONGEST_DOCUMENT])


def documents(text: str) -> Iterator[Any]:
    """The JSON lists and objects that begin a line of the text. Linear: what does not parse is paid for only so often.

    Something else may follow a document on its last line; one that is cut off, or far longer than any tool's, is not
    found.
    """
    position, patience = 0, 2 * len(text) + 10_000
    for _ in range(_ATTEMPTS):
        start = _DOCUMENT.search(text, position)
        if start is None or patience < 0:
            return
        begin = start.end()
        try:
            document, length = decoded(text, begin)
        except ValueError as error:
            patience -= getattr(error, "pos", len(text) - begin)
            position = text.find("\n", begin) + 1 or len(text)
        except RecursionError:  # thousands of open brackets: nothing that a tool prints
            return
        else:
            position = begin + length
            yield document
