"""NVML's part of the facts: nvml_child.py is run in a process of its own, and its records are put together."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec

from envkit import harness
from envkit.facts.accelerators import GpuPair, NvidiaGpu, Nvml, NvmlOutcome

STUCK_SECONDS = 60.0  # no question is waited for so long
PATIENCE_SHARE = 0.2  # of the deadline: after so long without an answer the next is asked beside it
OF_THE_MACHINE = {"library": "loading libnvidia-ml.so.1", "start": "nvmlInit", "gpu_count": "the number of GPUs"}

About = tuple[int, ...]  # () the machine, (3,) a GPU, (0, 3) a pair


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What NVML said, all of it before it hung or crashed."""

    nvml: Nvml
    driver_version: str | None
    cuda_driver_version: str | None
    gpus: list[NvidiaGpu] | None
    pairs: list[GpuPair] | None


def ask(deadline_seconds: float, *, deep: bool = False) -> Answer:
    """Ask NVML in a child; one that does not answer by the deadline is left as it is."""
    # Run as a file, not as a module: the working directory, where anyone's json.py may lie, stays out of sys.path.
    program = str(Path(__file__).with_name("nvml_child.py"))
    if stuck := _stuck(program, max(STUCK_SECONDS, deadline_seconds)):
        return _unanswered(f"process {stuck}, an earlier question to the driver, still waits for an answer")
    argv = [sys.executable, program, str(deadline_seconds * PATIENCE_SHARE), _name(), *(["deep"] if deep else [])]
    # With PYTHONSAFEPATH it would not find the files beside it.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    child = harness.run(argv, deadline_seconds=deadline_seconds, on_deadline="leave", env=env)
    records = _Records(child.records)
    machine = records.said.get((), {})
    outcome, error = _outcome(child, machine)
    count = machine.get("gpu_count")
    gpus = None if count is None else [_gpu(index, records, child) for index in range(count)]
    return Answer(
        nvml=Nvml(
            outcome=outcome,
            error=error,
            unanswered=[_named(about, field) for about, field in records.open.items()],
            seconds=child.seconds,
            library_path=machine.get("library"),
        ),
        driver_version=machine.get("driver_version"),
        cuda_driver_version=machine.get("cuda_driver_version"),
        gpus=gpus,
        pairs=None if gpus is None else [_pair(pair, records) for pair in _pairs(gpus, records)],
    )


def _stuck(program: str, seconds: float) -> int | None:
    """The process of an earlier run that has waited in the driver for so long; a health check must not pile them up."""
    import socket  # noqa: PLC0415 - where there is NVML to ask

    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as name:
        name.bind(f"\0{_name()}")
        return None  # no child has taken it
    import psutil  # noqa: PLC0415 - seldom

    for process in psutil.process_iter(["cmdline", "create_time"]):
        words, since = process.info["cmdline"] or [], process.info["create_time"] or time.time()
        if program in words and time.time() - since > seconds:
            return int(process.pid)
    return None


def _name() -> str:
    """The abstract socket that a child keeps taken while it lives: whether one does is asked without a search."""
    return f"envkit-nvml-{os.getuid()}"


def _unanswered(why: str) -> Answer:
    nvml = Nvml(outcome="timeout", error=why, unanswered=[OF_THE_MACHINE["start"]], seconds=0.0)
    return Answer(nvml=nvml, driver_version=None, cuda_driver_version=None, gpus=None, pairs=None)


class _Records:
    """The records of the child, by what they are about."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.said: dict[About, dict[str, Any]] = {}
        self.unreadable: dict[About, dict[str, str]] = {}
        self.open: dict[About, str] = {}
        """The question that each was asked and has not answered."""
        for record in records:
            about = (record.pop("gpu"),) if "gpu" in record else tuple(record.pop("pair", ()))
            if asking := record.pop("asking", None):
                self.open[about] = asking
                continue
            self.open.pop(about, None)
            self.unreadable.setdefault(about, {}).update(record.pop("unreadable", {}))
            self.said.setdefault(about, {}).update(record)


def _named(about: About, field: str) -> str:
    whom = " with ".join(f"GPU {index}" for index in about)
    return f"{whom}: {field}" if whom else OF_THE_MACHINE.get(field, field)


def _outcome(child: harness.Child, machine: dict[str, Any]) -> tuple[NvmlOutcome, str | None]:
    if child.outcome == "timeout":
        return "timeout", child.why()
    if child.outcome == "signalled":
        return "crashed", child.signal_name
    if "library_missing" in machine:
        return "library-missing", machine["library_missing"]
    if "error" in machine:
        return "error", machine["error"]
    if not child.succeeded:
        return "error", child.last_words() or child.why()
    return "ok", None


def _gpu(index: int, records: _Records, child: harness.Child) -> NvidiaGpu:
    about = (index,)
    said, unreadable = records.said.get(about), records.unreadable.get(about, {})
    if about in records.open:
        said = {**(said or {}), "error": f"{child.why()}, asked for {records.open[about]}"}
    if said is None:
        return NvidiaGpu(index=index, error="not asked: NVML gave no answer before")
    if "error" not in said:
        left = set(records.said[()]["gpu_fields"]) - said.keys() - unreadable.keys()
        unreadable |= dict.fromkeys(sorted(left), "not asked: NVML gave no answer before")
    return msgspec.convert({"index": index, "unreadable": unreadable, **said}, NvidiaGpu)


def _pairs(gpus: list[NvidiaGpu], records: _Records) -> list[tuple[int, int]]:
    """Those that were asked about, answer or not."""
    every = combinations((gpu.index for gpu in gpus), 2)
    return [pair for pair in every if pair in records.said or pair in records.open]


def _pair(pair: tuple[int, int], records: _Records) -> GpuPair:
    unreadable = records.unreadable.get(pair, {})
    if pair in records.open:
        unreadable = dict.fromkeys(("path", "p2p_read", "p2p_write", "p2p_nvlink"), "no answer")
    said = records.said.get(pair, {})
    return msgspec.convert({"first": pair[0], "second": pair[1], "unreadable": unreadable, **said}, GpuPair)
