"""Checks: pure functions from facts to findings, one file per topic, found by their decorator.

A check's name is its id in kebab-case, its docstring's first line is its title. Its positional parameters name what it
needs: fact sections (`nvidia: Nvidia`), `facts` (all of them), `profile`, `knowledge`. A section that is not there
makes the check a skip, unless the annotation allows it: `torch: Torch | None` gets None where PyTorch is absent.
Keyword-only parameters with defaults are its thresholds, which a profile may set.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from envkit.findings import AREAS, Area, Findings

CheckFunction = TypeVar("CheckFunction", bound=Callable[..., Findings])


@dataclass(frozen=True)
class Check:
    """A check and what it says about itself."""

    id: str
    area: Area
    after: tuple[str, ...]
    function: Callable[..., Findings]
    needs: tuple[str, ...]
    """Names of its positional parameters."""
    accepts_absent: frozenset[str]
    """Those that may be None: the section is absent."""
    thresholds: dict[str, object]
    """Its keyword-only parameters and their defaults."""

    @property
    def title(self) -> str:
        return self.description.split("\n", 1)[0]

    @property
    def description(self) -> str:
        return inspect.getdoc(self.function) or ""


def check(*, area: Area, after: str | tuple[str, ...] = ()) -> Callable[[CheckFunction], CheckFunction]:
    """Mark a function as a check. `after` names the checks whose failure explains its own."""

    def mark(function: CheckFunction) -> CheckFunction:
        function.__check__ = (area, (after,) if isinstance(after, str) else after)  # type: ignore[attr-defined]
        return function

    return mark


def discover() -> dict[str, Check]:
    """Every check of envkit by its id, in the order of areas, files and lines."""
    found = [
        _describe(function)
        for info in pkgutil.iter_modules(__path__, f"{__name__}.")
        for function in vars(importlib.import_module(info.name)).values()
        if callable(function) and hasattr(function, "__check__")
    ]
    return {c.id: c for c in sorted(found, key=lambda c: AREAS.index(c.area))}


def _describe(function: Callable[..., Findings]) -> Check:
    area, after = function.__check__  # type: ignore[attr-defined]
    # inspect.signature says the same in ten times the time, for every check at every start.
    needs = function.__code__.co_varnames[: function.__code__.co_argcount]
    return Check(
        id=function.__name__.replace("_", "-"),
        area=area,
        after=after,
        function=function,
        needs=needs,
        accepts_absent=frozenset(name for name in needs if str(function.__annotations__[name]).endswith("| None")),
        thresholds=dict(function.__kwdefaults__ or {}),
    )
