"""One file per output of a report; each has `render(report, style, facts) -> str`."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from envkit.errors import InputError, did_you_mean
from envkit.facts import Facts
from envkit.findings import FailOn, Remedy, Report, Status, Verdict

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
    """How much, how wide, whether in colour, and what is to look like a failure."""

    width: int = 100
    colour: bool = False
    verbose: bool = False
    fail_on: FailOn = "fail"

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
    """What a file of this folder is.

    The report comes redacted, the facts as they were observed: a text of theirs goes through `envkit.redact` first.
    """

    def render(self, report: Report, style: Style, facts: Facts) -> str: ...


def names() -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))


def tally(report: Report, *, verbose: bool = False) -> str:
    """How many checks ended how, as the last line of a report says it."""
    words: dict[Status, str] = {"fail": "failed", "warn": "warned", "unknown": "unknown", "crash": "crashed"}
    parts = [f"{report.count('pass')} checks passed"]
    parts += [f"{report.count(status)} {word}" for status, word in words.items() if report.count(status)]
    parts.append(f"{report.count('skip')} not applicable or not asked")
    return ", ".join(parts) + ("" if verbose else " (-v shows them)")


def whose(remedy: Remedy) -> str:
    """Who is needed for a remedy, as a remark behind its text."""
    return {"admin": " (needs an administrator)", "vendor": " (for the vendor of the machine)", "user": ""}[remedy.who]


def refuse_unknown(name: str) -> None:
    """Check a name without importing the format.

    Raises:
        InputError: there is no such format.
    """
    if name not in names():
        raise InputError(
            f"--format: {name!r} is no format{did_you_mean(name, names())}",
            hint=f"there are: {', '.join(names())}",
        )


def find(name: str) -> Format:
    """The format of that name.

    Raises:
        InputError: there is none.
    """
    refuse_unknown(name)
    return cast("Format", importlib.import_module(f"{__name__}.{name}"))
