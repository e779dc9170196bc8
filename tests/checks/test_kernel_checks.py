"""Checks of installed kernels, of NVIDIA's module in them, and of reboots that are waited for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import driver
from envkit.checks import kernel as checks
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, PciDevice
from envkit.facts.host import InstalledKernel, Kernel
from envkit.facts.machine import Container
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU = Profile(), Profile(name="cpu")
HOST = Facts(container=absent("none"))
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))
OLD, NEW = "6.8.0-40-generic", "6.8.0-45-generic"
PCI = [PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236")]
UNLOADED = Nvidia(pci_devices=PCI, module_loaded=False)
LOADED = Nvidia(pci_devices=PCI, module_loaded=True, module_version="550.54.14")


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def installed(release: str, module: str | None = None, **more: Any) -> InstalledKernel:
    return InstalledKernel(release=release, nvidia_module=module, **{"bootable": True, "headers": True, **more})


def kernels(running: str, *found: InstalledKernel, **more: Any) -> Kernel:
    return Kernel(running=running, installed=list(found), **more)


MODULE = "updates/dkms/nvidia.ko.zst"
BUILT_FOR_OLD = kernels(NEW, installed(NEW, headers=False), installed(OLD, MODULE), nvidia_dkms_versions=["550.54.14"])


def test_kernel_module_not_built_fires() -> None:
    found = one(checks.kernel_module_not_built(UNLOADED, BUILT_FOR_OLD, HOST, ANY))
    assert found.status == "fail"
    assert found.evidence == [f"{OLD}: {MODULE}", f"{NEW}: no nvidia module, no headers to build one"]
    assert found.remedy is not None
    assert "headers" in found.remedy.text
    assert found.remedy.commands == [["sudo", "dkms", "autoinstall", "-k", NEW]]


def test_kernel_module_not_built_fires_where_only_dkms_has_it() -> None:
    kernel = kernels(NEW, installed(NEW), nvidia_dkms_versions=["550.54.14"])
    assert one(checks.kernel_module_not_built(UNLOADED, kernel, HOST, ANY)).evidence[0] == "DKMS has 550.54.14"


def test_kernel_module_not_built_fires_and_without_dkms_names_a_package() -> None:
    found = one(checks.kernel_module_not_built(UNLOADED, kernels(NEW, installed(NEW), installed(OLD, "x")), HOST, ANY))
    assert found.remedy is not None
    assert (found.remedy.commands, NEW in found.remedy.text) == ([], True)


@pytest.mark.parametrize(
    ("nvidia", "kernel", "facts", "profile"),
    [
        (LOADED, BUILT_FOR_OLD, HOST, ANY),
        (UNLOADED, kernels(NEW, installed(NEW, MODULE), installed(OLD, MODULE)), HOST, ANY),
        (UNLOADED, kernels(NEW, installed(NEW), installed(OLD)), HOST, ANY),  # no driver is installed at all
        (UNLOADED, kernels("6.18.0-custom", installed(NEW), installed(OLD, MODULE)), HOST, ANY),
        (UNLOADED, Kernel(running=NEW), HOST, ANY),
        (UNLOADED, BUILT_FOR_OLD, IN_DOCKER, ANY),
        (UNLOADED, BUILT_FOR_OLD, Facts(), ANY),
        (UNLOADED, BUILT_FOR_OLD, HOST, CPU),
        (Nvidia(libcuda_path="/usr/lib/libcuda.so.1"), BUILT_FOR_OLD, HOST, ANY),  # no GPU
    ],
)
def test_kernel_module_not_built_near_miss(nvidia: Nvidia, kernel: Kernel, facts: Facts, profile: Profile) -> None:
    assert not list(checks.kernel_module_not_built(nvidia, kernel, facts, profile))


def test_secure_boot_is_evidence_for_a_driver_that_is_not_loaded() -> None:
    nvidia = Nvidia(pci_devices=PCI, module_loaded=False, libcuda_path="/usr/lib/libcuda.so.550.54.14")
    facts = Facts(kernel=ok(Kernel(secure_boot=True)))
    found = one(driver.nvidia_driver_not_loaded(nvidia, ANY, facts, Knowledge()))
    assert any(line.startswith("Secure Boot is on") for line in found.evidence)
    facts = Facts(kernel=ok(Kernel(secure_boot=False)))
    found = one(driver.nvidia_driver_not_loaded(nvidia, ANY, facts, Knowledge()))
    assert not any("Secure Boot is on" in line for line in found.evidence)


def test_next_kernel_without_nvidia_module_fires() -> None:
    kernel = kernels(OLD, installed(NEW, headers=False), installed(OLD, MODULE), nvidia_dkms_versions=["550.54.14"])
    found = one(checks.next_kernel_without_nvidia_module(LOADED, kernel, HOST, ANY))
    assert (found.status, NEW in found.message) == ("warn", True)
    kernel = kernels(OLD, installed(NEW), installed(OLD, "kernel/nvidia-550/nvidia.ko"))
    assert one(checks.next_kernel_without_nvidia_module(LOADED, kernel, HOST, ANY)).remedy


@pytest.mark.parametrize(
    "kernel",
    [
        kernels(NEW, installed(NEW, MODULE), installed(OLD)),
        kernels(OLD, installed(NEW, MODULE), installed(OLD, MODULE)),
        kernels(OLD, installed(NEW), installed(OLD, MODULE), nvidia_dkms_versions=["550.54.14"]),  # built at the start
        kernels(OLD, installed(NEW, bootable=False), installed(OLD, MODULE)),
        kernels(OLD, installed("6.8.0-45-lowlatency"), installed(OLD, MODULE)),
        kernels(OLD, installed(NEW), installed(OLD)),
        kernels("other", installed(NEW), installed(OLD, MODULE)),
    ],
)
def test_next_kernel_without_nvidia_module_near_miss(kernel: Kernel) -> None:
    assert not list(checks.next_kernel_without_nvidia_module(LOADED, kernel, HOST, ANY))


def test_nvidia_module_outdated_fires() -> None:
    kernel = kernels(NEW, installed(NEW, MODULE, nvidia_module_version="570.133.20"))
    found = one(checks.nvidia_module_outdated(LOADED, kernel, HOST, ANY))
    assert found.message == "NVIDIA's kernel module 570.133.20 is installed, 550.54.14 is loaded"


@pytest.mark.parametrize(
    ("nvidia", "version", "facts"),
    [
        (LOADED, "550.54.14", HOST),
        (LOADED, None, HOST),
        (UNLOADED, "570.133.20", HOST),
        (LOADED, "570.133.20", IN_DOCKER),
    ],
)
def test_nvidia_module_outdated_near_miss(nvidia: Nvidia, version: str | None, facts: Facts) -> None:
    kernel = kernels(NEW, installed(NEW, MODULE, nvidia_module_version=version))
    assert not list(checks.nvidia_module_outdated(nvidia, kernel, facts, ANY))


def waiting(*packages: str) -> Kernel:
    return Kernel(reboot_required=True, reboot_required_by=list(packages) or None)


def test_reboot_pending_fires() -> None:
    found = one(checks.reboot_pending(waiting("linux-base", "nvidia-kernel-common-550"), HOST))
    assert found.evidence == ["/run/reboot-required, by nvidia-kernel-common-550"]
    assert one(checks.reboot_pending(waiting(), HOST, any_package=True)).status == "warn"


@pytest.mark.parametrize(
    ("kernel", "facts"),
    [
        (waiting("linux-base", "libc6"), HOST),
        (waiting(), HOST),
        (waiting("nvidia-kernel-common-550"), IN_DOCKER),
        (Kernel(reboot_required=False), HOST),
        (Kernel(), HOST),
    ],
)
def test_reboot_pending_near_miss(kernel: Kernel, facts: Facts) -> None:
    assert not list(checks.reboot_pending(kernel, facts))
