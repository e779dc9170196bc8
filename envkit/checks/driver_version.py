"""Whether the NVIDIA driver is new enough for the profile and for the CUDA that each framework was built with.

A program built with any CUDA 12 runs on any driver of CUDA 12 or later; one built with CUDA 13 needs a driver of
CUDA 13; before CUDA 11 each minor version needed its own driver. Source: NVIDIA "CUDA Compatibility", Minor Version
Compatibility.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from envkit.checks import check
from envkit.checks._compat import CudaDriver, driver_of
from envkit.checks._gpus import judged
from envkit.checks._packages import install, torch_for_gpus
from envkit.checks._upgrade import compatibility_package, least_of, needs, upgrade
from envkit.findings import Finding, Findings, fail, unsure, warn
from envkit.versions import minor, release, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.software import Jax, JaxDeep, Tensorflow, TensorflowDeep, Torch
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

FIRST_MAJOR_WITH_MINOR_COMPATIBILITY = 11


@check(area="accelerators", after="driver-library-mismatch")
def driver_too_old_for_profile(nvidia: Nvidia, profile: Profile, knowledge: Knowledge, facts: Facts) -> Findings:
    """The NVIDIA driver is older than the profile requires."""
    wanted, system = profile.requires.driver, facts.system.facts
    driver = driver_of(nvidia, knowledge)
    if profile.requires.accelerator != "nvidia" or not wanted or not driver.version or (system and system.wsl):
        return  # under WSL the version is that of the driver of Windows, which counts otherwise
    if satisfies(driver.version, wanted) is not False:
        return
    if not driver.certain:
        yield _compatibility_unknown(nvidia, f"profile {profile.name}, which needs driver {wanted},")
        return
    yield fail(
        f"driver {driver.version} is too old: profile {profile.name} needs {wanted}",
        evidence=[f"driver {driver.version}", f"CUDA of the driver: {driver.cuda or 'unknown'}"],
        remedy=upgrade(least_of(wanted), knowledge, facts, needed_by=needs(profile)),
    )


def _compatibility_unknown(nvidia: Nvidia, what: str) -> Finding:
    return unsure(
        f"whether {what} works with driver {nvidia.driver_version or 'of unknown version'} is unknown",
        evidence=[f"a compatibility package is in use: {nvidia.libcuda_path}"],
    )


def _runs(cuda: str, driver: CudaDriver, knowledge: Knowledge, *, windows: bool) -> bool | None:
    """Whether a driver runs programs built with this CUDA; None where that cannot be told."""
    built, offered = release(minor(cuda)), release(driver.cuda or "")
    if built is None or (driver.cuda and offered is None):
        return None
    floor = knowledge.drivers.floor(cuda, windows=windows)
    if offered is None:
        least = floor or knowledge.drivers.of_toolkit(cuda, windows=windows)
        return satisfies(driver.version, f">={least}") is not False if driver.version and least else None
    if offered >= built:
        return True
    if offered[0] < built[0] or built[0] < FIRST_MAJOR_WITH_MINOR_COMPATIBILITY:
        return False
    return not (driver.version and floor) or satisfies(driver.version, f">={floor}") is not False


def _too_old(
    name: str,
    cuda: str | None,
    nvidia: Nvidia,
    facts: Facts,
    knowledge: Knowledge,
    *,
    other: list[list[str]] | None = None,
) -> Findings:
    """What there is to say about a framework built with `cuda` on this driver; `other`: how to get another build."""
    driver = driver_of(nvidia, knowledge)
    if not cuda or not (driver.version or driver.cuda):
        return
    windows = bool(facts.system.facts and facts.system.facts.wsl)
    runs = _runs(cuda, driver, knowledge, windows=windows)
    if runs:
        return
    version = driver.version or "of unknown version"
    if not driver.certain:
        yield _compatibility_unknown(nvidia, f"{name}, built for CUDA {cuda},")
        return
    if runs is None:
        has = f", which has CUDA {driver.cuda}," if driver.cuda else ""
        yield unsure(f"whether driver {version}{has} runs {name} is unknown: it was built for CUDA {cuda}")
        return
    floor = knowledge.drivers.floor(cuda, windows=windows) or knowledge.drivers.of_toolkit(cuda, windows=windows)
    newer = upgrade(floor, knowledge, facts, needed_by=f"CUDA {cuda}")
    package = compatibility_package(cuda, nvidia, knowledge, facts)
    build = "; or install a build for this driver (the last command)" if other else ""
    yield fail(
        f"driver {version} is too old for {name}, built for CUDA {cuda}",
        evidence=[
            f"CUDA of the driver: {driver.cuda or 'unknown'}",
            f"CUDA {cuda} needs driver {floor or 'unknown'} or newer",
        ],
        remedy=replace(newer, text=f"{newer.text}{package}{build}", commands=[*newer.commands, *(other or [])]),
    )


@check(area="frameworks", after="driver-too-old-for-profile")
def driver_too_old_for_torch(
    torch: Torch, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """The NVIDIA driver is too old for the CUDA that PyTorch was built with."""
    deep = facts.torch_deep.facts
    if judged(profile) and not (deep and deep.cuda_available):
        other = torch_for_gpus(facts, knowledge)
        yield from _too_old(f"PyTorch {torch.version}", torch.cuda, nvidia, facts, knowledge, other=other)


@check(area="frameworks", after="driver-too-old-for-profile")
def driver_too_old_for_tensorflow(
    tensorflow: Tensorflow, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """The NVIDIA driver is too old for the CUDA that TensorFlow was built with."""
    if judged(profile) and tensorflow.cuda_build and not _uses_gpu(facts.tensorflow_deep.facts):
        yield from _too_old(f"TensorFlow {tensorflow.version}", tensorflow.cuda, nvidia, facts, knowledge)


@check(area="frameworks", after="driver-too-old-for-profile")
def driver_too_old_for_jax(jax: Jax, nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """The NVIDIA driver is too old for the CUDA plugin of JAX."""
    major = cuda_major(jax)
    if judged(profile) and major and not _uses_gpu(facts.jax_deep.facts):
        other = [install(facts.python.facts, "jax[cuda12]")] if major > 12 else None
        yield from _too_old(f"JAX {jax.version}", f"{major}.0", nvidia, facts, knowledge, other=other)


def _uses_gpu(deep: TensorflowDeep | JaxDeep | None) -> bool:
    """Whether a framework that was asked says that it uses the GPU: then its driver is new enough."""
    return any(device.kind == "cuda" for device in deep.devices) if deep else False


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
    driver = driver_of(nvidia, knowledge)
    if not judged(profile) or not torch.cuda or not driver.cuda or not driver.certain:
        return
    built, offered = release(minor(torch.cuda)), release(minor(driver.cuda))
    if built and offered and built[0] == offered[0] and built > offered:
        windows = bool(facts.system.facts and facts.system.facts.wsl)
        needed = knowledge.drivers.of_toolkit(torch.cuda, windows=windows)
        yield warn(
            f"PyTorch {torch.version} is built for CUDA {torch.cuda}, the driver has {driver.cuda}",
            evidence=[
                f"driver {driver.version or 'of unknown version'}",
                f"CUDA {torch.cuda} came with driver {needed or 'unknown'}",
            ],
            remedy=upgrade(needed, knowledge, facts, needed_by=f"all of CUDA {minor(torch.cuda)}"),
        )
