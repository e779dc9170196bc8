"""Which facts a check reads: those it names as its parameters, and what it looks up in all of them.

Checks are pure: one that has read nothing of the machine says the same on every machine, for the same image.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from envkit.checks import Check
from envkit.facts import SECTIONS
from envkit.findings import Findings
from envkit.phases.sections import ENVIRONMENT


class _Watched:
    """Stands for a struct whose fields are read: hands each to `seen`, which returns what the reader gets."""

    def __init__(self, of: object, seen: Callable[[str, Any], object]) -> None:
        self._of = of
        self._seen = seen

    def __getattr__(self, name: str) -> object:
        return self._seen(name, getattr(self._of, name))


def watched(checks: Mapping[str, Check], reads: dict[str, set[str]]) -> dict[str, Check]:
    """The same checks, which note in `reads`, by id, the sections that they read, and "environment"."""
    return {id_: _watched(check, reads.setdefault(id_, set())) for id_, check in checks.items()}


def _watched(check: Check, noted: set[str]) -> Check:
    noted.update(name for name in check.needs if name in SECTIONS)

    def of_python(name: str, value: object) -> object:
        if name == ENVIRONMENT:
            noted.add(name)
        return value

    def of_facts(name: str, value: Any) -> object:
        if name in SECTIONS:
            noted.add(name)
        return replace(value, facts=_Watched(value.facts, of_python)) if name == "python" and value.facts else value

    seers = {"python": of_python, "facts": of_facts}

    @functools.wraps(check.function)
    def function(*given: object, **thresholds: object) -> Findings:
        handed = [
            _Watched(value, seers[name]) if name in seers and value is not None else value
            for name, value in zip(check.needs, given, strict=True)
        ]
        return list(check.function(*handed, **thresholds))

    return dataclasses.replace(check, function=function)
