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
_PICTURES = re.compile(rb"\xf0[\x90-\xbf][\x80-\xbf]{2}")  # with one, every character of a text takes four bytes
_QUOTED = re.compile(r"^(?:>[ \t]?)+", re.MULTILINE)
_SPACES = dict.fromkeys("\u00a0\u2007\u202f", " ") | dict.fromkeys("\u200b\ufeff\u2060\x00", "")
_PREFIXES = (  # of every line, before what a tool wrote: of a job's log at GitHub, of Ray's workers
    re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ", re.MULTILINE),
    re.compile(r"^\([\w.:-]{1,80} pid=\d{1,8}(?:, ip=[\d.]{7,15})?\) ", re.MULTILINE),
)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_BEGINNING = 20_000
_SIZE = re.compile(r"(-?\d{1,15}(?:\.\d{1,15})?)\s{0,4}(?:([KMGT]?)i?B)?\b", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d+)?(?!\d)", re.ASCII)  # longer ones are noise


def plain_text(text: str | bytes) -> str:
    """Decoded, with LF line ends, without terminal escapes, no-break spaces and the "> " of quotations."""
    if isinstance(text, bytes):
        encoding = next((name for mark, name in _ENCODINGS.items() if text.startswith(mark)), "utf-8")
        if encoding.startswith("utf-8") and b"\xf0" in text:
            text = _PICTURES.sub(b"", text)
        text = text.decode(encoding, "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for space, plain in _SPACES.items():  # forty times as fast as str.translate, where a text is not all ASCII
        text = text.replace(space, plain)
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    for prefix in _PREFIXES:
        if prefix.search(text, 0, _BEGINNING):
            text = prefix.sub("", text)
    return _QUOTED.sub("", text) if text.startswith(">") or "\n>" in text else text


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
    """True for yes, enabled, on, active, true, degraded; False for their opposites; else None."""
    word = words.strip().lower()
    return {
        **dict.fromkeys(("yes", "enabled", "on", "active", "true", "degraded"), True),
        **dict.fromkeys(("no", "disabled", "off", "not active", "false", "full"), False),
    }.get(word)
