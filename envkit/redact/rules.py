"""How a rule finds what it hides: by an anchor that is quick to find, then by what stands before and after it.

A pattern that has no literal to begin with is tried at every character: 100 kB take it up to 100 ms. So each rule names
words without which it need not be tried, and an anchor that begins with a literal; the rest is matched there alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from envkit.redact import Redactor

REACH = 260
"""How far before its anchor a rule may reach, in characters."""
SHORT = 6
"""Shorter names are words of a report, too: they are looked for only where a name stands."""
END = r"(?![\w-])"
_JOINING = "_.+%=@:~-"
"""What stands beside these may have been taken for a part of what is gone."""


class Found(NamedTuple):
    """What a rule has found: `value` is what is to be hidden, from `start` to `end` of the text."""

    text: str
    start: int
    end: int
    match: re.Match[str]

    @property
    def value(self) -> str:
        return self.text[self.start : self.end]

    @property
    def before(self) -> str:
        return self.text[max(0, self.start - REACH) : self.start]

    @property
    def after(self) -> str:
        return self.text[self.end : self.end + 20]


Change = Callable[[Found, "Redactor"], "str | None"]
"""What to put in its place; None leaves it."""


class Rule(NamedTuple):
    """words: the rule is tried only where one of these is in the text; without an anchor, each of them is one.

    anchor: matched in the text in lower case, like the words. right: from there on; its group `value`, where it has
    one, is what is hidden, else all. left: what must stand before the anchor, and is hidden, too.
    """

    words: tuple[str, ...]
    right: str
    change: Change
    anchor: str = ""
    left: str = ""
    reach: int = REACH


def words_of(text: str) -> str:
    """Each word of the text once, in lower case: a quarter of a report, or less, to look for a rule's words in."""
    return "\n".join(set(text.lower().split()))


def apply(rules: Iterable[Rule], text: str, words: str, names: Redactor) -> str:
    """The text after each rule in turn; `words` are those of the text, or of what it was before."""
    lower = _lower(text)
    for rule in rules:
        there = [word for word in rule.words if word in words]
        if not there and (rule.words or not re.search(rule.anchor, words)):
            continue
        for anchor in [rule.anchor] if rule.anchor else map(re.escape, there):
            changed = _apply(rule, anchor, text, lower, names)
            if changed != text:
                text, lower = changed, _lower(changed)
    return text


def _lower(text: str) -> str:
    """In lower case, of the same length."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if c.isascii() else c for c in text)


def _apply(rule: Rule, anchor: str, text: str, lower: str, names: Redactor) -> str:
    if not re.search(anchor, lower):  # before more is compiled
        return text
    right, left = re.compile(rule.right), re.compile(rf"(?:{rule.left})\Z") if rule.left else None
    pieces, done = [], 0
    for found in re.finditer(anchor, lower):
        place = start = found.start()
        if place < done or not (match := right.match(text, place)):
            continue
        if left:
            if not (begin := left.search(text, max(done, place - rule.reach), place)):
                continue
            start = begin.start()
        if "value" in right.groupindex:
            start, end = match.span("value")
        else:
            end = match.end()
            start = _past_escape(text, start)
        change = rule.change(Found(text, start, end, match), names) if start < end else None
        if change is not None:
            pieces += [text[done:start], change]
            done = end
            neighbours = text[max(start - 1, 0) : start] + text[end : end + 1]
            names.look_again |= any(sign.isalnum() or sign in _JOINING for sign in neighbours)
    return "".join([*pieces, text[done:]]) if pieces else text


def _past_escape(text: str, start: int) -> int:
    r"""Where the value begins if the text is JSON and its first letters belong to an escape: "\nada@example.org"."""
    place = text.rfind("\\", max(0, start - 5), start)
    if place < 0:
        return start
    run = place - len(text[max(0, place - 100) : place + 1].rstrip("\\")) + 1 - max(0, place - 100)
    length = 6 if text[place + 1] == "u" else 2
    return min(place + length, len(text)) if run % 2 and place + length > start else start


def secret(kind: str) -> Change:
    """A change that hides a secret."""
    return lambda found, names: names.secret(kind, found.value)


def named(kind: str) -> Change:
    """A change that puts a name in its place, the same for the same value whatever its case; zeros name nothing."""
    return lambda found, names: names.name(kind, found.value.lower()) if found.value.strip("0-:.") else None
