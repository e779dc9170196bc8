"""envkit's own facts, as `envkit probe` prints them, alone or within a paste."""

from __future__ import annotations

import json
import re

from envkit.errors import InputError
from envkit.facts import SCHEMA, Facts, decode
from envkit.readers._fields import decoded

NAME = "envkit probe"

_START = re.compile(r'\{\s{0,20}"schema"\s{0,4}:\s{0,4}"' + re.escape(SCHEMA) + '"')


def read(text: str) -> Facts | None:
    """The first facts in the text."""
    return found[0] if (found := taken_out(text)) else None


def taken_out(text: str) -> tuple[Facts, str] | None:
    """The first facts, and the text without them: what they quote was read when they were taken."""
    start = _START.search(text) if SCHEMA in text else None
    if start is None:
        return None
    try:
        value, length = decoded(text, start.start())
        return decode(json.dumps(value), NAME), text[: start.start()] + text[start.start() + length :]
    except (ValueError, RecursionError, InputError):  # cut off, or of a later envkit
        return None
