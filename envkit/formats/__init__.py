"""One file per output of a report; each has `render(report, style) -> str`."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from envkit.errors import InputError, did_you_mean
from envkit.findings import Report, Status, Verdict

MARKS: dict[Status, tuple[str, str]] = {  # sign and SGR colour
    "fail": ("✗", "31"),
    "crash": ("!", "35"),
    "warn": ("▲", "33"),
    "unknown": ("?", "36"),
    "pass": ("✓", "32"),
    "skip": ("-", "2"),
}
VERDICT_MARKS: dict[Verdict, Status] = {
    "healthy": "pass",
    "degraded": "warn",
    "unhealthy": "fail",
    "unknown": "unknown",
}
Tone = Literal["plain", "bold", "dim"]
_SGR: dict[Tone, str] = {"plain": "", "bold": "1", "dim": "2"}


@dataclass(frozen=True)
class Style:
    """How much, how wide, and whether in colour."""

    width: int = 100
    colour: bool = False
    verbose: bool = False

    def paint(self, text: str, tone: Tone) -> str:
        """The text in a tone; indentation stays bare."""
        return self._sgr(text, _SGR[tone])

    def mark(self, status: Status) -> str:
        """The sign of a status: ✓, ✗, ..."""
        return self._sgr(*MARKS[status])

    def _sgr(self, text: str, code: str) -> str:
        body = text.lstrip(" ")
        return text[: len(text) - len(body)] + f"\x1b[{code}m{body}\x1b[0m" if self.colour and code else text


class Format(Protocol):
    """What a file of this folder is."""

    def render(self, report: Report, style: Style) -> str: ...


def names() -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


def find(name: str) -> Format:
    """The format of that name.

    Raises:
        InputError: there is none.
    """
    if name not in names():
        raise InputError(
            f"--format: {name!r} is no format{did_you_mean(name, names())}",
            hint=f"there are: {', '.join(names())}",
        )
    return cast("Format", importlib.import_module(f"{__name__}.{name}"))
