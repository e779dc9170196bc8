"""The child of a bench: measures what its task names and says what came of each.

Runs in the inspected interpreter, sent on its stdin: standard library only, Python 3.9 and newer.
Records, each framed by 0x1E and LF, on the original stdout (whatever a framework prints goes to stderr):

    {"stage": "import"}
    {"import_error": {"cause": ..., "message": ...}}
    {"survey": {"version": ..., "devices": [{"device": ..., "name": ..., "dtypes": [...]}, ...]}}
    {"start": number of the measurement}
    {"result": {"status": ..., "cause": ..., "message": ..., "value": ..., "unit": ..., ...}}
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

Emit = Callable[[dict[str, Any]], None]

MEASURES = {
    "matmul": ("matmul", "measure"),
    "memory": ("copies", "memory"),
    "transfer": ("copies", "transfer"),
    "step": ("step", "measure"),
    "peer": ("copies", "peer"),
    "all-reduce": ("all_reduce", "measure"),
    "host-memory": ("host_memory", "measure"),
    "disk": ("disk", "measure"),
}
"""What a task names, to the module and the function that measure it."""


def main(task_text: str) -> None:
    """Measure one after the other; after an error that is not want of memory the rest is left to a fresh child.

    Args:
        task_text: JSON {"torch": whether to import it, "measurements": [[measure, device, variant], ...], "sources",
            "smoke": the sources of smoke's models where a step is measured, "threads",
            "memory_bytes": what may be taken of the host's memory, "rank": see all_reduce.py, or null}.
    """
    emit = _records()
    if sys.path[:1] == [""]:  # the working directory, which no installed program would see
        del sys.path[0]
    task = json.loads(task_text)
    timing = _module("timing", task["sources"])
    context = types.SimpleNamespace(
        sample=timing.sample,
        result=timing.result,
        halving=timing.halving,
        host_times=timing.host_times,
        threads=task["threads"],
        memory_bytes=task["memory_bytes"],
        rank=task["rank"],
        folder=sys.prefix,
        out_of_memory=lambda error: isinstance(error, MemoryError),
    )
    if task["torch"]:
        emit({"stage": "import"})
        try:
            framework = _module("torch_device", task["sources"])
            emit({"survey": framework.survey()})
        except BaseException as error:  # noqa: BLE001 - a framework may even call sys.exit() while it is imported
            emit({"import_error": _import_error(error)})
            _leave()
        context.out_of_memory = framework.out_of_memory
        context.open_device = lambda name: framework.Device(name, task["memory_bytes"])
        context.smoke = functools.cache(lambda name: _module(name, task["smoke"]))
    for number, (measure, device, variant) in enumerate(task["measurements"]):
        emit({"start": number})
        module, function = MEASURES[measure]
        outcome = _measured(context, getattr(_module(module, task["sources"]), function), device, variant)
        emit({"result": outcome})
        if outcome["status"] == "fail" and outcome["cause"] == "framework-error":
            break  # a framework may be unusable after an error, CUDA always is
        if task["torch"]:
            context.open_device(device.partition("-")[0]).release()
    _leave()


def _measured(context: Any, function: Callable[..., dict[str, Any]], device: str, variant: str) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        outcome = {"status": "pass", **function(context, device, variant)}
    except NotImplementedError as error:
        outcome = {"status": "skip", "cause": "not-supported", "message": _last_line(error).partition(": ")[2]}
    except Exception as error:  # noqa: BLE001 - whatever is raised is the outcome
        traceback.print_exc()
        cause = "out-of-memory" if context.out_of_memory(error) else "framework-error"
        outcome = {"status": "fail", "cause": cause, "message": _last_line(error)}
    return {**outcome, "seconds": time.perf_counter() - started}


def _records() -> Emit:
    """Take stdout for records alone: what anything else prints there goes to stderr."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def emit(record: dict[str, Any]) -> None:
        stream.write(b"\x1e" + json.dumps(record).encode() + b"\n")
        stream.flush()

    return emit


def _module(name: str, sources: dict[str, str]) -> Any:
    module = types.ModuleType(f"envkit_bench_{name}")
    exec(compile(sources[name], f"<envkit bench {name}>", "exec"), module.__dict__)  # noqa: S102 - our own source
    return module


def _import_error(error: BaseException) -> dict[str, str]:
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        cause = "framework-missing"
    else:
        traceback.print_exc()
        cause = "out-of-memory" if isinstance(error, MemoryError) else "import-failed"
    return {"cause": cause, "message": _last_line(error)}


def _last_line(error: BaseException) -> str:
    """As Python would print it, on one line: "ImportError: libcudart.so.12: cannot open shared object file"."""
    lines = [line.strip() for line in "".join(traceback.format_exception_only(type(error), error)).split("\n")]
    return next((line for line in lines if line), type(error).__name__)[:500]


def _leave() -> NoReturn:
    """End without the exit handlers of the framework: all is said, and some of them hang or crash."""
    sys.stderr.flush()
    os._exit(0)
