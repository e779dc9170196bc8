"""A bench: the host, the processors, each GPU, then all together; a result for each measurement whatever happens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

import envkit
from envkit.bench import baseline as saved
from envkit.bench import floors, judge, memory_modules, plan, reasons
from envkit.bench.children import Conditions, measure
from envkit.bench.limits import Gpu, gpu_of, limit_of
from envkit.bench.machine import free_memory, machine_of, usable_processors
from envkit.bench.ranks import all_reduce
from envkit.bench.sampling import Observe, Sampler, sampling
from envkit.bench.types import BenchReport, Device, Event, Kind, Measurement, verdict
from envkit.errors import InputError
from envkit.facts import Facts
from envkit.knowledge.peaks import Peaks
from envkit.profile import Profile

HOST = {"cpu", "disk"}


@dataclass(frozen=True)
class Wanted:
    """What is to be measured."""

    kinds: Collection[Kind] = plan.KINDS
    devices: Collection[str] = ()
    """ "cpu" (with its disk), "cuda:0", ...; empty: all there are."""

    @property
    def host(self) -> bool:
        return not self.devices or "cpu" in self.devices

    @property
    def gpus(self) -> bool:
        return bool((not self.devices or set(self.devices) - HOST) and set(self.kinds) - {"disk"})

    def has(self, device: str) -> bool:
        return not self.devices or device in self.devices


def bench(
    python: str,
    facts: Facts,
    peaks: Peaks,
    wanted: Wanted,
    *,
    deadline_seconds: float = 60,
    baseline: BenchReport | None = None,
    profile: Profile | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
    observe: Observe | None = None,
    env: Mapping[str, str] | None = None,
) -> BenchReport:
    """Measure this machine in children of an interpreter; what becomes of them is in the report.

    Args:
        python: the inspected interpreter.
        facts: of this machine, with cpu, memory, nvidia, amd and apple.
        peaks: what hardware can do.
        wanted: what to measure.
        deadline_seconds: for importing the framework, and for each measurement.
        baseline: an earlier report of a machine of this model.
        profile: with floors (floors.py), which count in place of the peaks'.
        on_event: called when a measurement begins and when it has ended.
        observe: asks NVML about the GPUs, for what slows them down meanwhile.
        env: environment of the children; None: this process's.

    Raises:
        InputError: a device is not there.
    """
    started = time.monotonic()
    taken_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    environment = os.environ if env is None else env
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    conditions = Conditions(
        python=python,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},  # measuring changes nothing
        threads=usable_processors(facts),
        memory_bytes=free_memory(facts),
        deadline_seconds=deadline_seconds,
        on_event=on_event,
    )
    results, survey = _on_host(wanted, conditions)
    gpus = _gpus(survey, wanted, facts)
    results += _not_there(survey, gpus, wanted, facts)
    with sampling(observe if gpus else None) as sampler:
        results += _on_gpus(survey, gpus, wanted, conditions, sampler)
    if baseline and survey.get("devices") and not wanted.devices:
        results += saved.lost(baseline, wanted.kinds, results)
    if profile and not wanted.devices:
        results += floors.not_measured(profile, wanted.kinds, results)

    host_reasons = reasons.of_host(facts, load, environment.get("OMP_NUM_THREADS"))
    memory_reasons = reasons.of_memory(memory_modules.read())
    earlier = {_key(m): m for m in baseline.measurements} if baseline else {}
    nvidia = facts.nvidia.facts

    def judged(m: Measurement) -> Measurement:
        known = reasons.of_gpus(m, nvidia, gpus, sampler.during(_key(m)))
        known += host_reasons if m.device == "cpu" or m.kind == "step" else []
        known += memory_reasons if (m.kind, m.device) == ("memory", "cpu") else []
        limit, floor = limit_of(m, gpus, nvidia, peaks), floors.floor_of(m, profile)
        return judge.judged(m, limit, earlier.get(_key(m)), known, peaks, floor=floor)

    results = [judged(result) for result in results]
    cpu = facts.cpu.facts
    named = [Device(device="cpu", name=cpu.model if cpu else None)] if wanted.host else []
    return BenchReport(
        envkit=envkit.__version__,
        taken_at=taken_at,
        python=python,
        torch=survey.get("version"),
        machine=machine_of(facts),
        devices=[*named, *(Device(device=gpu.device, name=gpu.name) for gpu in gpus.values())],
        status=verdict(results),
        measurements=results,
        baseline=baseline.taken_at if baseline else "",
        seconds=time.monotonic() - started,
    )


def _on_host(wanted: Wanted, conditions: Conditions) -> tuple[list[Measurement], dict[str, Any]]:
    """The host's results, and PyTorch's survey of all devices."""
    results: list[Measurement] = []
    on_cpu = plan.on_cpu(wanted.kinds) if wanted.host else []
    if wanted.host and (tasks := plan.on_host(wanted.kinds)):
        results += measure(tasks, conditions, torch=False)[0]
    if not (on_cpu or wanted.gpus):
        return results, {}
    done, survey = measure(on_cpu, conditions, torch=True)
    return results + done, survey


def _on_gpus(
    survey: Mapping[str, Any], gpus: Mapping[str, Gpu], wanted: Wanted, conditions: Conditions, sampler: Sampler
) -> list[Measurement]:
    """A child for each, one after the other, so that none takes another's power or bus; then the links between them."""

    def hear(event: Event) -> None:
        sampler.hear(event)
        conditions.on_event(event)

    listening = replace(conditions, on_event=hear)
    results: list[Measurement] = []
    for about in survey.get("devices", []):
        if about["device"] in gpus and (tasks := plan.on_gpu(about, wanted.kinds)):
            results += measure(tasks, listening, torch=True)[0]
    linked = [name for name in gpus if name.startswith("cuda")]
    if tasks := plan.between(linked, wanted.kinds):
        results += measure(tasks, listening, torch=True)[0]
    if len(linked) > 1 and "all-reduce" in wanted.kinds:
        results.append(all_reduce(linked, listening))
    return results


