"""How many GPUs there are: on the bus, for the driver, for the profile, for CUDA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import NVIDIA_TROUBLE, grave, judged, usable
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia, NvidiaGpu
    from envkit.facts.software import Python
    from envkit.profile import Profile


@check(
    area="accelerators",
    after=("gpu-bound-to-vfio", "gpu-bound-to-nouveau", "gpu-unsupported-by-driver", "gpu-init-fails"),
)
def gpu_count_mismatch(nvidia: Nvidia, profile: Profile, facts: Facts) -> Findings:
    """The driver shows fewer NVIDIA GPUs than are on the PCI bus.

    Devices bound to another driver do not count. In a container the bus shows the GPUs of the host: not compared.
    """
    if not judged(profile) or facts.container.facts or nvidia.gpus is None or nvidia.nvml.outcome != "ok":
        return
    expected = [d for d in nvidia.pci_devices or [] if d.kernel_driver in {None, "nvidia"}]
    shown = {(gpu.pci_address or "").lower()[-10:] for gpu in nvidia.gpus}
    if len(expected) > len(nvidia.gpus):
        absent = [d.address for d in expected if d.address.lower()[-10:] not in shown]
        yield fail(
            f"{len(expected)} NVIDIA GPUs are on the PCI bus, the driver shows {len(nvidia.gpus)}",
            evidence=[f"{address}: not shown by the driver" for address in absent],
            remedy=Remedy(
                text="look for Xid 79 and `not supported` messages of NVRM in the kernel's log: "
                "a lost GPU needs a reboot, a GPU newer than the driver "
                "needs a newer driver (Blackwell: with the open kernel modules)",
                commands=[["sudo", "dmesg", "--level=err,warn"]],
                who="admin",
            ),
        )


@check(area="accelerators", after=(*NVIDIA_TROUBLE, "gpu-count-mismatch"))
def gpu_count_below_profile(nvidia: Nvidia, profile: Profile) -> Findings:
    """Fewer usable NVIDIA GPUs than the profile needs."""
    if profile.requires.accelerator != "nvidia" or nvidia.gpus is None:
        return
    count, least = len(usable(nvidia)), profile.requires.accelerators_min
    if 0 < count < least:
        yield fail(
            f"{count} usable NVIDIA GPUs, profile {profile.name} needs {least}",
            evidence=[f"NVML lists {len(nvidia.gpus)}"],
            remedy=Remedy(text="use a machine with more GPUs, or pass more of them into this container"),
        )


@check(area="accelerators")
def gpu_visible_devices_hides(nvidia: Nvidia, python: Python, profile: Profile) -> Findings:
    """CUDA_VISIBLE_DEVICES hides GPUs from CUDA.

    CUDA reads the list up to the first entry that is no GPU and drops the rest; an empty list hides them all.
    Source: CUDA C++ Programming Guide, "CUDA Environment Variables".
    """
    value, gpus = python.environment.get("CUDA_VISIBLE_DEVICES"), usable(nvidia)
    if not judged(profile) or value is None or not gpus:
        return
    tokens = [token.strip() for token in value.split(",")]
    good = 0
    while good < len(tokens) and _names_a_gpu(tokens[good], gpus) and tokens[good] not in tokens[:good]:
        good += 1
    if good == len(tokens):
        return
    message = f"CUDA_VISIBLE_DEVICES shows CUDA {good or 'none'} of {len(gpus)} GPUs"
    dropped = (
        f"{tokens[good]!r} names no GPU, so it and what follows is dropped" if tokens[good] else "the list is empty"
    )
    found = warn if good else grave(profile)
    yield found(
        message,
        evidence=[f"CUDA_VISIBLE_DEVICES={value}", dropped],
        remedy=Remedy(text="unset it, or correct the list", commands=[["unset", "CUDA_VISIBLE_DEVICES"]]),
    )


def _names_a_gpu(token: str, gpus: list[NvidiaGpu]) -> bool:
    """Whether CUDA accepts an entry: an index, the beginning of a UUID, or a MIG device (which facts do not list)."""
    if token.isdecimal():
        return int(token) in {gpu.index for gpu in gpus}
    unknown_uuids = any(gpu.uuid is None for gpu in gpus)
    return token.startswith("MIG-") or (
        token.startswith("GPU-") and (unknown_uuids or any((gpu.uuid or "").startswith(token) for gpu in gpus))
    )
