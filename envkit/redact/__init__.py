"""Take out of a text what must not get out: secrets, people, machines; and what would drive a terminal.

What is put in a secret's place is `***`; a person or a machine gets a name of its own (<user-1>, <host-2>, GPU-1), the
same everywhere in what is redacted together, so that what belongs together still does. Linear in the text, and what
was JSON stays JSON: no match takes a quote or half of an escape, no replacement has either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from envkit.redact import addresses, people, secrets
from envkit.redact.here import Identity, identity
from envkit.redact.rules import apply, words_of

__all__ = ["Identity", "Redactor", "identity", "plain", "redact"]

_CONTROL = {**dict.fromkeys((*range(32), *range(127, 160)), "\ufffd"), ord("\n"): " ", ord("\t"): " "}
_BETWEEN = '\n",\0,"\n'  # a comma ends what a quotation mark might have begun
_TAKEN = r"<([a-z-]{1,20})-(\d{1,6})>"
_DEVICE_TAKEN = r"(?:GPU|MIG)-(\d{1,3})\b"


def plain(text: str) -> str:
    """One line without control characters: the name of a device, or a file of facts, must not drive the terminal."""
    return text.translate(_CONTROL)


def redact(text: str, *, home: str | None = None, host: str | None = None) -> str:
    """The text without secrets, and with stand-ins for who and what could be recognised by it.

    Args:
        text: a report, as it would be printed; JSON is still JSON afterwards.
        home: the home folder, which becomes ~; None takes this user's.
        host: the host's name; None takes this machine's, and what its scheduler names.
    """
    return Redactor(identity(home=home, host=host)).text(text)


class Redactor:
    """Redacts several texts alike, and remembers what it took out."""

    def __init__(self, who: Identity) -> None:
        self.who = who
        self.hidden: dict[str, dict[str, str]] = {}
        """Kind to what was hidden and what stands for it."""
        self.kept: frozenset[str] = frozenset()
        """Words that must stay, in lower case: whoever is called so is hidden only where a person's name stands."""
        self.look_again = False
        """Something went that may have hidden what stands beside it."""
        self._last: dict[str, int] = {}

    def text(self, text: str, *, strict: bool = False) -> str:
        """One text, redacted; if strict, without hosts in addresses, unless they are known to all (github.com)."""
        self.reserve(text)
        for _ in range(3):
            self.look_again = False
            words = words_of(text)
            text = apply(secrets.RULES, text, words, self)
            text = people.hide(text, words, self, strict=strict)
            text = addresses.hide(text, words, self)
            if not self.look_again:
                break
        return text

    def texts(self, texts: Sequence[str], *, strict: bool = False) -> list[str]:
        """Several texts as one, which is quicker; nothing is matched across two of them."""
        parts = self.text(_BETWEEN.join(texts), strict=strict).split(_BETWEEN) if texts else []
        return parts if len(parts) == len(texts) else [self.text(text, strict=strict) for text in texts]

    def reserve(self, text: str) -> None:
        """Give nothing new a name that stands in the text already, from an earlier redaction."""
        if "<" in text:
            for kind, number in re.findall(_TAKEN, text):
                self._last[kind] = max(self._last.get(kind, 0), int(number))
        if "GPU-" in text or "MIG-" in text:
            self._last["device"] = max(self._last.get("device", 0), *map(int, re.findall(_DEVICE_TAKEN, text)), 0)

    def secret(self, kind: str, value: str) -> str:
        """What stands for every secret."""
        if value != "***":
            self.hidden.setdefault(kind, {})[value] = "***"
        return "***"

    def name(self, kind: str, value: str, form: str = "", counter: str = "") -> str:
        """The name that stands for a value of a kind ("user", "host", ...), the same each time."""
        names = self.hidden.setdefault(kind, {})
        if value not in names:
            number = self._last[counter or kind] = self._last.get(counter or kind, 0) + 1
            names[value] = (form or "<{kind}-{number}>").format(kind=kind, number=number)
        return names[value]

    def removed(self) -> dict[str, int]:
        """Kind to how many different values were taken out."""
        return {kind: len(values) for kind, values in sorted(self.hidden.items()) if values}
