"""Whether the accelerator that the profile wants is there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._upgrade import cloud_of
from envkit.facts.accelerators import PciDevice
from envkit.findings import Findings, Remedy, count, fail

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Amd, Apple, Nvidia, Tpu
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_ON_THE_CPU = [["envkit", "setup", "--profile", "cpu"]]


def _something_of_nvidia(nvidia: Nvidia) -> bool:
    """More than libraries, which CUDA's container images hold, and /dev/dxg, which every WSL has."""
    nodes = [node for node in nvidia.device_nodes if node.path != "/dev/dxg"]
    troubled = nvidia.nvml.outcome in {"timeout", "crashed", "error"} and nvidia.nvml.error != "DRIVER_NOT_LOADED"
    return bool(nvidia.pci_devices or nvidia.gpus or nvidia.module_loaded or nodes or troubled)


@check(area="accelerators", after="scheduler-no-gpu")
def nvidia_gpu_missing(nvidia: Nvidia | None, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """The profile needs an NVIDIA GPU and there is none.

    Nothing of vendor 10de on the PCI bus, no NVIDIA kernel module and no GPU that NVML can name.
    """
    if profile.requires.accelerator != "nvidia":
        return
    if nvidia and _something_of_nvidia(nvidia):
        return
    system, container = facts.system.facts, facts.container.facts
    evidence = [facts.nvidia.why or "no NVIDIA device on the PCI bus, no driver, no device nodes"]
    ways = ["use a machine with an NVIDIA GPU"]
    if system and system.wsl:
        evidence.append("this is WSL: the GPU comes from the driver of Windows")
        ways = ["install or update the NVIDIA driver in Windows (never one inside WSL)"]
    elif system and system.virtual_machine not in {None, "none"}:
        evidence.append(f"this is a virtual machine ({system.virtual_machine})")
        cloud = cloud_of(facts, knowledge)
        where = f" ({cloud.instances})" if cloud else ", or pass one through to this virtual machine"
        ways = [f"choose an instance type with an NVIDIA GPU{where}"]
    if container:
        evidence.append(f"this is a container ({container.runtime or container.evidence or 'of unknown kind'})")
        ways.append("pass the GPU into the container (docker run --gpus all)")
    yield fail(
        f"there is no NVIDIA GPU, which profile {profile.name} needs",
        evidence=evidence,
        remedy=Remedy(text=f"{'; '.join(ways)}; or train on the CPU:", commands=_ON_THE_CPU),
    )


@check(area="accelerators")
def amd_gpu_missing(amd: Amd | None, facts: Facts, profile: Profile) -> Findings:
    """The profile needs an AMD GPU and there is none."""
    if profile.requires.accelerator == "amd" and not (
        amd and (amd.gpus or any(node.path == "/dev/kfd" for node in amd.device_nodes))
    ):
        yield fail(
            f"there is no AMD GPU, which profile {profile.name} needs",
            evidence=[facts.amd.why or "the amdgpu driver shows no GPU"],
            remedy=Remedy(
                text="use a machine with an AMD GPU and the amdgpu driver; or train on the CPU:", commands=_ON_THE_CPU
            ),
        )


@check(area="accelerators")
def tpu_missing(tpu: Tpu | None, facts: Facts, profile: Profile) -> Findings:
    """The profile needs a TPU and there is none."""
    if profile.requires.accelerator == "tpu" and not (tpu and (tpu.pci_devices or tpu.device_nodes)):
        yield fail(
            f"there is no TPU, which profile {profile.name} needs",
            evidence=[facts.tpu.why or "no Google device on the PCI bus, no /dev/accel* and no /dev/vfio/N"],
            remedy=Remedy(text="use a TPU VM; or train on the CPU:", commands=_ON_THE_CPU),
        )


@check(area="accelerators")
def apple_silicon_missing(apple: Apple | None, facts: Facts, profile: Profile) -> Findings:
    """The profile needs Apple silicon and this is none."""
    if profile.requires.accelerator == "apple" and apple is None:
        yield fail(
            f"this is no Apple silicon, which profile {profile.name} needs",
            evidence=[facts.apple.why] if facts.apple.why else [],
            remedy=Remedy(text="use a Mac with Apple silicon; or train on the CPU:", commands=_ON_THE_CPU),
        )


@check(area="accelerators", after=("amd-gpu-missing", "amd-kfd-unusable", "amd-gpu-count-mismatch", "tpu-missing"))
def accelerators_below_profile(facts: Facts, profile: Profile) -> Findings:
    """Fewer AMD GPUs or TPU chips than the profile needs.

    Parts of a partitioned GPU count singly, as ROCm counts them.
    """
    amd, tpu, wanted = facts.amd.facts, facts.tpu.facts, profile.requires.accelerator
    found = (amd.gpus if amd else None) if wanted == "amd" else tpu.pci_devices if wanted == "tpu" and tpu else None
    if found and len(found) < profile.requires.accelerators_min:
        kind = "AMD GPU" if wanted == "amd" else "TPU chip"
        yield fail(
            f"{count(len(found), kind)}, profile {profile.name} needs {profile.requires.accelerators_min}",
            evidence=[one.address if isinstance(one, PciDevice) else one.pci_address or "no address" for one in found],
            remedy=Remedy(text="use a machine with more of them, or pass more of them into this container"),
        )
