"""A report that `envkit report` wrote, whole or pasted into an issue or a chat."""

from __future__ import annotations

import json
import re

from envkit.errors import InputError
from envkit.facts import SECTIONS, Facts, decode
from envkit.readers._fields import decoded

NAME = "envkit report"
SCHEMA = "envkit.attachment/1"
TITLE = "envkit report"
END = "End of the envkit report."

_START = re.compile(r'\{\s{0,20}"schema"\s{0,4}:\s{0,4}"(envkit\.attachment/\d{1,6})"')
_TITLE = re.compile(rf"^[^\n\w]{{0,10}}{TITLE}\b[^\n]{{0,200}}$", re.MULTILINE)
_TOO_SHORT = "attach the file itself: a comment at GitHub takes 65,536 characters, a message at Slack fewer"


def read(text: str) -> Facts | None:
    """The facts of the first report in the text; None also where it cannot be read."""
    try:
        return found[0] if (found := taken_out(text)) else None
    except InputError:
        return None


def taken_out(text: str) -> tuple[Facts, str] | None:
    """The facts of the first report, and the text without any: what they quote was read when they were written.

    Raises:
        InputError: it is of a later envkit, cut off, or damaged.
    """
    if "envkit.attachment/" not in text:
        return None
    start = _START.search(text)
    if start is None:
        if _TITLE.search(text):
            raise InputError("the report is damaged: its JSON has other quotation marks, or none", hint=_TOO_SHORT)
        return None
    if start[1] != SCHEMA:
        raise InputError(
            f"the report is of schema {start[1]}, and this envkit reads {SCHEMA}",
            hint="judge it with the envkit that wrote it, or a later one",
        )
    try:
        value, length = decoded(text, start.start())
    except (ValueError, RecursionError) as error:
        raise InputError("the report is cut off or damaged: its JSON does not end", hint=_TOO_SHORT) from error
    if not isinstance(value.get("facts"), dict):
        raise InputError("the report is damaged: it has no facts", hint=_TOO_SHORT)
    try:
        facts = decode(json.dumps(value["facts"]), "the report")
    except InputError as error:
        raise InputError(error.message, hint="judge it with the envkit that wrote it, or a later one") from error
    if all(getattr(facts, name).outcome != "ok" for name in SECTIONS):
        raise InputError("the report is damaged: it has no facts", hint=_TOO_SHORT)
    titles = [title.start() for title in _TITLE.finditer(text, 0, start.start())]
    end = text.find(END, start.start() + length)
    end = end + len(END) if end >= 0 else start.start() + length
    return facts, text[: titles[-1] if titles else start.start()] + _without(text[end:])


def _without(text: str) -> str:
    """The text without the reports in it, whole or not: those after the first are not judged."""
    while (start := _START.search(text)) and (titles := list(_TITLE.finditer(text, 0, start.start()))):
        end = text.find(END, start.start())
        text = text[: titles[-1].start()] + (text[end + len(END) :] if end >= 0 else "")
    return text
