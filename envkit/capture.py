"""The facts of this machine: the probes here and the payload in the inspected interpreter, side by side."""

from __future__ import annotations

import importlib
import os
import pkgutil
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import msgspec

from envkit import __version__, harness
from envkit.facts import SECTIONS, Facts, Section, absent, ok, unknown
from envkit.facts.software import Python
from envkit.interpreter import LOOKED_AT, Interpreter
from envkit.target import FLOOR, modules, program

GRACE_SECONDS = 2.0  # a probe with a deadline of its own answers just after it
NOISE_CHARACTERS = 2000
DEEP = "_deep"

Sections = dict[str, Section[Any]]


def capture(
    *,
    python: Interpreter | None,
    target: str = "",
    root: str = "/",
    deep: bool = False,
    deadline_seconds: float = 10.0,
    deep_deadline_seconds: float = 120.0,
    only: Collection[str] = (),
    probes: str = "envkit.probes",
    meanwhile: Callable[[], object] | None = None,
) -> Facts:
    """Observe this machine; never raises because of what is broken on it.

    Args:
        python: the interpreter to inspect; None where there is none.
        target: the folder where an environment is, or will be, built.
        root: where the files of the machine are read from.
        deep: import each installed framework too, one after the other: a GPU in exclusive mode takes only one at once.
        deadline_seconds: for all probes together, and for the payload.
        deep_deadline_seconds: for the import of each framework.
        only: the sections wanted, all others stay "not asked"; empty: all.
        probes: the package that holds the probes.
        meanwhile: called once, while the inspected interpreter works: time for what does not need the facts.
    """
    wanted = [name for name in SECTIONS if not only or name in only]
    options = {"root": root, "target": target, "deadline_seconds": deadline_seconds}
    started = time.monotonic()
    running = [Probe(probes, name, options) for name in discover(probes) if name in wanted]
    waiting = list(running)

    def while_it_works(_pid: int = 0) -> None:
        nonlocal meanwhile
        while waiting:
            waiting.pop().start()
        if meanwhile:
            work, meanwhile = meanwhile, None
            work()

    # The payload takes longest: it is started first, and the probes as soon as it runs.
    sections = inspect(python, [name for name in wanted if name in modules()], deadline_seconds, while_it_works)
    while_it_works()
    if deep:
        names = [name for name in wanted if name.endswith(DEEP)]
        sections |= {name: _inspect_deeply(python, name, sections, deep_deadline_seconds) for name in names}
    sections |= {probe.section_name: probe.answer(started + deadline_seconds) for probe in running}
    taken_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return msgspec.structs.replace(Facts(envkit=__version__, taken_at=taken_at), **sections)


def discover(package: str) -> list[str]:
    """The sections that have a probe: a module of their name in the package."""
    return [
        info.name for info in pkgutil.iter_modules(importlib.import_module(package).__path__) if info.name in SECTIONS
    ]


class Probe(threading.Thread):
    """One probe in a thread of its own, which is left behind when it does not return."""

    def __init__(self, package: str, name: str, options: Mapping[str, object]) -> None:
        super().__init__(name=f"probe {name}", daemon=True)
        self.package = package
        self.section_name = name
        self.options = options
        self.grace_seconds = 0.0
        self.section: Section[Any] | None = None

    def run(self) -> None:
        """Import the probe and let it observe; it is handed those options that it takes."""
        started = time.monotonic()
        try:
            observe = importlib.import_module(f"{self.package}.{self.section_name}").observe
            code = observe.__code__  # the inspect module would cost more than most probes
            taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            self.grace_seconds = GRACE_SECONDS if "deadline_seconds" in taken else 0.0
            section = observe(**{name: value for name, value in self.options.items() if name in taken})
            self.section = msgspec.structs.replace(section, seconds=time.monotonic() - started)
        except Exception as error:  # noqa: BLE001 - one broken probe must not take the others with it
            self.section = unknown(f"{type(error).__name__}: {error}", time.monotonic() - started)

    def answer(self, deadline: float) -> Section[Any]:
        """Its section, waited for until the deadline on the monotonic clock."""
        self.join(max(0.0, deadline - time.monotonic()))
        if self.is_alive():
            self.join(self.grace_seconds)
        allowed = self.options["deadline_seconds"]
        return self.section or unknown(f"no answer within {allowed:g} s")


def inspect(
    python: Interpreter | None,
    names: Sequence[str],
    deadline_seconds: float,
    on_idle: Callable[[int], None] | None = None,
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


def _inspect_deeply(python: Interpreter | None, name: str, sections: Sections, deadline_seconds: float) -> Section[Any]:
    """A section that needs its framework imported; a crash of the import is an answer, a hang is not."""
    installed = sections.get(name.removesuffix(DEEP))
    if python is None or (installed and installed.outcome != "ok"):
        return msgspec.structs.replace(installed, seconds=0.0) if installed else _no_python()
    child = harness.run(
        [python.path, "-"], stdin=program([name]), deadline_seconds=deadline_seconds, env=_without_traces()
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
