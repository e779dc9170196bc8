"""The inspected interpreter, asked from a thread: its sections, or why they did not come."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from envkit import harness
from envkit.facts import Facts, Section, absent, ok, unknown
from envkit.facts.software import Python
from envkit.interpreter import LOOKED_AT, Interpreter
from envkit.target import FLOOR, program

GIVING_UP_SECONDS = 2.0  # the harness looks every 0.2 s, and waits a second for what it killed
NOISE_CHARACTERS = 2000
DEEP = "_deep"

Sections = dict[str, Section[Any]]


class Payload(threading.Thread):
    """The conversation with the inspected interpreter: even starting that can hang, where its file system does."""

    def __init__(
        self,
        python: Interpreter | None,
        names: Sequence[str],
        *,
        deep_names: Sequence[str],
        deadline_seconds: float,
        deep_deadline_seconds: float,
        end: float,
    ) -> None:
        super().__init__(name="payload", daemon=True)
        self.python = python
        self.names = names
        self.deep_names = deep_names
        self.deadline_seconds = deadline_seconds
        self.deep_deadline_seconds = deep_deadline_seconds
        self.end = end
        self.sections: Sections = {}
        self.runs = threading.Event()
        self.ended = threading.Event()  # join() does not survive Ctrl-C: https://github.com/python/cpython/issues/90882
        self.given_up = False
        self.error: Exception | None = None

    def run(self) -> None:
        """Ask for what metadata tell, then import one framework after the other."""
        try:
            self.sections = _inspect(self.python, self.names, self.deadline_seconds, self._on_idle)
            self.runs.set()
            for name in self.deep_names:
                seconds = min(self.deep_deadline_seconds, self.end - time.monotonic())
                section = _inspect_deeply(self.python, name, self.sections, seconds, self._on_idle)
                self.sections = {**self.sections, name: section}
        except Exception as error:  # noqa: BLE001 - raised again where the sections are asked for
            self.error = error
        finally:
            self.ended.set()

    def _on_idle(self, _pid: int) -> None:
        self.runs.set()
        if self.given_up:
            raise InterruptedError("envkit ends")

    def answer(self, end: float) -> Sections:
        """Its sections, waited for until then on the monotonic clock."""
        self.ended.wait(max(0.0, end - time.monotonic()))
        if self.error:
            raise self.error
        silent = [name for name in (*self.names, *self.deep_names) if name not in self.sections]
        where = f"{self.python.path}: " if self.python else ""
        return {
            **dict.fromkeys(silent, unknown(f"{where}no answer within {self.deadline_seconds:g} s")),
            **self.sections,
        }

    def give_up(self) -> None:
        """Let the harness end the child."""
        self.given_up = True
        self.ended.wait(GIVING_UP_SECONDS)


def _inspect(
    python: Interpreter | None,
    names: Sequence[str],
    deadline_seconds: float,
    on_idle: Callable[[int], None],
) -> Sections:
    """Sections that the payload fills from metadata."""
    if not names or python is None:
        return dict.fromkeys(names, _no_python())
    child = harness.run(
        [python.path, "-"],
        stdin=program(names),
        deadline_seconds=deadline_seconds,
        env=_without_traces(),
        on_idle=on_idle,
    )
    sections = {name: _received(child, name) or unknown(_silence(python, child), child.seconds) for name in names}
    if "python" in sections and (version := _too_old(child)):
        sections["python"] = ok(Python(executable=python.path, version=version, looked_into=False), child.seconds)
    facts = sections["python"].facts if "python" in sections else None
    if isinstance(facts, Python):
        noise = f"{child.stdout}{child.stderr}".strip()[:NOISE_CHARACTERS] or None
        facts = msgspec.structs.replace(facts, found_by=python.how, started_with_noise=noise)
        sections["python"] = msgspec.structs.replace(sections["python"], facts=facts)
    return sections


def _inspect_deeply(
    python: Interpreter | None,
    name: str,
    sections: Sections,
    deadline_seconds: float,
    on_idle: Callable[[int], None],
) -> Section[Any]:
    """A section that needs its framework imported; a crash of the import is an answer, a hang is not."""
    installed = sections.get(name.removesuffix(DEEP))
    if python is None or (installed and installed.outcome != "ok"):
        return msgspec.structs.replace(installed, seconds=0.0) if installed else _no_python()
    if deadline_seconds <= 0:
        return unknown("not imported: the time for the whole run was over")
    child = harness.run(
        [python.path, "-"],
        stdin=program([name]),
        deadline_seconds=deadline_seconds,
        env=_without_traces(),
        on_idle=on_idle,
    )
    section = _received(child, name)
    if child.succeeded:
        return section or unknown(_silence(python, child), child.seconds)
    if section and section.facts:  # it was imported, and died of what it was asked next
        return msgspec.structs.replace(section, facts=msgspec.structs.replace(section.facts, error=_ending(child)))
    if child.outcome in ("timeout", "not-started"):
        return unknown(_silence(python, child), child.seconds)
    facts = {"imported": False, "error": _ending(child)}
    return _typed({"outcome": "ok", "why": "", "seconds": child.seconds, "facts": facts}, name)


def _without_traces() -> dict[str, str]:
    """Looking changes nothing: neither the payload nor a .pth file that runs before it may write bytecode."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def _received(child: harness.Child, name: str) -> Section[Any] | None:
    """The last record of a section, typed."""
    records = [record for record in child.records if record.get("section") == name]
    return _typed(records[-1], name) if records else None


def _typed(record: Mapping[str, object], name: str) -> Section[Any]:
    field = next(field for field in msgspec.structs.fields(Facts) if field.name == name)
    try:
        section: Section[Any] = msgspec.convert(record, field.type)
    except msgspec.ValidationError as error:
        return unknown(f"the inspected interpreter's answer cannot be read: {error}")
    return section


def _silence(python: Interpreter, child: harness.Child) -> str:
    """Why a section did not come."""
    if version := _too_old(child):
        return f"{python.path} is Python {version}: envkit looks into {'.'.join(map(str, FLOOR))} and newer"
    if child.succeeded:
        return f"{python.path} ended without an answer: is it a Python?"
    return f"{python.path}: {_ending(child)}"


def _too_old(child: harness.Child) -> str:
    """The version of an interpreter that the payload does not run on."""
    versions = [record["version"] for record in child.records if record.get("error") == "unsupported-python"]
    return str(versions[0]) if versions else ""


def _ending(child: harness.Child) -> str:
    """How it ended and the line of stderr that tells most: a fatal error of Python is followed by a dump of threads."""
    lines = [line.strip() for line in child.stderr.split("\n") if line.strip()]
    telling = [line for line in lines if "rror:" in line] or lines
    return f"{child.why()}: {telling[-1]}" if telling else child.why()


def _no_python() -> Section[Any]:
    return absent(f"no Python found: looked at {LOOKED_AT}")
