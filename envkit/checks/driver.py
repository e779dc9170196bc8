"""The NVIDIA kernel driver: loaded, bound to the GPU, reachable by this user, and of one version with its libraries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import driver_answers, judged, of_others, on_pci, shut, withheld
from envkit.checks._upgrade import first_driver
from envkit.facts.accelerators import Nvidia
from envkit.findings import Findings, Remedy, fail

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_GUIDE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
_UNLOADED_BECAUSE = (
    "gpu-bound-to-nouveau",
    "gpu-bound-to-vfio",
    "secure-boot-rejects-driver",
    "kernel-module-not-built",
)
_NODE = re.compile(r"/dev/nvidia(\d+|ctl|-uvm)")


def _bound_to(nvidia: Nvidia, driver: str) -> list[str]:
    return [d.address for d in nvidia.pci_devices or [] if d.kernel_driver == driver]


@check(area="accelerators")
def gpu_bound_to_nouveau(nvidia: Nvidia, profile: Profile, facts: Facts, knowledge: Knowledge) -> Findings:
    """The open nouveau driver holds the NVIDIA GPU; CUDA needs NVIDIA's own.

    Read from the `driver` link of each PCI device.
    """
    addresses = _bound_to(nvidia, "nouveau") if judged(profile) else []
    if addresses:
        install = first_driver(profile, knowledge, facts)
        blacklist = "printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' > /etc/modprobe.d/blacklist-nouveau.conf"
        yield fail(
            "the NVIDIA GPU is driven by nouveau, which cannot run CUDA",
            evidence=[f"{address}: driver nouveau" for address in addresses],
            remedy=Remedy(
                text="keep nouveau from loading and rebuild the initramfs (update-initramfs -u, or dracut --force); "
                f"{install.text}",
                commands=[["sudo", "sh", "-c", blacklist], *install.commands],
                who="admin",
                url=install.url,
            ),
        )


@check(area="accelerators")
def gpu_bound_to_vfio(nvidia: Nvidia, profile: Profile) -> Findings:
    """The NVIDIA GPU is reserved for a virtual machine (vfio-pci)."""
    addresses = _bound_to(nvidia, "vfio-pci") if judged(profile) else []
    if addresses:
        yield fail(
            "the NVIDIA GPU is bound to vfio-pci: it is set aside for a virtual machine",
            evidence=[f"{address}: driver vfio-pci" for address in addresses],
            remedy=Remedy(
                text="train in the virtual machine that owns the GPU, or take its id out of vfio-pci.ids and reboot",
                who="admin",
            ),
        )


@check(area="accelerators", after=_UNLOADED_BECAUSE)
def nvidia_driver_not_loaded(nvidia: Nvidia, profile: Profile, facts: Facts, knowledge: Knowledge) -> Findings:
    """There is an NVIDIA GPU, but NVIDIA's kernel driver is not loaded.

    No /sys/module/nvidia and no /proc/driver/nvidia/version, or NVML says DRIVER_NOT_LOADED. Where its library is
    not there either, the remedy has the commands that install the driver which the profile needs.
    """
    container = facts.container.facts
    loaded = nvidia.module_loaded if nvidia.nvml.outcome != "ok" else True
    if not judged(profile) or not on_pci(nvidia) or (loaded is not False and nvidia.nvml.error != "DRIVER_NOT_LOADED"):
        return
    devices = nvidia.pci_devices or []
    evidence = [f"{d.address}: NVIDIA device {d.device_id}, driver {d.kernel_driver or 'none'}" for d in devices]
    if nvidia.libcuda_path and not container:
        evidence.append(f"the driver's library is installed: {nvidia.libcuda_path}")
        if facts.kernel.facts and facts.kernel.facts.secure_boot:
            evidence.append("Secure Boot is on: it refuses a module that is not signed with an enrolled key")
        text = (
            "load the module; if that fails, rebuild it for the running kernel (dkms autoinstall) and check Secure Boot"
        )
        remedy = Remedy(text=text, commands=[["sudo", "modprobe", "nvidia"]], who="admin", url=_GUIDE)
    else:
        remedy = first_driver(profile, knowledge, facts)
    yield fail("the NVIDIA kernel driver is not loaded", evidence=evidence, remedy=remedy)


@check(area="accelerators", after="nvidia-driver-not-loaded")
def driver_library_mismatch(profile: Profile, facts: Facts) -> Findings:
    """The loaded kernel module and the driver's libraries are of different versions.

    Happens when packages are upgraded without a reboot. NVML says LIB_RM_VERSION_MISMATCH, the kernel's log "API
    mismatch"; before that, the version of the module is compared with those of the library files. Libraries of a
    cuda-compat package may differ.
    """
    nvidia = facts.nvidia.facts or Nvidia()
    log = facts.kernel_log.facts
    logged = [m.text[:200] for m in log.messages if m.kind == "driver-mismatch"][-1:] if log else []
    if not judged(profile):
        return
    if nvidia.nvml.outcome == "ok":  # the message is older than the repair
        logged = []
    module = nvidia.module_version
    libraries = {"libcuda": (nvidia.libcuda_path, nvidia.libcuda_version)}
    if nvidia.nvml.outcome != "ok":
        libraries["libnvidia-ml"] = (nvidia.nvml.library_path, nvidia.nvml.library_version)
    differing = [
        f"{name} {version}: {path or 'path unknown'}"
        for name, (path, version) in libraries.items()
        if module and version and version != module and "compat" not in (path or "")
    ]
    if differing or logged or nvidia.nvml.error == "LIB_RM_VERSION_MISMATCH":
        evidence = [f"kernel module {module or 'unknown'}", *differing, *logged]
        if nvidia.nvml.error:
            evidence.append(f"NVML: {nvidia.nvml.error}")
        where = "recreate the container, so that it gets the host's libraries" if facts.container.facts else "reboot"
        yield fail(
            "the NVIDIA kernel module and its libraries are of different versions",
            evidence=evidence,
            remedy=Remedy(
                text=f"{where}; without a reboot, stop every user of the GPU and reload the module",
                commands=[] if facts.container.facts else [["sudo", "reboot"]],
                who="user" if facts.container.facts else "admin",
            ),
        )


@check(area="accelerators", after=("nvidia-driver-not-loaded", "container-without-gpu"))
def nvidia_uvm_not_loaded(nvidia: Nvidia, profile: Profile) -> Findings:
    """The module nvidia_uvm is not loaded; CUDA cannot start without it."""
    if judged(profile) and nvidia.module_loaded and nvidia.uvm_loaded is False:
        yield fail(
            "the kernel module nvidia_uvm is not loaded, so CUDA cannot start",
            evidence=["/sys/module/nvidia_uvm is not there"],
            remedy=Remedy(
                text="load it and make its device node (in a container: on the host)",
                commands=[["sudo", "nvidia-modprobe", "-u", "-c0"]],
                who="admin",
            ),
        )


@check(area="accelerators", after=("nvidia-driver-not-loaded", "scheduler-no-gpu"))
def nvidia_device_nodes_unusable(nvidia: Nvidia, profile: Profile, facts: Facts) -> Findings:
    """Device nodes of the NVIDIA driver are missing, or closed to this user."""
    if not judged(profile) or not driver_answers(nvidia) or not on_pci(nvidia) or withheld(facts):
        return
    nodes = [node for node in nvidia.device_nodes if _NODE.fullmatch(node.path)]
    kept = of_others(nodes, facts)
    closed = [path for path in shut(nodes) if path not in kept]
    # What other tools print does not list them.
    none_of_a_gpu = not facts.sources and not any(node.path[-1].isdigit() for node in nodes)
    # On a host CUDA has it made; into a container it must be passed, and nvidia-smi does without (nvidia-docker#1085).
    without_uvm = bool(
        facts.container.facts
        and not (facts.sources or none_of_a_gpu or _is_wsl(facts))
        and not any(node.path == "/dev/nvidia-uvm" for node in nodes)
    )
    if not closed and not without_uvm and not (none_of_a_gpu and nvidia.nvml.outcome != "ok"):
        return
    if facts.container.facts:
        remedy = Remedy(text="pass the devices in with --gpus all or CDI instead of single --device options")
    elif closed:
        remedy = Remedy(text="allow this user to read and write them (group of the nodes, udev rules)", who="admin")
    else:
        remedy = Remedy(text="make the nodes", commands=[["sudo", "nvidia-modprobe", "-c0", "-u"]], who="admin")
    if closed:
        message, evidence = "this user may not use the NVIDIA device nodes", closed
    elif without_uvm:
        message, evidence = "CUDA cannot start: /dev/nvidia-uvm is not in this container", ["no /dev/nvidia-uvm"]
    else:
        message, evidence = "the device nodes of the NVIDIA GPU are missing", ["no /dev/nvidia0"]
    yield fail(message, evidence=evidence, remedy=remedy)


def _is_wsl(facts: Facts) -> bool:
    return bool(facts.system.facts and facts.system.facts.wsl)
