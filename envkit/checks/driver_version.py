"""Whether the NVIDIA driver is new enough for the profile and for the CUDA that each framework was built with.

A program built with any CUDA 12 runs on any driver of CUDA 12 or later; one built with CUDA 13 needs a driver of
CUDA 13; before CUDA 11 each minor version needed its own driver. Source: NVIDIA "CUDA Compatibility", Minor Version
Compatibility.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from envkit.checks import check
from envkit.checks._gpus import judged
from envkit.checks._packages import install, torch_for_gpus
from envkit.findings import Findings, Remedy, fail, unsure, warn
from envkit.versions import minor, release, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.machine import System
    from envkit.facts.software import Jax, Tensorflow, Torch
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_GUIDE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


def _upgrade(at_least: str | None, knowledge: Knowledge, system: System | None) -> Remedy:
    if system and system.wsl:
        return Remedy(text="update the NVIDIA driver in Windows (never install one inside WSL)")
    text, commands = f"install driver {at_least or 'of a later branch'} or newer", []
    if at_least and (found := knowledge.driver_branch(at_least)):
        name, branch = found
        text += f"; branch {name} gets fixes until {branch.end_of_life}"
        if system and system.distribution_id == "ubuntu":
            commands = [["sudo", "apt-get", "install", f"nvidia-driver-{name}"]]
    return Remedy(text=text, commands=commands, who="admin", url=_GUIDE)


@check(area="accelerators", after="driver-library-mismatch")
def driver_too_old_for_profile(nvidia: Nvidia, profile: Profile, knowledge: Knowledge, facts: Facts) -> Findings:
    """The NVIDIA driver is older than the profile requires."""
    wanted, system = profile.requires.driver, facts.system.facts
    if profile.requires.accelerator != "nvidia" or not wanted or not nvidia.driver_version or (system and system.wsl):
        return  # under WSL the version is that of the driver of Windows, which counts otherwise
    if satisfies(nvidia.driver_version, wanted) is False:
        least = wanted.lstrip("><=~! ").partition(",")[0]
        yield fail(
            f"driver {nvidia.driver_version} is too old: profile {profile.name} needs {wanted}",
            evidence=[
                f"driver {nvidia.driver_version}",
                f"CUDA of the driver: {nvidia.cuda_driver_version or 'unknown'}",
            ],
            remedy=_upgrade(least, knowledge, system),
        )


def _too_old(
    name: str,
    cuda: str | None,
    nvidia: Nvidia,
    system: System | None,
    knowledge: Knowledge,
    *,
    other: list[list[str]] | None = None,
) -> Findings:
    """What there is to say about a framework built with `cuda` on this driver; `other`: how to get another build."""
    if not cuda or not nvidia.driver_version:
        return
    any_minor = knowledge.driver_floor(cuda)
    floor = any_minor or knowledge.toolkit_driver(cuda)
    if not release(cuda) or (nvidia.cuda_driver_version and not release(nvidia.cuda_driver_version)):
        has = nvidia.cuda_driver_version or "unknown"
        yield unsure(f"whether the driver runs {name}, built for CUDA {cuda}, is unknown: it has CUDA {has}")
        return
    if nvidia.cuda_driver_version:
        exact = not any_minor and floor is not None
        needed, offered = (
            release(minor(v) if exact else v.partition(".")[0]) for v in (cuda, nvidia.cuda_driver_version)
        )
        if not needed or not offered or needed <= offered:
            return
    if not nvidia.cuda_driver_version:
        if floor is None or (system and system.wsl):
            yield unsure(f"whether driver {nvidia.driver_version} runs {name} is unknown: it was built for CUDA {cuda}")
            return
        if satisfies(nvidia.driver_version, f">={floor}") is not False:
            return
    upgrade = _upgrade(floor, knowledge, system)
    if other:
        upgrade = msgspec.structs.replace(
            upgrade,
            text=f"{upgrade.text}; or install a build for this driver (the last command)",
            commands=[*upgrade.commands, *other],
        )
    yield fail(
        f"driver {nvidia.driver_version} is too old for {name}, built for CUDA {cuda}",
        evidence=[
            f"CUDA of the driver: {nvidia.cuda_driver_version or 'unknown'}",
            f"CUDA {cuda} needs driver {floor or 'unknown'} or newer",
        ],
        remedy=upgrade,
    )


@check(area="frameworks", after="driver-too-old-for-profile")
def driver_too_old_for_torch(
    torch: Torch, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """The NVIDIA driver is too old for the CUDA that PyTorch was built with."""
    if judged(profile):
        other = torch_for_gpus(facts, knowledge)
        yield from _too_old(f"PyTorch {torch.version}", torch.cuda, nvidia, facts.system.facts, knowledge, other=other)


@check(area="frameworks", after="driver-too-old-for-profile")
def driver_too_old_for_tensorflow(
    tensorflow: Tensorflow, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """The NVIDIA driver is too old for the CUDA that TensorFlow was built with."""
    if judged(profile) and tensorflow.cuda_build:
        yield from _too_old(f"TensorFlow {tensorflow.version}", tensorflow.cuda, nvidia, facts.system.facts, knowledge)


@check(area="frameworks", after="driver-too-old-for-profile")
def driver_too_old_for_jax(jax: Jax, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """The NVIDIA driver is too old for the CUDA plugin of JAX."""
    major = cuda_major(jax)
    if judged(profile) and major:
        other = [install(facts.python.facts, "jax[cuda12]")] if major > 12 else None
        yield from _too_old(f"JAX {jax.version}", f"{major}.0", nvidia, facts.system.facts, knowledge, other=other)


def cuda_major(jax: Jax) -> int | None:
    """The CUDA of JAX's plugin: {"jax-cuda12-plugin": "0.10.2"} -> 12."""
    majors = [name.removeprefix("jax-cuda").partition("-")[0] for name in jax.plugins if name.startswith("jax-cuda")]
    return max((int(major) for major in majors if major.isdecimal()), default=None)


@check(area="frameworks", after="driver-too-old-for-torch")
def driver_minor_compatibility(
    torch: Torch, nvidia: Nvidia, profile: Profile, knowledge: Knowledge, facts: Facts
) -> Findings:
    """PyTorch was built with a newer CUDA of the same major than the driver implements.

    It runs, but code that is only there as PTX cannot be compiled by the older driver, and newer features fail.
    """
    if not judged(profile) or not torch.cuda or not nvidia.cuda_driver_version:
        return
    built, driver = release(minor(torch.cuda)), release(minor(nvidia.cuda_driver_version))
    if built and driver and built[0] == driver[0] and built > driver:
        needed = knowledge.toolkit_driver(torch.cuda)
        yield warn(
            f"PyTorch {torch.version} is built for CUDA {torch.cuda}, the driver has {nvidia.cuda_driver_version}",
            evidence=[
                f"driver {nvidia.driver_version or 'of unknown version'}",
                f"CUDA {torch.cuda} came with driver {needed or 'unknown'}",
            ],
            remedy=_upgrade(needed, knowledge, facts.system.facts),
        )
