"""The least that a profile expects: `bench: {matmul bfloat16: 600, cpu memory: 100}`, in the printed unit. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from envkit.bench import plan
from envkit.bench.children import Task
from envkit.bench.limits import Limit
from envkit.bench.types import Kind, Measurement
from envkit.errors import InputError, closest
from envkit.profile import Profile


def name_of(measured: Task | Measurement) -> str:
    """What a profile calls it: "matmul bfloat16" of every GPU, "cpu matmul float32", "memory", "disk read"."""
    processors = "cpu" if measured.device == "cpu" else ""
    variant = "" if measured.kind in {"peer", "all-reduce"} else measured.variant
    return " ".join(filter(None, (processors, measured.kind, variant)))


def known() -> dict[str, Task]:
    """Everything that may have a floor, by its name."""
    everything = {"device": "cuda", "dtypes": plan.DTYPES}
    tasks = [*plan.on_host(plan.KINDS), *plan.on_cpu(plan.KINDS), *plan.on_gpu(everything, plan.KINDS)]
    return {name_of(task): task for task in [*tasks, Task("peer", "gpu"), Task("all-reduce", "gpu")]}


def refuse_wrong(profile: Profile) -> None:
    """A profile that says nothing of a bench, or something else than floors.

    Raises:
        InputError: that it is, and what was expected.
    """
    example = "`bench: {matmul bfloat16: 600}` in it expects at least 600 TFLOPS of every GPU"
    if not profile.bench:
        raise InputError(f"--profile {profile.name}: it has no floors for a bench", hint=example)
    names = known()
    for name, value in profile.bench.items():
        if name not in names:
            near = closest(name, names)
            did_you = f", did you mean `{near}`?" if near else ""
            raise InputError(f"{profile.path}: bench: unknown measurement `{name}`{did_you}", hint=", ".join(names))
        if value <= 0:
            raise InputError(f"{profile.path}: bench: `{name}` is {value:g}, expected more than 0", hint=example)


def floor_of(measurement: Measurement, profile: Profile | None) -> Limit | None:
    """The floor of a measurement, if the profile has one for it."""
    value = profile.bench.get(name_of(measurement)) if profile else None
    return Limit(value, f"profile {profile.name}") if profile and value else None


def not_measured(profile: Profile, kinds: Collection[Kind], results: Sequence[Measurement]) -> list[Measurement]:
    """An unknown for each floor of these kinds to which no measurement belongs: the GPU may be gone."""
    names = known()
    missing = [name for name in profile.bench if names[name].kind in kinds]
    measured = {name_of(result) for result in results}
    return [
        Measurement(
            kind=names[name].kind,
            device=names[name].device.replace("cuda", "gpu"),
            variant=names[name].variant,
            status="unknown",
            cause="not-measured",
            message=f"profile {profile.name} expects {profile.bench[name]:,g}, and there is nothing to measure",
        )
        for name in missing
        if name not in measured
    ]
