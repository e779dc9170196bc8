"""The child of a smoke run: computes what its task names and reports the numbers; envkit's own process judges them.

Runs in the inspected interpreter, sent on its stdin: standard library only, Python 3.9 and newer.
Records, each framed by 0x1E and LF, on the original stdout (whatever the framework prints goes to stderr):

    {"stage": types.Stage, "model": ..., "device": ..., "step": ..., "loss": ...}     the last two while it trains
    {"import_error": {"cause": ..., "message": ...}}
    {"observation": {...}}                             fields of judging.Observation, for each case of a model
    {"optimizer": {"optimizer": ..., "values": [...]}} what its optimizer makes of prescribed gradients
    {"result": {...}}                                  fields of types.RunResult; ends what belongs to one run
"""

from __future__ import annotations

import json
import math
import operator
import os
import sys
import time
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

Emit = Callable[[dict[str, Any]], None]

REPEATED = "mlp"
"""The case whose gradient is computed twice over: it costs nothing."""

PROGRESS_SECONDS = 0.1
"""Steps are told no more often."""


def main(task_text: str) -> None:
    """Import the adapter, then do run after run; after an exception the rest is left to a fresh child.

    Args:
        task_text: JSON {"framework", "threads", "seed", "runs": [fields of framework.Task, ...],
            "sources": {"adapter", "cases", "models", "witness"}}.
    """
    emit = _records()
    if sys.path[:1] == [""]:  # the working directory, which no installed program would see
        del sys.path[0]
    task = json.loads(task_text)
    emit({"stage": "import"})
    started = time.perf_counter()
    try:
        modules = {name: _module(name, task["sources"][name]) for name in ("adapter", "models", "cases", "witness")}
    except BaseException as error:  # noqa: BLE001 - a framework may even call sys.exit() as it is imported
        emit({"import_error": _import_error(error, task["framework"])})
        _leave()
    adapter = modules["adapter"]
    common = {
        "framework": task["framework"],
        "version": adapter.VERSION,
        "threads": task["threads"],
        "import_seconds": time.perf_counter() - started,
    }
    for run in task["runs"]:
        facts = {name: run[name] for name in ("model", "device", "precision", "variant")}
        facts = {**common, **facts, "form": adapter.FORM}
        try:
            _Run(modules, facts, emit).do(task["seed"], run["steps"])
        except Exception as error:  # noqa: BLE001 - whatever the framework raises is its verdict
            traceback.print_exc()
            facts["cause"], facts["message"] = _cause(adapter, error, facts["device"]), _last_line(error)
            emit({"result": facts})
            break  # a framework may be unusable after an error, CUDA always is
        emit({"result": facts})
    _leave()


