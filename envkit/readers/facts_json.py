"""envkit's own facts, as `envkit probe` prints them, alone or within a paste."""

from __future__ import annotations

import json
import re

from envkit.errors import InputError
from envkit.facts import SCHEMA, Facts, decode

NAME = "envkit probe"

_START = re.compile(r'\{\s{0,20}"schema"\s{0,4}:\s{0,4}"' + re.escape(SCHEMA) + '"')


def read(text: str) -> Facts | None:
    """The first facts in the text."""
    start = _START.search(text) if SCHEMA in text else None
    if start is None:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start.start())
        return decode(json.dumps(value), NAME)
    except (ValueError, RecursionError, InputError):  # cut off, or of a later envkit
        return None
