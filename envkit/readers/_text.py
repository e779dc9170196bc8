"""What most readers need: text made plain, sizes and numbers as tools print them."""

from __future__ import annotations

import codecs
import re

_ENCODINGS = {  # UTF-32 first: its little-endian mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]{0,16}[ -/]?[@-~]|\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)|[@-Z\\^_])")
_QUOTED = re.compile(r"^(?:>[ \t]?)+", re.MULTILINE)
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u202f", " ") | dict.fromkeys("\u200b\ufeff\u2060\x00", ""))
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(-?\d+(?:\.\d+)?)\s{0,4}(?:([KMGT]?)i?B)?\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def plain_text(text: str | bytes) -> str:
    """Decoded, with LF line ends, without terminal escapes, no-break spaces and the "> " of quotations."""
    if isinstance(text, bytes):
        encoding = next((name for mark, name in _ENCODINGS.items() if text.startswith(mark)), "utf-8")
        text = text.decode(encoding, "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_SPACES)
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return _QUOTED.sub("", text)


def size(words: str) -> int | None:
    """Bytes in "81920 MiB" or "16 GB" (powers of 1024, as drivers mean it), a bare number being bytes; else None."""
    found = _SIZE.match(words.strip())
    return int(float(found[1]) * _UNITS[(found[2] or "").upper()]) if found else None


def number(words: str) -> float | None:
    """The number that begins "27 C", "56.33 W", "1410 MHz" or "16x"; None where there is none, as in "[N/A]"."""
    found = _NUMBER.match(words.strip())
    return float(found[0]) if found else None


def whole(words: str) -> int | None:
    """As `number`, without its fraction."""
    value = number(words)
    return None if value is None else int(value)


def one_of(words: str, *known: str) -> str | None:
    """The known word that the words are, whatever their case; else None."""
    word = words.strip().lower()
    return word if word in known else None


def yes(words: str) -> bool | None:
    """True for yes, enabled, on, active; False for their opposites; else None."""
    word = words.strip().lower()
    return {
        **dict.fromkeys(("yes", "enabled", "on", "active"), True),
        **dict.fromkeys(("no", "disabled", "off", "not active"), False),
    }.get(word)
