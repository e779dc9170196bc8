r"""What a line must have for a regular expression to match it: read off the expression, never guessed.

A pattern is written out as its alternatives, each a *skeleton*: the literals in lower case, GAP where no letter can
stand (an anchor, a space, a digit), OTHER where anything may. "(a|b) c\d+ .?e" -> "a c\0 \1e", "b c\0 \1e".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

GAP, OTHER = "\0", "\1"
MOST_ALTERNATIVES = 64
"""Groups that would make more of them are taken as OTHER."""

_WORD = re.compile(r"[a-z]{3,}")
_TOKEN = re.compile(
    r"(?P<gap>\\[AbsdWZ]|[\^$])|(?P<class>\\[BDSw]|\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|\\(?P<escaped>.)"
    r"|(?P<flags>\(\?[a-zA-Z]+\))|(?P<negative>\(\?<?!)|(?P<open>\((?:\?(?:P<\w+>|[a-zA-Z-]*:|<?=))?)|(?P<close>\))"
    r"|(?P<or>\|)|(?P<quantifier>[*+?][?+]?|\{\d*,?\d*\}[?+]?)|(?P<literal>[^\\^$.|?*+()\[{]+(?![*+?{])|.)",
    re.DOTALL,
)


class Need(NamedTuple):
    """What one alternative needs, in lower case: all these literals (longest first), and so all these words.

    whole: words that stand by themselves; parts: words that, for all the pattern says, may be parts of longer ones.
    """

    literals: list[str]
    whole: list[str]
    parts: list[str]


def needs(pattern: str) -> list[Need]:
    """What a line must have for each alternative of the pattern to match.

    "x(a|b) failed to load|oops" -> [(["xa failed to load"], ["failed"], ["load"]), ..., (["oops"], [], ["oops"])]
    """
    return [_need(skeleton) for skeleton in dict.fromkeys(_alternatives(_TOKEN.finditer(pattern)))]


def words(lower: str) -> list[str]:
    """The words of a line in lower case: three letters or more, whatever stands between them."""
    return _WORD.findall(lower)


def _need(skeleton: str) -> Need:
    whole: list[str] = []
    parts: list[str] = []
    for match in _WORD.finditer(skeleton):
        beside = (skeleton[match.start() - 1 : match.start()], skeleton[match.end() : match.end() + 1])
        (parts if "" in beside or OTHER in beside else whole).append(match[0])
    literals = {text for text in re.split(f"[{GAP}{OTHER}]", skeleton) if text} or {""}
    return Need(sorted(literals, key=len, reverse=True), whole, parts)


def _alternatives(tokens: Iterator[re.Match[str]]) -> list[str]:
    """The skeletons of one group, up to its closing bracket."""
    done: list[str] = []
    before, last = [""], [""]  # what is written out, and the element that a quantifier would repeat
    for token in tokens:
        kind = token.lastgroup
        if kind == "close":
            break
        if kind == "quantifier":
            optional = token[0][0] in "*?" or token[0].startswith(("{0", "{,"))
            last = [OTHER] if optional else [text if text == GAP else f"{text}{OTHER}" for text in last]
            continue
        before, last = _product(before, last), _element(token, tokens)
        if kind == "or":
            done += before
            before = [""]
    return [*done, *_product(before, last)]


def _element(token: re.Match[str], tokens: Iterator[re.Match[str]]) -> list[str]:
    match token.lastgroup:
        case "open" | "negative":
            inside = _alternatives(tokens)
            return [OTHER] if token.lastgroup == "negative" or len(inside) > MOST_ALTERNATIVES else inside
        case "gap":
            return [GAP]
        case "class":
            return [OTHER]
        case "set":
            return [_of_set(token[0])]
        case "escaped" if token["escaped"].isalnum():
            return [OTHER]
        case "escaped" | "literal":
            return [(token["escaped"] or token[0]).lower()]
        case _:
            return [""]


def _of_set(text: str) -> str:
    """[Nn] is the letter n; a set without letters is a gap."""
    inside = text[1:-1]
    if len(set(inside.lower())) == 1:
        return inside[0].lower()
    without_letters = not inside.startswith("^") and not re.search(
        r"[A-Za-z\x80-\U0010ffff]", re.sub(r"\\[sd]", "", inside)
    )
    return GAP if without_letters else OTHER


def _product(left: list[str], right: list[str]) -> list[str]:
    if len(left) * len(right) > MOST_ALTERNATIVES:
        return [f"{text}{OTHER}" for text in left]
    return [a + b for a in left for b in right]
