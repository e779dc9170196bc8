"""The frame of the payload: records on a private copy of stdout, modules from memory, each section guarded."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # the typing module would cost a tenth of the payload's time
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import Any

PACKAGE = "envkit_target"


class Sources:
    """Imports the modules of the payload from their text, which came with the program."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    def find_spec(self, name: str, *_path_and_target: object) -> ModuleSpec | None:
        package, _, stem = name.rpartition(".")
        if name == PACKAGE:
            return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        return ModuleSpec(name, self) if package == PACKAGE and stem in self.sources else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the making of the module to Python."""

    def exec_module(self, module: ModuleType) -> None:
        stem = module.__name__.rpartition(".")[2]
        if stem in self.sources:
            exec(compile(self.sources[stem], f"<envkit/target/{stem}.py>", "exec"), module.__dict__)  # noqa: S102 - ours


def run(sources: Mapping[str, str], wanted: Sequence[str]) -> None:
    """Observe each section and write its records, framed as RFC 7464 says."""
    sys.stdout.flush()  # what a sitecustomize printed came before us and must not be taken for a framework's words
    out = os.dup(1)
    os.dup2(2, 1)
    sys.dont_write_bytecode = True  # looking changes nothing
    sys.meta_path.insert(0, Sources(sources))
    for section in wanted:
        for record in answer(section):
            text = json.dumps(record, ensure_ascii=False)
            os.write(out, b"\x1e" + text.encode("utf-8", "replace") + b"\n")  # a path need not be UTF-8
    os._exit(0)  # all is said: a framework's own clean-up is slow, and a crash in it would say nothing


def answer(section: str) -> Iterator[dict[str, Any]]:
    """The records of a section; a later one replaces those before it."""
    name, deep, _ = section.partition("_deep")
    started = time.perf_counter()

    def record(outcome: str, why: str = "", facts: dict[str, Any] | None = None) -> dict[str, Any]:
        seconds = round(time.perf_counter() - started, 6)
        return {"section": section, "outcome": outcome, "why": why, "seconds": seconds, "facts": facts}

    try:
        module = import_module(f"{PACKAGE}.{name}")
        for facts in module.observe_deep() if deep else [module.observe()]:
            if facts is None:
                yield record("absent", f"{name} is not installed in {sys.executable}")
            else:
                yield record("ok", facts=facts)
    except Exception as error:  # noqa: BLE001 - whatever is broken there, the other sections can still be told
        yield record("unknown", f"{type(error).__name__}: {error}")
