"""The table of packages' names: what a misspelt one may stand for."""

from __future__ import annotations

from envkit.knowledge.tables import Row, Table


class WrongName(Row, frozen=True, kw_only=True):
    """A name that is never what is meant."""

    instead: str
    """The requirement that is meant, without a version."""
    why: str


class PackageNames(Table, frozen=True, kw_only=True):
    known_source: str
    known: dict[str, list[str]]
    """By field."""
    wrong: dict[str, WrongName]

    @property
    def well_known(self) -> list[str]:
        return [name for names in self.known.values() for name in names]
