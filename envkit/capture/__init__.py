"""The facts of this machine: the probes here and the payload in the inspected interpreter, side by side."""

from __future__ import annotations

import importlib
import pkgutil
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from typing import Any

import msgspec

from envkit import __version__
from envkit.capture.payload import DEEP, Payload
from envkit.facts import SECTIONS, Facts, Section, unknown
from envkit.interpreter import Interpreter
from envkit.target import modules

GRACE_SECONDS = 2.0  # a probe with a deadline of its own answers just after it
LAST_SECONDS = 0.3  # the same, where an answer must come by then


def capture(
    *,
    python: Interpreter | None,
    target: str = "",
    root: str = "/",
    deep: bool = False,
    deadline_seconds: float = 10.0,
    deep_deadline_seconds: float = 120.0,
    all_within_seconds: float | None = None,
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
        all_within_seconds: for everything together, in the place of the other two; 0.3 s later this returns.
        only: the sections wanted, all others stay "not asked"; empty: all.
        probes: the package that holds the probes.
        meanwhile: called once, while the inspected interpreter works: time for what does not need the facts.
    """
    wanted = [name for name in SECTIONS if not only or name in only]
    started = time.monotonic()
    names = [name for name in wanted if name in modules()]
    deep_names = [name for name in wanted if deep and name.endswith(DEEP)]
    deadline_seconds = all_within_seconds or deadline_seconds
    deep_deadline_seconds = all_within_seconds or deep_deadline_seconds
    patience_seconds = deadline_seconds + GRACE_SECONDS + len(deep_names) * (deep_deadline_seconds + GRACE_SECONDS)
    end = started + (all_within_seconds or patience_seconds)
    options = {"root": root, "target": target, "deadline_seconds": deadline_seconds, "deep": deep}
    running = [Probe(probes, name, options) for name in discover(probes) if name in wanted]
    payload = Payload(
        python,
        names,
        deep_names=deep_names,
        deadline_seconds=deadline_seconds,
        deep_deadline_seconds=deep_deadline_seconds,
        end=end,
    )
    try:
        # The payload takes longest: it is started first, and the probes as soon as it runs.
        payload.start()
        payload.runs.wait(LAST_SECONDS)
        for probe in running:
            probe.start()
        if meanwhile:
            meanwhile()
        sections = payload.answer(end + LAST_SECONDS)
    except BaseException:  # Ctrl-C: its child does not go on
        payload.give_up()
        raise
    sections |= {probe.section_name: probe.answer(started + deadline_seconds, end) for probe in running}
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

    def answer(self, deadline: float, end: float) -> Section[Any]:
        """Its section, waited for until the deadline on the monotonic clock and, unless that is the end, a grace."""
        self.join(max(0.0, deadline - time.monotonic()))
        if self.is_alive():
            self.join(min(self.grace_seconds, max(0.0, end + LAST_SECONDS - time.monotonic())))
        allowed = self.options["deadline_seconds"]
        return self.section or unknown(f"no answer within {allowed:g} s")
