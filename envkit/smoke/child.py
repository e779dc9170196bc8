"""The child of a smoke run: trains the models that its task names and says what came of each.

Runs in the inspected interpreter, sent on its stdin: standard library only, Python 3.9 and newer.
Records, each framed by 0x1E and LF, on the original stdout (whatever the framework prints goes to stderr):

    {"stage": "import" | "device" | "build" | "first-step" | "train", "model": ..., "device": ...}
    {"import_error": {"cause": ..., "message": ...}}
    {"result": {...}}                                  fields of types.RunResult
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

Emit = Callable[[dict[str, Any]], None]


def main(task_text: str) -> None:
    """Import the adapter, then train run after run; after an exception the rest is left to a fresh child.

    Args:
        task_text: JSON {"framework", "runs": [[model, device], ...], "threads", "sources": {"data", "adapter"}}.
    """
    emit = _records()
    if sys.path[:1] == [""]:  # the working directory, which no installed program would see
        del sys.path[0]
    task = json.loads(task_text)
    emit({"stage": "import"})
    started = time.perf_counter()
    try:
        adapter = _module("adapter", task["sources"]["adapter"])
    except BaseException as error:  # noqa: BLE001 - a framework may even call sys.exit() while it is imported
        emit({"import_error": _import_error(error, task["framework"])})
        _leave()
    common = {
        "framework": task["framework"],
        "version": adapter.VERSION,
        "threads": task["threads"],
        "import_seconds": time.perf_counter() - started,
    }
    data = _module("data", task["sources"]["data"])
    for model, device in task["runs"]:
        facts = {**common, "model": model, "device": device, "status": "fail"}
        try:
            _run(adapter, data.MODELS[model], facts, emit)
        except Exception as error:  # noqa: BLE001 - whatever the framework raises is its verdict
            traceback.print_exc()
            facts["cause"], facts["message"] = _cause(adapter, error, device), _last_line(error)
            emit({"result": facts})
            break  # a framework may be unusable after an error, CUDA always is
        emit({"result": facts})
    _leave()


def _run(adapter: Any, reference_of: Callable[[], Any], facts: dict[str, Any], emit: Emit) -> None:
    """Train one model; fills `facts` as far as it gets."""
    model, kind = facts["model"], facts["device"]
    emit({"stage": "device", "model": model, "device": kind})
    try:
        device, facts["device_name"] = adapter.open_device(kind)
    except LookupError as error:
        facts.update(cause="device-missing", message=f"{kind} cannot be used: {error.args[0]}")
        return
    emit({"stage": "build", "model": model, "device": kind})
    clock = [time.perf_counter()]
    reference = reference_of()
    step, state = adapter.build(model, reference, device)
    clock.append(time.perf_counter())
    emit({"stage": "first-step", "model": model, "device": kind})
    losses = [step(0)]
    clock.append(time.perf_counter())
    emit({"stage": "train", "model": model, "device": kind})
    while math.isfinite(losses[-1]) and len(losses) < reference.steps:
        losses.append(step(len(losses)))
    clock.append(time.perf_counter())

    tensors = state()
    bound = min(reference.loss_bound, reference.loss_ratio_bound * losses[0])
    facts.update(
        device_used=next((kind_used for _, kind_used, _, _ in tensors if kind_used != kind), kind),
        dtype=tensors[-1][2],
        steps=len(losses),
        loss_first=_finite(losses[0]),
        loss_last=_finite(losses[-1]),
        loss_bound=_finite(bound),
        steps_per_second=(len(losses) - 1) / (clock[3] - clock[2]) if len(losses) > 1 else None,
        build_seconds=clock[1] - clock[0],
        first_step_seconds=clock[2] - clock[1],
        train_seconds=clock[3] - clock[1],
        peak_memory_bytes=_peak_memory(),
        device_peak_memory_bytes=adapter.peak_memory(device),
    )
    facts["cause"], facts["message"] = _judge(losses, bound, tensors, kind)
    facts["status"] = "fail" if facts["cause"] else "pass"


def _judge(losses: list[float], bound: float, tensors: list[Any], kind: str) -> tuple[str | None, str]:
    """The first assertion that does not hold, or None and what was reached."""
    if not math.isfinite(losses[-1]):
        return "loss-not-finite", f"the loss is {losses[-1]} at step {len(losses)}"
    elsewhere = [(name, used) for name, used, _, _ in tensors if used != kind]
    if elsewhere:
        name, used = elsewhere[0]
        where = f"{len(elsewhere)} of {len(tensors)} tensors ({name}, ...) lie on {used}, not on {kind}"
        return "silent-cpu-fallback" if used == "cpu" else "wrong-device", where
    fall = f"the loss went from {losses[0]:.4g} to {losses[-1]:.4g} in {len(losses)} steps"
    if losses[-1] >= bound:
        return "loss-not-falling", f"{fall}; below {bound:.4g} was expected"
    still = [name for name, _, _, changed in tensors if changed is False]
    if still:
        return "parameters-unchanged", f"training never changed {', '.join(still)}"
    return None, fall


def _records() -> Emit:
    """Take stdout for records alone: what anything else prints there goes to stderr."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def emit(record: dict[str, Any]) -> None:
        stream.write(b"\x1e" + json.dumps(record).encode() + b"\n")
        stream.flush()

    return emit


def _module(name: str, source: str) -> Any:
    module = types.ModuleType(f"envkit_smoke_{name}")
    exec(compile(source, f"<envkit smoke {name}>", "exec"), module.__dict__)  # noqa: S102 - our own source
    return module


def _import_error(error: BaseException, framework: str) -> dict[str, str]:
    if isinstance(error, ModuleNotFoundError) and error.name == framework:
        cause = "framework-missing"
    else:
        traceback.print_exc()
        cause = "out-of-memory" if isinstance(error, MemoryError) else "import-failed"
    return {"cause": cause, "message": _last_line(error)}


def _cause(adapter: Any, error: Exception, device: str) -> str:
    if isinstance(error, MemoryError) or (device == "cpu" and adapter.out_of_memory(error)):
        return "out-of-memory"
    return "device-out-of-memory" if adapter.out_of_memory(error) else "framework-error"


def _last_line(error: BaseException) -> str:
    """As Python would print it, on one line: "ImportError: libcudart.so.12: cannot open shared object file"."""
    lines = [line.strip() for line in "".join(traceback.format_exception_only(type(error), error)).split("\n")]
    return next((line for line in lines if line), type(error).__name__)[:500]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _peak_memory() -> int | None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _leave() -> NoReturn:
    """End without the exit handlers of the framework: all is said, and some of them hang or crash."""
    sys.stderr.flush()
    os._exit(0)
