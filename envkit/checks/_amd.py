"""What the checks of AMD GPUs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks._gpus import judged

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Amd, AmdGpu
    from envkit.profile import Profile

# What can keep every framework from an AMD GPU, whatever is installed. The nearest causes come first.
AMD_TROUBLE = ("amd-gpu-missing", "amd-kfd-unusable", "amd-gpu-hangs", "amd-visible-devices-hides")


def sought(amd: Amd, profile: Profile) -> list[AmdGpu]:
    """The GPUs, and parts of GPUs, that are judged: all of them, unless the profile wants another accelerator."""
    return (amd.gpus or []) if judged(profile, "amd") else []


def wanted(profile: Profile, facts: Facts) -> bool:
    """Whether somebody wants to train on AMD GPUs: by the profile, or without one by what is installed.

    Many processors have an AMD GPU inside that nobody trains on.
    """
    torch, jax = facts.torch.facts, facts.jax.facts
    rocm = (torch and torch.hip) or (jax and any(name.startswith("jax-rocm") for name in jax.plugins))
    return profile.requires.accelerator == "amd" or (not profile.name and bool(rocm))


def label(amd: Amd, gpu: AmdGpu) -> str:
    """How findings call it: "GPU 0, AMD Instinct MI300X OAM", counted as ROCm does."""
    index = (amd.gpus or []).index(gpu)
    return f"GPU {index}, {gpu.name or gpu.gfx}" if gpu.name or gpu.gfx else f"GPU {index}"


def whole(gpu: AmdGpu) -> str:
    """The address of the GPU that this is, or is a part of."""
    address = gpu.pci_address or ""
    return f"{address[:-1]}0" if gpu.partition else address
