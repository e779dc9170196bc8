"""Errors that end a command: one clear line for the user and an exit status.

EnvkitError            1
├── InputError         2   wrong usage, profile, file, option or version
├── CannotTell         3   the question could not be answered
└── SetupError         1   an environment could not be built; the old one is untouched
"""

from __future__ import annotations

from collections.abc import Iterable


class EnvkitError(Exception):
    """Something the user must know, said in one line; `hint` says what to do about it.

    `details` is the text of the program that failed, without credentials: shown with -v.
    """

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class InputError(EnvkitError):
    """What the user gave is wrong: says what, where, what was expected."""

    exit_status = 2


class CannotTell(EnvkitError):  # noqa: N818 - an answer, not a defect
    """The machine gave no answer that a verdict could rest on."""

    exit_status = 3


class SetupError(EnvkitError):
    """An environment could not be built."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What to add about a misspelt name: the known one nearest to it, or "" where none is near."""
    near = closest(name, known)
    return f", did you mean {near!r}?" if near else ""


def closest(name: str, known: Iterable[str]) -> str:
    """The known name nearest to a misspelt one, or ""."""
    import difflib  # noqa: PLC0415 - for an error message only

    return next(iter(difflib.get_close_matches(name, list(known), n=1)), "")
