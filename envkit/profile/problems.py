"""What is wrong in a profile: every problem, each with file, line, key, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from envkit.errors import InputError


@dataclass(frozen=True)
class Problem:
    """One problem. line counts from 1; 0 means the file as a whole. key is dotted: "requires.memory", "packages[2]"."""

    file: str
    line: int
    key: str
    message: str
    expected: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        expected = f"; expected {self.expected}" if self.expected and not self.message.endswith("?") else ""
        return ": ".join(part for part in (place, self.key, self.message + expected) if part)


class ProfileErrors(InputError):  # noqa: N818 - all of them at once
    """Everything that is wrong in a profile and in what it extends, one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Source:
    """A file being read: where its keys stand, and what was found wrong. `problems` may be shared between files."""

    file: str
    problems: list[Problem]
    lines: dict[str, int] = field(default_factory=dict)

    def problem(self, line: int, key: str, message: str, expected: str = "") -> None:
        self.problems.append(Problem(self.file, line, key, message, expected))
