"""Whether this machine is what was assumed of it when its environment was made elsewhere (`envkit setup --assume`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._compat import driver_of
from envkit.checks._gpus import capability_of, judged, label, usable
from envkit.checks._packages import setup
from envkit.checks.gpu_arch import gpu_arch_not_in_jax, gpu_arch_not_in_tensorflow, gpu_arch_not_in_torch
from envkit.findings import Finding, Findings, Remedy, fail, warn
from envkit.profile import Profile
from envkit.versions import release, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia, NvidiaGpu
    from envkit.facts.software import Python
    from envkit.knowledge import Knowledge


@check(
    area="profile",
    after=(
        *(f"driver-too-old-for-{what}" for what in ("profile", "torch", "tensorflow", "jax")),
        "gpu-arch-below-profile",
        *(f"gpu-arch-not-in-{framework}" for framework in ("torch", "tensorflow", "jax")),
    ),
)
def environment_assumption_not_met(
    nvidia: Nvidia, python: Python, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """The GPU or the driver is another than the environment was made for (envkit setup --assume).

    A failure where code for the GPU may be missing: it is of another major compute capability or of an older minor one,
    and of some installed framework it is not known that it has code for it.
    """
    made = python.setup
    if made is None or not made.assumptions or not judged(profile):
        return
    if not (gpus := usable(nvidia)):
        yield Finding(status="skip", message="there is no GPU yet to compare with what was assumed")
        return
    wanted = profile if profile.name else Profile(name=made.profile)
    evidence = [f"assumed: {', '.join(f'{key}={value}' for key, value in made.assumptions.items())}"]
    remedy = Remedy(text="set the environment up for this machine", commands=[setup(wanted, python)])
    driver, system = driver_of(nvidia, knowledge), facts.system.facts
    windows = bool(system and system.wsl)  # whose driver counts otherwise
    if driver.version and not windows and older(driver.version, made.assumptions.get("driver", "")):
        yield warn(
            f"driver {driver.version} is older than {made.assumptions['driver']}, which the environment was made for",
            evidence=evidence,
            remedy=remedy,
        )
    # Of several alike the first stands for all.
    for gpu in {(gpu.name, capability_of(gpu, knowledge)): gpu for gpu in reversed(gpus)}.values():
        have, meant, name = capability_of(gpu, knowledge), made.assumptions.get("cc"), made.assumptions.get("gpu", "")
        if have and meant and not _runs(meant, have):
            found = fail if _in_doubt(gpu, nvidia, facts, profile, knowledge) else warn
            message = f"compute capability {have}, the environment was made for {meant}"
            yield found(message, subject=label(gpu), evidence=evidence, remedy=remedy)
        elif not is_named(gpu.name, name):
            message = f"the environment was made for a GPU {name}, this is {gpu.name}"
            yield warn(message, subject=label(gpu), evidence=evidence, remedy=remedy)


def is_named(name: str | None, assumed: str) -> bool:
    """Whether a GPU may be the one that was meant: each word is in its name ("H100", "NVIDIA H100 80GB HBM3")."""
    return name is None or set(_words(assumed)) <= set(_words(name))


def _words(name: str) -> list[str]:
    return re.findall("[a-z0-9]+", name.lower())


def older(driver: str, assumed: str) -> bool:
    """Whether a driver is older than assumed: than the version, or than any of the branch ("570")."""
    return satisfies(driver if "." in assumed else driver.partition(".")[0], f"<{assumed}") is True


def _runs(assumed: str, capability: str) -> bool:
    """Whether binary code for one compute capability runs on another: of the same major, and of no older a minor."""
    for_, on = release(assumed), release(capability)
    return for_ is None or on is None or (on[0] == for_[0] and on >= for_)


def _in_doubt(gpu: NvidiaGpu, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge) -> bool:
    """Whether an installed framework lacks code for a GPU, or may."""
    torch, tensorflow, jax = facts.torch.facts, facts.tensorflow.facts, facts.jax.facts
    found = [
        *(gpu_arch_not_in_torch(nvidia, torch, facts, profile, knowledge) if torch else ()),
        *(gpu_arch_not_in_tensorflow(nvidia, tensorflow, profile, knowledge) if tensorflow else ()),
        *(gpu_arch_not_in_jax(nvidia, jax, profile, knowledge) if jax else ()),
    ]
    return any(f.status in {"fail", "unknown"} and f.subject in {"", label(gpu)} for f in found)
