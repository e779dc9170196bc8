"""How many GPUs there are: on the bus, for the driver, for the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import NVIDIA_TROUBLE, dealt_out, judged, usable
from envkit.findings import Findings, Remedy, fail

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.profile import Profile


@check(
    area="accelerators",
    after=("gpu-bound-to-vfio", "gpu-bound-to-nouveau", "gpu-unsupported-by-driver", "gpu-init-fails"),
)
def gpu_count_mismatch(nvidia: Nvidia, profile: Profile, facts: Facts) -> Findings:
    """The driver shows fewer NVIDIA GPUs than are on the PCI bus.

    Devices bound to another driver do not count, nor do those that NVreg_ExcludedGpus names. In a container the bus
    shows the GPUs of the host, in a job also those of others: not compared.
    """
    if not judged(profile) or facts.container.facts or nvidia.gpus is None or nvidia.nvml.outcome != "ok":
        return
    if dealt_out(facts, len(nvidia.gpus)) is not None:
        return
    left_alone = {address.lower() for address in nvidia.excluded_gpus or []}
    expected = [
        d
        for d in nvidia.pci_devices or []
        if d.kernel_driver in {None, "nvidia"} and d.address.lower() not in left_alone
    ]
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


@check(area="accelerators", after=(*NVIDIA_TROUBLE, "gpu-count-mismatch", "allocated-gpus-missing"))
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