def _gpus(survey: Mapping[str, Any], wanted: Wanted, facts: Facts) -> dict[str, Gpu]:
    """The GPUs to measure, by PyTorch's names; refuses one that PyTorch does not have."""
    found = {about["device"]: about for about in survey.get("devices", [])}
    for name in wanted.devices:
        if found and name not in found:
            raise InputError(f"--device: PyTorch has no {name} here", hint=f"there are: {', '.join(found)}")
    apple = facts.apple.facts
    return {
        name: gpu_of(
            name,
            about["name"] or (apple.chip if apple else "") or name,
            about.get("memory_bytes"),
            about.get("uuid", ""),
            facts.nvidia.facts,
            amd=facts.amd.facts,
        )
        for name, about in found.items()
        if name != "cpu" and wanted.has(name)
    }


def _not_there(survey: Mapping[str, Any], gpus: Mapping[str, Gpu], wanted: Wanted, facts: Facts) -> list[Measurement]:
    """GPUs of the machine, or asked for, that PyTorch tells nothing of: they are not passed over in silence."""
    names = machine_of(facts).gpus
    asked = [device for device in wanted.devices if device not in HOST]
    if gpus or not survey or not wanted.gpus or not (asked or names):
        return []
    kind = next(kind for kind in plan.KINDS if kind in wanted.kinds and kind != "disk")
    missing = Measurement(kind=kind, device=asked[0] if asked else "gpu", status="fail", cause="device-missing")
    if blame := survey.get("blame"):
        status = "unknown" if blame["status"] == "skip" else blame["status"]
        return [msgspec.structs.replace(missing, **{**blame, "status": status})]
    message = f"there is {', '.join(names)}, but PyTorch {survey.get('version')} does not see it"
    return [msgspec.structs.replace(missing, message=message)]


def _key(measurement: Measurement) -> tuple[str, str, str]:
    return measurement.kind, measurement.device, measurement.variant
