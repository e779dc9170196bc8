"""The accelerators of a machine, and which of a profile's frameworks have code for them by the tables. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from envkit.checks._gpus import capability_of, usable
from envkit.checks._packages import TENSORFLOWS, listed, wanted
from envkit.checks._torch_code import architecture
from envkit.facts import Facts, Section
from envkit.findings import Report
from envkit.knowledge import Knowledge
from envkit.profile import Accelerator, Device, Framework, Profile, Requires
from envkit.versions import Requirement, local, release, satisfies

Judge = Callable[[Profile], Report]
Presence = Literal["present", "absent", "unknown"]
KINDS: dict[Accelerator, str] = {
    "nvidia": "an NVIDIA GPU",
    "amd": "an AMD GPU",
    "tpu": "a TPU",
    "apple": "Apple silicon",
}
NAMES: dict[Framework, str] = {"torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX"}
_MISSING = {"nvidia-gpu-missing", "amd-gpu-missing", "tpu-missing", "apple-silicon-missing"}
_TRAINS_ON: dict[Accelerator, Device] = {"nvidia": "cuda", "amd": "rocm", "tpu": "tpu", "apple": "mps"}


def presence(kind: Accelerator, facts: Facts, judge: Judge) -> Presence:
    """Whether there is one, be it in order or not; one that a scheduler keeps back is there."""
    section: Section[object] = getattr(facts, kind)
    if section.outcome == "unknown":
        return "unknown"
    report = judge(Profile(name=kind, requires=Requires(accelerator=kind)))
    gone = any(f.check in _MISSING and f.status == "fail" and not f.caused_by for f in report.findings)
    return "absent" if gone else "present"


def unasked(kind: Accelerator, facts: Facts) -> str:
    section: Section[object] = getattr(facts, kind)
    return f"whether there is {KINDS[kind]} is unknown: {section.why}"


def in_words(kind: Accelerator, facts: Facts) -> str:
    """The accelerators of a kind: "the NVIDIA L4", "8 NVIDIA H100 80GB HBM3"."""
    nvidia, amd, apple = facts.nvidia.facts, facts.amd.facts, facts.apple.facts
    names = {
        "nvidia": [gpu.name for gpu in (nvidia.gpus or [] if nvidia else []) if gpu.name] or ["NVIDIA GPU"],
        "amd": [gpu.name for gpu in (amd.gpus or [] if amd else []) if gpu.name] or ["AMD GPU"],
        "apple": [apple.chip if apple and apple.chip else "Apple silicon"],
    }
    return _counted(names.get(kind, ["TPU"]))


def intel_cards(facts: Facts) -> str:
    """Intel's cards in words, which no profile is for; "" where there are none, or nobody looked."""
    intel = facts.intel.facts
    return _counted([gpu.name or "Intel GPU" for gpu in (intel.gpus if intel else []) if gpu.kind == "discrete"])


def _counted(names: list[str]) -> str:
    """["A", "A", "B"] -> "2 A and the B"."""
    return listed(f"{n} {name}" if (n := names.count(name)) > 1 else f"the {name}" for name in dict.fromkeys(names))


def trainable(profile: Profile, facts: Facts, knowledge: Knowledge) -> tuple[list[str], list[str]]:
    """Of the frameworks that the profile is to train on its accelerator: those that can here, and why not the others.

    By its smoke runs: (["PyTorch"], ["TensorFlow 2.20.0 has no code for compute capability 10.0"]). What no table
    tells is no obstacle.
    """
    kind = profile.requires.accelerator
    able: list[str] = []
    unable: list[str] = []
    for framework in dict.fromkeys(run.framework for run in profile.smoke if run.device == _TRAINS_ON.get(kind)):
        names = TENSORFLOWS if framework == "tensorflow" else (framework,)
        pin = next((r for r in wanted(profile, facts) if r.name in names), None)
        version = pin.specifiers.removeprefix("==") if pin else ""
        lacking = ""
        if pin and kind == "nvidia":
            numbers = [number for gpu in usable(facts.nvidia.facts) if (number := capability_of(gpu, knowledge))]
            code = _code(framework, pin, profile.requires.cuda, facts, knowledge)
            lacking = next(
                (f"has no code for compute capability {number}" for number in numbers if not code(number)), ""
            )
        elif pin and framework == "torch":
            lacking = _torch_on_amd(version, facts, knowledge) or _torch_on_apple(version, facts, knowledge)
        (unable if lacking else able).append(f"{NAMES[framework]} {version} {lacking}" if lacking else NAMES[framework])
    return able, unable


def _code(
    framework: Framework, pin: Requirement, cuda: str, facts: Facts, knowledge: Knowledge
) -> Callable[[str], bool]:
    """Whether a pinned release runs on a compute capability, as far as the tables know."""
    version = pin.specifiers.removeprefix("==")
    if framework == "jax":
        plugins = [knowledge.jax.plugins.get(extra.removeprefix("cuda")) for extra in pin.extras]
        return lambda number: all(satisfies(number, row.capability) is not False for row in plugins if row)
    if framework == "torch":
        build = local(version).removeprefix("cu")
        cuda = f"{build[:-1]}.{build[-1]}" if build.isdecimal() else cuda
        code = knowledge.torch.code(version, cuda, architecture(facts))
        return lambda number: code is None or knowledge.torch.runs_on(code, number, cuda) != "no"
    code = knowledge.tensorflow.code(version)
    ways = {"binary": True, "no": False}
    return lambda number: (
        code is None
        or ways.get(knowledge.torch.runs_on(code, number, cuda), not knowledge.tensorflow.lacks(version, number))
    )


def _torch_on_amd(version: str, facts: Facts, knowledge: Knowledge) -> str:
    """Beside a GPU that it has code for, one without is the one inside a processor, mostly."""
    code = knowledge.accelerators.rocm_code(version)
    gpus = {gpu.gfx.partition(":")[0] for gpu in (facts.amd.facts.gpus or [] if facts.amd.facts else []) if gpu.gfx}
    return f"has no code for {listed(sorted(gpus))}" if code and gpus and not gpus & set(code) else ""


def _torch_on_apple(version: str, facts: Facts, knowledge: Knowledge) -> str:
    least = knowledge.accelerators.mps_macos(version) or ""
    have = (facts.apple.facts.macos_version if facts.apple.facts else None) or ""
    old = satisfies(have, f"<{least}") if release(have) and least else False
    return f"needs macOS {least} for the GPU, this is {have}" if old else ""
