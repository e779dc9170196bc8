"""The shape of each table under knowledge/: what its YAML may say."""

from __future__ import annotations

from datetime import date

import msgspec

from envkit.findings import Remedy


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row may carry."""

    source: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every file carries."""

    as_of: date


class ImportFailure(Row, frozen=True, kw_only=True):
    """Why an import failed. pattern: a regular expression; cause may name its first group as {1}.

    bytecode: it is cured by removing every __pycache__ of the environment.
    """

    pattern: str
    cause: str
    remedy: str
    bytecode: bool = False


class ImportErrors(Table, frozen=True, kw_only=True):
    errors: dict[str, ImportFailure]


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an error text can come from.

    checks: ids of the checks that see it on a machine. consequences: causes whose symptoms often follow from it.
    part_of: the wider cause of which it is one form, and whose name is reported. environment: False where the program
    is at fault.
    """

    title: str
    remedy: Remedy
    checks: list[str] = []
    consequences: list[str] = []
    part_of: str = ""
    environment: bool = True


class Causes(Table, frozen=True, kw_only=True):
    causes: dict[str, Cause]


class Translations(Table, frozen=True, kw_only=True):
    """English phrases of the system's messages to the same in other languages."""

    translations_source: str
    translations: dict[str, list[str]]

    def english(self) -> dict[str, str]:
        """What systems say in other languages, to the English that signatures have."""
        return {foreign: english for english, phrases in self.translations.items() for foreign in phrases}


class Signature(Row, frozen=True, kw_only=True):
    """A line of text that tells a cause.

    pattern: a regular expression, searched in one line. confidence: how surely that line alone means the cause, 0 to 1.
    together and without: it counts only if each of these (none of these) matches some line of the text.
    excludes: causes that it rules out or explains away. program: the program is at fault, not the environment.
    sample: a line that it matches.
    """

    cause: str
    pattern: str
    confidence: float
    together: str | list[str] = msgspec.field(default=[], name="with")
    without: str | list[str] = []
    excludes: list[str] = []
    program: bool = False
    sample: str = ""

    @property
    def needs(self) -> list[str]:
        return [self.together] if isinstance(self.together, str) else self.together

    @property
    def refuted_by(self) -> list[str]:
        return [self.without] if isinstance(self.without, str) else self.without

    @property
    def conditions(self) -> list[str]:
        return self.needs + self.refuted_by


class Signatures(Table, frozen=True, kw_only=True):
    signatures: list[Signature]
