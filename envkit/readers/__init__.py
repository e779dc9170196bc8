"""Readers: text that somebody pasted, of any tool, into partial facts. One module per tool, found by being here.

A reader is a module with

    NAME: str                              what it is called in `Facts.sources`: "nvidia-smi -q"
    def read(text: str) -> Facts | None    partial facts from wherever in the text its tool speaks; None: nowhere

A reader finds its own part among prose, shell prompts, markdown and the output of other tools. It looks only at lines
with a mark of its tool (`_lines`: 50 MB pass through every reader), takes time linear in the text and keeps no more
than a machine has, and never raises because of it. What the text does not say, or says is not available, stays None.
Several machines or environments in one text are for the reader to tell apart: it takes the first.

The text it is handed has been through `plain_text`: LF line ends, no escape sequences, no "> " of quotations, nothing
that a job's log writes before every line. Modules whose name starts with "_" are helpers: `_text`, `_lines` and
`_fields` have what most readers need.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol

import msgspec

from envkit.errors import InputError
from envkit.facts import SECTIONS, Facts, Section
from envkit.readers import attachment, facts_json
from envkit.readers._merge import merge
from envkit.readers._text import plain_text

__all__ = ["Reader", "discover", "plain_text", "read_all"]

UNREAD: Section[object] = Section(why="not in the text")


class Reader(Protocol):
    """What a module of this folder offers."""

    NAME: str

    def read(self, text: str, /) -> Facts | None:
        """Partial facts found anywhere in the text."""


def discover() -> dict[str, Reader]:
    """Every reader by its name, in the order of the files."""
    names = [info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {module.NAME: module for module in modules}


def read_all(text: str | bytes, origin: str = "the text") -> Facts:
    """The facts that all readers together find in a text; `sources` names those readers.

    Args:
        text: bytes are UTF-8, or UTF-16 or UTF-32 with a byte order mark; what cannot be decoded is replaced.
        origin: names the text in errors.

    Raises:
        InputError: no reader recognises anything.
    """
    plain = plain_text(text)
    readers = discover()
    report = attachment.taken_out(plain)
    own = report or facts_json.taken_out(plain)
    if own and not own[1].strip():
        return own[0]
    partial = [(attachment.NAME if report else facts_json.NAME, own[0])] if own else []
    others = own[1] if own else plain
    partial += [(name, facts) for name, reader in readers.items() if (facts := reader.read(others))]
    if report and len(partial) == 1:  # an issue's words around it
        return report[0]
    if not partial:
        raise InputError(
            f"{origin}: nothing in it is the output of a tool that envkit reads",
            hint=f"`envkit explain` takes logs and tracebacks; read here are: {'; '.join(readers)}",
        )
    facts = merge([facts for _, facts in partial], sources=[name for name, _ in partial])
    unread = [name for name in SECTIONS if getattr(facts, name).outcome == "unknown" and not getattr(facts, name).facts]
    return msgspec.structs.replace(
        facts, **{name: UNREAD for name in unread if getattr(facts, name).why == "not asked"}
    )
