"""The child of one rank: imports its framework, runs the worker, says what came of it.

Runs in the inspected interpreter, sent on its stdin: standard library only, Python 3.9 and newer.
Records, each framed by 0x1E and LF, on the original stdout (whatever the framework prints goes to stderr):

    {"rank": 0, "host": "node1", "pid": 123}
    {"stage": "import" | "meet" | "all-reduce" | ..., "model": ..., "step": ..., "ranks": [...]}
    {"version": ..., "device": ...}
    {"wrong": {"check", "ranks", "message"}}           a collective gave other values than it should
    {"trained": {"case", "losses", "travel", ...}}     what this rank computed, case by case
    {"world": {"1": {"host", "trained", ...}}}         what the other ranks computed, at the end
    {"failed": {"cause", "message", "communication"}}
    {"peers": {"1": {"host", "stage", ...}}}            what the other ranks last said, after a failure
    {"done": true}
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable
from typing import Any

Say = Callable[[dict[str, Any]], None]


def main(task_text: str) -> None:
    """Run the worker that the task names.

    Args:
        task_text: JSON {"rank", "sources": {"worker", "cases", ...}, and what the worker needs}.
    """
    say = _records()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if sys.path[:1] == [""]:  # the working directory, which no installed program would see
        del sys.path[0]
    task = json.loads(task_text)
    task["host"] = socket.gethostname()
    say({"rank": task["rank"], "host": task["host"], "pid": os.getpid()})
    say({"stage": "import"})
    worker = world = None
    try:
        worker = _module("worker", task["sources"].pop("worker"))
        modules = types.SimpleNamespace(**{name: _module(name, source) for name, source in task["sources"].items()})
        world = worker.meet(task, modules, say)
        worker.run(task, modules, world, say)
        say({"done": True})
    except BaseException as error:  # noqa: BLE001 - a framework may even call sys.exit() while it is imported
        traceback.print_exc()
        cause, communication = worker.cause(error) if worker else _import_cause(error)
        failed = {"cause": cause, "message": _one_line(error), "communication": communication}
        say({"failed": failed})
        if world:
            say({"peers": world.peers(failed)})
    sys.stderr.flush()
    os._exit(0)  # all is said; exit handlers of a framework that lost its peers wait for them


def _records() -> Say:
    """Take stdout for records alone: what anything else prints there goes to stderr."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def say(record: dict[str, Any]) -> None:
        stream.write(b"\x1e" + json.dumps(record).encode() + b"\n")
        stream.flush()

    return say


def _end_with(parent: int) -> None:
    """End when envkit has ended, however it did: a rank that waits for others would wait on for nobody."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _module(name: str, source: str) -> Any:
    module = types.ModuleType(f"envkit_smoke_{name}")
    sys.modules[module.__name__] = module  # what looks up its classes' module, dataclasses for one, finds it
    exec(compile(source, f"<envkit smoke {name}>", "exec"), module.__dict__)  # noqa: S102 - our own source
    return module


def _import_cause(error: BaseException) -> tuple[str, bool]:
    missing = isinstance(error, ModuleNotFoundError)
    return ("framework-missing" if missing else "import-failed"), False


def _one_line(error: BaseException) -> str:
    """As Python would print it, on one line; a C++ stack that follows is left to stderr."""
    lines = [line.strip() for line in "".join(traceback.format_exception_only(type(error), error)).split("\n")]
    return next((line for line in lines if line), type(error).__name__)[:500]
