"""The container engine and the image: NVIDIA's runtime, what the image demands of the driver, libraries it brings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._admin import system_package
from envkit.checks._gpus import judged
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


def _hands_gpus_over(engine: ContainerEngine) -> bool | None:
    """Whether the engine can: by CDI, by a runtime of NVIDIA's, by a hook. None: not told, or not its business.

    What other engines than Docker start may get GPUs by other means, unless NVIDIA's toolkit is there for it.
    """
    cdi = any("nvidia.com/" in device for device in engine.cdi_devices or []) and engine.cdi_enabled is not False
    if cdi or engine.nvidia_hook or any("nvidia" in runtime for runtime in engine.runtimes or []):
        return True
    if engine.name == "docker" or (engine.name == "containerd" and engine.nvidia_toolkit):
        return None if engine.runtimes is None else False
    return False if engine.nvidia_toolkit and engine.cdi_specs == [] else None


@check(area="container")
def container_runtime_lacks_nvidia(
    container_engine: ContainerEngine, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """The container engine of a machine with NVIDIA GPUs knows neither NVIDIA's runtime nor its CDI devices."""
    nvidia, name = facts.nvidia.facts, container_engine.name
    there = nvidia is not None and bool(nvidia.pci_devices or nvidia.gpus or nvidia.module_loaded)
    if not judged(profile) or not there or facts.container.facts or _hands_gpus_over(container_engine) is not False:
        return
    install, origin = system_package("nvidia-container-toolkit", facts, knowledge)
    if container_engine.nvidia_toolkit:
        install, origin = [], ""
    by_runtime = bool(container_engine.runtimes)
    register = [
        ["sudo", "nvidia-ctk", "runtime", "configure", f"--runtime={name}"],
        ["sudo", "systemctl", "restart", name],
    ]
    listing = [["sudo", "nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml"]]
    then = (
        "make NVIDIA's runtime known to the engine (without root the engine has steps of its own)"
        if by_runtime
        else "list the GPUs for the engine (CDI)"
    )
    yield warn(
        f"{name} has no NVIDIA runtime, so containers may get no GPU",
        evidence=[f"runtimes: {', '.join(container_engine.runtimes or [])}"]
        if by_runtime
        else ["no list of GPUs in /etc/cdi or /var/run/cdi"],
        remedy=Remedy(
            text=then
            if container_engine.nvidia_toolkit
            else f"install the NVIDIA container toolkit{origin} and {then}",
            commands=[*install, *(register if by_runtime else listing)],
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


@check(area="accelerators")
def wsl_linux_driver_installed(nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
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
                commands=system_package("nvidia-driver-removal", facts, knowledge).commands,
                who="admin",
            ),
        )
