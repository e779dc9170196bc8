"""The container engine and the image: NVIDIA's runtime, what the image demands of the driver, libraries it brings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, usable
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.machine import Container, ContainerEngine
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
_DEMAND = re.compile(r"(cuda|driver)([<>=]{1,2})(\d+(?:\.\d+)*)")


@check(area="container")
def container_runtime_lacks_nvidia(container_engine: ContainerEngine, facts: Facts, profile: Profile) -> Findings:
    """The container engine of a machine with NVIDIA GPUs knows neither NVIDIA's runtime nor its CDI devices."""
    nvidia = facts.nvidia.facts
    there = nvidia is not None and bool(nvidia.pci_devices or nvidia.gpus or nvidia.module_loaded)
    cdi = any("nvidia" in device for device in container_engine.cdi_devices or [])
    runtimes = container_engine.runtimes
    if judged(profile) and there and runtimes is not None and not cdi and not any("nvidia" in r for r in runtimes):
        yield warn(
            f"{container_engine.name} has no NVIDIA runtime, so containers may get no GPU",
            evidence=[f"runtimes: {', '.join(runtimes) or 'none'}"],
            remedy=Remedy(
                text="install the NVIDIA container toolkit and register its runtime",
                commands=[
                    ["sudo", "nvidia-ctk", "runtime", "configure", f"--runtime={container_engine.name}"],
                    ["sudo", "systemctl", "restart", container_engine.name],
                ],
                who="admin",
                url=_TOOLKIT,
            ),
        )


@check(area="container", after=("driver-too-old-for-torch", "driver-too-old-for-tensorflow", "driver-too-old-for-jax"))
def image_needs_newer_driver(container: Container, nvidia: Nvidia, profile: Profile) -> Findings:
    """The image demands a newer driver than there is (NVIDIA_REQUIRE_CUDA).

    Alternatives stand between blanks, conditions of one between commas. Forward-compatible libraries in the image may
    still make it work. Source: NVIDIA container toolkit, "Docker Specialized Configurations", Constraints.
    """
    demand = container.nvidia_require or ""
    alternatives = [_DEMAND.findall(alternative) for alternative in demand.split()]
    have = {"cuda": nvidia.cuda_driver_version, "driver": nvidia.driver_version}
    refused = [
        conditions
        and any(
            have[what] and satisfies(have[what] or "", f"{_operator(sign)}{v}") is False for what, sign, v in conditions
        )
        for conditions in alternatives
    ]
    if judged(profile) and refused and all(refused):
        yield warn(
            "the image was made for a newer driver than this machine has",
            evidence=[
                f"NVIDIA_REQUIRE_CUDA={demand[:120]}",
                f"driver {nvidia.driver_version or 'unknown'}, CUDA {nvidia.cuda_driver_version or 'unknown'}",
            ],
            remedy=Remedy(text="use an older image, or update the driver of the host"),
        )


def _operator(sign: str) -> str:
    return "==" if sign == "=" else sign


@check(area="accelerators", after="driver-library-mismatch")
def cuda_compat_unsupported(nvidia: Nvidia, profile: Profile, knowledge: Knowledge) -> Findings:
    """The libcuda of a forward-compatibility package is used where it does not fit: a newer driver, or a desktop GPU.

    Such packages are for the GPUs of servers, and only in front of an older driver; else CUDA stops with error 803 or
    804. Source: NVIDIA "CUDA Compatibility", Forward Compatibility.
    """
    path, driver = nvidia.libcuda_path or "", nvidia.module_version or nvidia.driver_version
    if not judged(profile) or "compat" not in path or not nvidia.libcuda_version:
        return
    reasons = []
    if driver and satisfies(nvidia.libcuda_version, f"<{driver}"):
        reasons.append(f"it is older than the driver {driver}")
    for gpu in usable(nvidia)[:1]:
        if gpu.name and "geforce" in gpu.name.lower() and not reasons and driver != nvidia.libcuda_version:
            model = knowledge.gpu_model(gpu.name)
            reasons += [f"{gpu.name} does not support it"] if not (model and model.server) else []
    if reasons:
        yield fail(
            f"libcuda {nvidia.libcuda_version} is that of a compatibility package, and {reasons[0]}",
            evidence=[path],
            remedy=Remedy(text="take the compat folder out of LD_LIBRARY_PATH (or remove the cuda-compat package)"),
        )


@check(area="accelerators")
def wsl_linux_driver_installed(nvidia: Nvidia, facts: Facts, profile: Profile) -> Findings:
    """A Linux driver has been installed inside WSL; its libcuda hides the one that Windows provides."""
    system, path = facts.system.facts, nvidia.libcuda_path
    if judged(profile) and system and system.wsl and path and not path.startswith(("/usr/lib/wsl/", "/mnt/")):
        if "compat" in path or "stubs" in path or not re.search(r"\.so\.\d{3}\.\d", path):
            return  # Windows puts its own as libcuda.so.1.1
        yield fail(
            "a Linux driver is installed inside WSL and hides the one of Windows",
            evidence=[path],
            remedy=Remedy(
                text="remove the driver packages; in WSL install the toolkit alone, never a driver",
                commands=[
                    ["sudo", "apt-get", "purge", "^nvidia-driver-.*", "^libnvidia-compute-.*"],
                    ["sudo", "ldconfig"],
                ],
                who="admin",
            ),
        )
