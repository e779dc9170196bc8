"""What the checks of accelerators share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.findings import Finding, fail, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.facts import Facts
    from envkit.facts.accelerators import DeviceNode, Nvidia, NvidiaGpu
    from envkit.knowledge import Knowledge
    from envkit.profile import Accelerator, Profile

# What can keep every framework from an NVIDIA GPU, whatever is installed. The nearest causes come first.
NVIDIA_TROUBLE = (
    "scheduler-no-gpu",
    "nvidia-gpu-missing",
    "nvidia-visible-devices-void",
    "container-without-gpu",
    "gpu-bound-to-nouveau",
    "gpu-bound-to-vfio",
    "secure-boot-rejects-driver",
    "nvidia-driver-not-loaded",
    "driver-library-mismatch",
    "nvidia-device-nodes-unusable",
    "nvidia-driver-hangs",
    "nvml-crashed",
    "container-gpu-revoked",
    "nvml-library-missing",
    "nvml-error",
    "nvidia-uvm-not-loaded",
    "libcuda-stub",
    "cuda-compat-unsupported",
    "wsl-linux-driver-installed",
    "libcuda-missing",
    "gpu-lost",
    "gpu-needs-reset",
    "gpu-unreadable",
    "gpu-unsupported-by-driver",
    "gpu-init-fails",
    "fabric-manager-version-differs",
    "nvlink-fabric-manager-down",
    "vgpu-unlicensed",
    "gpu-visible-devices-hides",
)
ACCELERATOR_TROUBLE = (
    *NVIDIA_TROUBLE,
    "amd-gpu-missing",
    "amd-kfd-unusable",
    "amd-gpu-hangs",
    "amd-visible-devices-hides",
    "apple-silicon-missing",
    "tpu-missing",
    "tpu-devices-unusable",
)


def judged(profile: Profile, accelerator: Accelerator = "nvidia") -> bool:
    """Whether accelerators of this kind matter: the profile wants them, or there is no profile to say otherwise."""
    return not profile.name or profile.requires.accelerator == accelerator


def grave(profile: Profile) -> Callable[..., Finding]:
    """How to say that an accelerator is out of reach: a failure where the profile wants one, else a warning."""
    return fail if profile.wants_gpu else warn


def on_pci(nvidia: Nvidia | None) -> bool:
    """Whether there is NVIDIA hardware that an NVIDIA driver should drive."""
    return bool(nvidia and nvidia.pci_devices)


def driver_expected(nvidia: Nvidia) -> bool:
    """Whether something says that this machine has an NVIDIA driver: hardware, a module, device nodes (also WSL's)."""
    return bool(nvidia.pci_devices or nvidia.module_loaded or nvidia.device_nodes)


def driver_answers(nvidia: Nvidia) -> bool:
    """Whether a driver is there at all: a loaded module, or NVML answering (under WSL there is no module)."""
    return bool(nvidia.module_loaded or nvidia.nvml.outcome == "ok")


def withheld(facts: Facts) -> bool:
    """Whether this is a container into which the GPUs of the host were not passed: container-without-gpu says so."""
    container = facts.container.facts
    return bool(container and container.host_nvidia_driver and container.nvidia_device_nodes == 0)


def usable(nvidia: Nvidia | None) -> list[NvidiaGpu]:
    """The GPUs that NVML could open."""
    return [gpu for gpu in (nvidia.gpus or [] if nvidia else []) if gpu.error is None]


def has_nvidia_gpu(facts: Facts) -> bool:
    """Whether there is an NVIDIA GPU to train on, be its driver in order or not."""
    nvidia = facts.nvidia.facts
    return bool(usable(nvidia)) or (on_pci(nvidia) and not withheld(facts))


def out_of_reach(facts: Facts, profile: Profile) -> bool:
    """Whether the accelerator that training should use is known to be missing or unusable."""
    wanted = profile.requires.accelerator if profile.name else "nvidia" if on_pci(facts.nvidia.facts) else "none"
    if wanted == "none" or getattr(facts, wanted).outcome == "unknown":
        return False
    if wanted == "nvidia":
        return not usable(facts.nvidia.facts)
    if wanted == "amd":
        return not (facts.amd.facts and facts.amd.facts.gpus)
    return getattr(facts, wanted).facts is None


def without_accelerator(facts: Facts) -> str:
    """What a framework does then; a driver that hangs may hang whoever asks it."""
    nvidia = facts.nvidia.facts
    hangs = nvidia is not None and nvidia.nvml.outcome == "timeout"
    return "cannot use the GPU, and may hang too" if hangs else "will train on the CPU"


def label(gpu: NvidiaGpu) -> str:
    """How findings call it: "GPU 0, NVIDIA A10"."""
    return f"GPU {gpu.index}, {gpu.name}" if gpu.name else f"GPU {gpu.index}"


def capability_of(gpu: NvidiaGpu, knowledge: Knowledge) -> str | None:
    """Its compute capability: as the driver says it, else by its name."""
    return gpu.compute_capability or knowledge.capability_of(gpu.name)


def unified(gpu: NvidiaGpu, knowledge: Knowledge) -> bool:
    """Whether it has no memory of its own but shares the machine's."""
    model = knowledge.gpu_model(gpu.name)
    return bool(model and model.unified_memory)


def reset(gpu: NvidiaGpu) -> list[list[str]]:
    """The command that resets it."""
    return [["sudo", "nvidia-smi", "--gpu-reset", "-i", str(gpu.index)]]


def shut(nodes: list[DeviceNode]) -> list[str]:
    """Those device nodes that this user may not read and write."""
    return [node.path for node in nodes if node.readable is False or node.writable is False]


def dealt_out(facts: Facts, seen: int) -> int | None:
    """How many GPUs a scheduler gave this job; None where it deals out none: the job sees some and was given none."""
    given = facts.allocation.facts.gpus if facts.allocation.facts else None
    return None if given == 0 and seen else given


def of_others(nodes: list[DeviceNode], facts: Facts) -> list[str]:
    """Nodes of GPUs that a scheduler keeps this job from, because it gave them to nobody or to others."""
    gpus = [node for node in nodes if re.fullmatch(r"/dev/nvidia\d+", node.path)]
    closed = shut(gpus)
    given = dealt_out(facts, len(gpus) - len(closed))
    return closed if given is not None and len(gpus) - len(closed) >= given else []


def closed_nodes(nodes: list[DeviceNode]) -> tuple[list[str], list[str], bool]:
    """Of nodes closed to this user: what is said of them, their groups, and whether a new login would open them all."""
    closed = [node for node in nodes if node.path in shut([node])]
    groups = [node.group for node in closed if node.group and node.in_group is False]
    said = [
        f"{node.path} is open to the group {node.group}, which this user is not in"
        if node.group in groups
        else f"{node.path}: not readable and writable"
        for node in closed
    ]
    relogin = bool(closed) and all(node.in_group is False and node.in_group_at_login for node in closed)
    return said, list(dict.fromkeys(groups)), relogin
