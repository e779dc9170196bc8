"""Installed kernels and NVIDIA's module in them, and what the next start would change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, on_pci
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.host import InstalledKernel, Kernel
    from envkit.profile import Profile

_REBOOT = [["sudo", "reboot"]]


def _running(kernel: Kernel) -> InstalledKernel | None:
    return next((k for k in kernel.installed or [] if k.release == kernel.running), None)


def _on_a_host(facts: Facts) -> bool:
    """A container sees its image's /lib/modules, under its host's kernel."""
    return facts.container.outcome == "absent"


def _build(kernel: Kernel, target: InstalledKernel) -> Remedy:
    """How NVIDIA's module comes to a kernel."""
    text = "build it for this kernel"
    if target.headers is False:
        packages = f"linux-headers-{target.release}, or kernel-devel-{target.release}"
        text = f"install the headers of this kernel ({packages}), then build it"
    if not kernel.nvidia_dkms_versions:
        return Remedy(text=f"install the driver's module package for {target.release}", who="admin")
    return Remedy(text=text, commands=[["sudo", "dkms", "autoinstall", "-k", target.release]], who="admin")


@check(area="accelerators")
def kernel_module_not_built(nvidia: Nvidia, kernel: Kernel, facts: Facts, profile: Profile) -> Findings:
    """NVIDIA's kernel module is there for another kernel than the one that runs.

    Happens after an update of the kernel whose headers were not installed. Read from modules.dep of each kernel.
    """
    here = _running(kernel)
    if not judged(profile) or not on_pci(nvidia) or not _on_a_host(facts) or here is None or nvidia.module_loaded:
        return
    others = [k for k in kernel.installed or [] if k.nvidia_module]
    if here.nvidia_module or not (others or kernel.nvidia_dkms_versions):
        return
    evidence = [f"{k.release}: {k.nvidia_module}" for k in others] or [
        f"DKMS has {version}" for version in kernel.nvidia_dkms_versions or []
    ]
    evidence.append(f"{here.release}: no nvidia module" + ("" if here.headers else ", no headers to build one"))
    yield fail(
        f"there is no NVIDIA kernel module for the kernel that runs, {here.release}",
        evidence=evidence,
        remedy=_build(kernel, here),
    )


@check(area="accelerators")
def next_kernel_without_nvidia_module(nvidia: Nvidia, kernel: Kernel, facts: Facts, profile: Profile) -> Findings:
    """The newest installed kernel has no NVIDIA module: after the next start the GPUs are gone.

    With DKMS and the kernel's headers the module is built while the machine starts.
    """
    here = _running(kernel)
    if not judged(profile) or not on_pci(nvidia) or not _on_a_host(facts) or here is None or not here.nvidia_module:
        return
    kin = [k for k in kernel.installed or [] if k.bootable and _flavour(k) == _flavour(here)]
    newest = kin[0] if kin else here
    if newest is here or newest.nvidia_module or (kernel.nvidia_dkms_versions and newest.headers):
        return
    yield warn(
        f"the next start may be with kernel {newest.release}, which has no NVIDIA module",
        evidence=[f"{here.release} runs: {here.nvidia_module}", f"{newest.release}: no nvidia module"],
        remedy=_build(kernel, newest),
    )


def _flavour(kernel: InstalledKernel) -> list[str]:
    """The words in its name: "generic", "aws", "el" and "x"."""
    return re.findall("[a-z]+", kernel.release)


@check(area="accelerators", after="driver-library-mismatch")
def nvidia_module_outdated(nvidia: Nvidia, kernel: Kernel, facts: Facts, profile: Profile) -> Findings:
    """Another NVIDIA kernel module is installed than the one that is loaded; the next start changes the driver."""
    here, loaded = _running(kernel), nvidia.module_version
    if not judged(profile) or not _on_a_host(facts) or here is None or loaded is None:
        return
    if here.nvidia_module_version and here.nvidia_module_version != loaded:
        yield warn(
            f"NVIDIA's kernel module {here.nvidia_module_version} is installed, {loaded} is loaded",
            evidence=[f"{here.release}: {here.nvidia_module}", f"/sys/module/nvidia/version: {loaded}"],
            remedy=Remedy(text="reboot when nothing is running", commands=_REBOOT, who="admin"),
        )


@check(area="machine", after=("driver-library-mismatch", "nvidia-module-outdated"))
def reboot_pending(kernel: Kernel, facts: Facts, *, any_package: bool = False) -> Findings:
    """An upgrade of NVIDIA's packages waits for a reboot.

    any_package: also that of others, which is usual on machines that run for long.
    """
    packages = kernel.reboot_required_by or []
    nvidia = [name for name in packages if "nvidia" in name]
    if kernel.reboot_required and _on_a_host(facts) and (nvidia or any_package):
        yield warn(
            "an upgrade waits for a reboot",
            evidence=[f"/run/reboot-required, by {', '.join((nvidia or packages)[:8]) or 'unknown packages'}"],
            remedy=Remedy(text="reboot when nothing is running", commands=_REBOOT, who="admin"),
        )
