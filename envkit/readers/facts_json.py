"""envkit's own facts, as `envkit probe` prints them, alone or within a paste."""

from __future__ import annotations

import json
import re

from envkit.errors import InputError
from envkit.facts import SCHEMA, Facts, decode
from envkit.readers._fields import document_at

NAME = "envkit probe"

_START = re.compile(r'\{\s{0,20}"schema"\s{0,4}:\s{0,4}"' + re.escape(SCHEMA) + '"')


def read(text: str) -> Facts | None:
    """The first facts in the text."""
    value = document_at(text, _START.search(text)) if SCHEMA in text else None
    if value is None:
        return None
    try:
        return decode(json.dumps(value), NAME)
    except InputError:  # of a later envkit
        return None
