"""One file per output of a report; each has `render(report, style) -> str`."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Protocol, cast

from envkit.errors import InputError, closest
from envkit.findings import Report


@dataclass(frozen=True)
class Style:
    """How much, how wide, and whether in colour."""

    width: int = 100
    colour: bool = False
    verbose: bool = False


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
        near = closest(name, names())
        raise InputError(
            f"--format: {name!r} is no format" + (f", did you mean {near!r}?" if near else ""),
            hint=f"there are: {', '.join(names())}",
        )
    return cast("Format", importlib.import_module(f"{__name__}.{name}"))