class _Run:
    """One model on one device; fills `facts` as far as it gets."""

    def __init__(self, modules: dict[str, Any], facts: dict[str, Any], emit: Emit) -> None:
        self.facts, self.emit = facts, emit
        self.adapter, self.models, self.cases, self.witness = modules.values()
        self.kind, _, index = facts["device"].partition(":")
        self.index = int(index or 0)
        self.device, self.since = None, time.time()

    def do(self, seed: int, steps: int) -> None:
        self._stage("device")
        try:
            self.device, self.facts["device_name"] = self.adapter.open_device(self.kind, self.index)
        except LookupError as error:
            self._missing("device", f"{self.facts['device']} cannot be used: {error.args[0]}")
            return
        cases = [self.cases.CASES[name](seed) for name in self.cases.MODELS[self.facts["model"]]]
        for case in cases:
            try:
                self._observe(case, steps if case.steps else 0)
            except LookupError as error:  # noqa: PERF203 - a case that cannot be ends the rest
                if type(error) is not LookupError:  # KeyError and IndexError are mistakes of a framework
                    raise
                self._missing("precision", f"{self.facts['precision']} cannot be used: {error.args[0]}")
                return
        self._optimize(cases[-1].optimizer.name, seed)
        self.facts["peak_memory_bytes"] = self.witness.peak_memory()
        held = self.adapter.memory(self.device)
        self.facts["device_peak_memory_bytes"] = held and held[1]

    def _observe(self, case: Any, steps: int) -> None:
        """Gradient and trajectory of one case."""
        facts, clock = self.facts, time.perf_counter
        began = clock()
        self._stage("build")
        network = self.adapter.build(self.models, case, self.device, facts["precision"], facts["variant"])
        built = clock()
        self._stage("gradient")
        gradient = self._gradient(network, case.batches[0])
        probe = self._gradient(network, case.probe) if case.probe else None
        facts.update(build_seconds=built - began, gradient_seconds=clock() - built)
        differing = self._repeat(network, case) if (case.name, facts["variant"]) == (REPEATED, "eager") else None
        losses, start = [], network.parameters() if steps else {}
        if steps:
            self._stage("first-step")
            began = clock()
            losses.append(network.step(0))
            first = clock()
            self._train(network, losses, steps)
            facts.update(first_step_seconds=first - began, train_seconds=clock() - began)
            facts["steps_per_second"] = (len(losses) - 1) / (clock() - first) if len(losses) > 1 else None
        travel = {
            name: list(map(operator.sub, values, start[name]))
            for name, values in (network.parameters() if steps else {}).items()
        }
        tensors = network.where()
        sketches = {name: self.cases.sketch(values, name) for name, values in travel.items()}
        parts = [sketches, *(part["tensors"] for part in (gradient, probe) if part)]
        norms = [sketch[0] for part in parts for sketch in part.values()]  # not finite where a number is not
        self.emit(
            {
                "observation": {
                    "case": case.name,
                    "framework": facts["framework"],
                    "device": self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}",
                    "dtype": facts["precision"],
                    "variant": facts["variant"],
                    "gradient": gradient,
                    "probe": probe,
                    "losses": [_finite(loss) for loss in losses],
                    "travel": sketches,
                    "unchanged": [name for name, values in travel.items() if not any(values)],
                    "differing": differing,
                    "tensors": tensors,
                    "finite": all(map(math.isfinite, [*losses, *norms])),
                    "witness": self._witnesses(),
                }
            }
        )

    def _gradient(self, network: Any, batch: Any) -> dict[str, Any]:
        loss, gradients = network.gradient(*batch)
        sketches = {name: self.cases.sketch(values, name) for name, values in gradients.items()}
        return {"loss": _finite(loss), "tensors": sketches}

    def _repeat(self, network: Any, case: Any) -> list[str] | None:
        """What differs between two equal gradients where the framework promises none; None where it does not."""
        promise = self.adapter.determinism(self.device)
        if promise is None:
            return None
        with promise:
            (loss, first), (again, second) = (network.gradient(*case.batches[0]) for _ in range(2))
        pairs = {"loss": (loss, again), **{name: (values, second[name]) for name, values in first.items()}}
        return [name for name, (one, other) in pairs.items() if repr(one) != repr(other)]  # NaN is not equal to itself

    def _train(self, network: Any, losses: list[float], steps: int) -> None:
        told = -math.inf
        while math.isfinite(losses[-1]) and len(losses) < steps:
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                self._stage("train", step=len(losses), loss=losses[-1])
            losses.append(network.step(len(losses)))

    def _optimize(self, name: str, seed: int) -> None:
        """The optimizer alone, in the precision of the weights."""
        self._stage("optimizer")
        optimizer, facts = self.cases.OPTIMIZERS[name], self.facts
        dtype = "float64" if facts["precision"] == "float64" else "float32"
        prescribed = self.cases.prescribed(seed)
        values = self.adapter.optimize(optimizer, prescribed, self.device, dtype, facts["variant"])
        self.emit({"optimizer": {"optimizer": name, "values": [_finite(value) for value in values]}})

    def _witnesses(self) -> list[dict[str, Any]]:
        """What the framework's allocator and the driver say of this process on the device."""
        held = self.adapter.memory(self.device)
        if held is None:
            return []
        words = f"{held[0] / (1 << 20):.1f} MiB held, {held[1] / (1 << 20):.1f} MiB at most"
        said = [{"what": "the framework's memory on the device", "saw": held[1] > 0, "words": words}]
        return said + (self.witness.ask(self.since) if self.kind == "cuda" else [])

    def _stage(self, stage: str, **more: Any) -> None:
        self.emit({"stage": stage, "model": self.facts["model"], "device": self.facts["device"], **more})

    def _missing(self, what: str, message: str) -> None:
        self.facts.update(cause=f"{what}-missing", message=message)


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
    sys.modules[module.__name__] = module  # torch.compile looks there
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


def _leave() -> NoReturn:
    """End without the exit handlers of the framework: all is said, and some of them hang or crash."""
    sys.stderr.flush()
    os._exit(0)
