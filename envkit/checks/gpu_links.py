"""The connections of each GPU: PCIe to the processor, NVLink and NVSwitch to the other GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, label, reset, usable
from envkit.findings import Findings, Remedy, count, fail, warn

if TYPE_CHECKING:
    from envkit.facts.accelerators import Nvidia, NvidiaGpu
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

GIB = 1024**3
_WORKING = {"P0", "P1", "P2", "P3"}


def _works(gpu: NvidiaGpu) -> bool:
    """Whether it works right now: an idle GPU slows its link down to save power."""
    idle = gpu.throttle_reasons is not None and "gpu_idle" in gpu.throttle_reasons
    return gpu.performance_state in _WORKING and not idle


@check(area="accelerators")
def pcie_width_reduced(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU uses fewer PCIe lanes than it could: a short slot, a riser, or a bad contact.

    Half the lanes are told only of a GPU at work, for an idle one may save power; fewer are a fault in any state.
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        width, most = gpu.pcie_width, gpu.pcie_width_max
        fast = gpu.pcie_generation is not None and gpu.pcie_generation == gpu.pcie_generation_max
        if width and most and width < most and (fast or _works(gpu) or width * 2 < most):
            yield warn(
                f"PCIe x{width} of x{most}: copies to and from the GPU are slow",
                subject=label(gpu),
                evidence=[f"PCIe width {width}, at most {most}", f"performance state {gpu.performance_state}"],
                remedy=Remedy(text="reseat the card, use a wider slot, or do without the riser cable", who="admin"),
            )


@check(area="accelerators")
def pcie_generation_reduced(nvidia: Nvidia, profile: Profile, *, busy_percent: int = 20) -> Findings:
    """A GPU at work uses an older PCIe generation than it and its slot could."""
    for gpu in usable(nvidia) if judged(profile) else []:
        now, most = gpu.pcie_generation, gpu.pcie_generation_max
        if now and most and now < most and _works(gpu) and (gpu.utilization_percent or 0) >= busy_percent:
            yield warn(
                f"PCIe generation {now} of {most} while the GPU works",
                subject=label(gpu),
                evidence=[f"performance state {gpu.performance_state}, utilisation {gpu.utilization_percent} %"],
                remedy=Remedy(text="look at the slot's speed and ASPM in the BIOS; reseat the card", who="admin"),
            )


@check(area="accelerators", after="pcie-width-reduced")
def pcie_replays_many(nvidia: Nvidia, profile: Profile, *, limit: int = 10_000) -> Findings:
    """A GPU's PCIe link has had to repeat very many packets: a bad contact, riser or slot. Some are normal."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if (gpu.pcie_replays or 0) >= limit:
            yield warn(
                f"{gpu.pcie_replays} PCIe packets had to be repeated",
                subject=label(gpu),
                evidence=[f"PCIe replays since the last reset: {gpu.pcie_replays}"],
                remedy=Remedy(text="reseat the card, riser and cables", who="admin"),
            )


@check(area="accelerators", after=("gpu-lost", "xid-hardware-fault"))
def gpu_pcie_errors(nvidia: Nvidia, profile: Profile, *, nonfatal_limit: int = 100) -> Findings:
    """A GPU has noted PCIe errors that could not be corrected (AER), as /sys counts them.

    A few that are not fatal come from the search for devices at start.
    """
    by_address = {(gpu.pci_address or "").lower(): gpu for gpu in nvidia.gpus or []}
    for device in (nvidia.pci_devices or []) if judged(profile) else []:
        fatal, others = device.errors_fatal or 0, device.errors_nonfatal or 0
        if fatal or others >= nonfatal_limit:
            gpu = by_address.get(device.address.lower())
            yield warn(
                count(fatal or others, "uncorrectable PCIe error"),
                subject=label(gpu) if gpu else f"GPU at {device.address}",
                evidence=[f"AER: {fatal} fatal, {others} others"],
                remedy=Remedy(text="reseat the card, riser and cables; update the firmware of the board", who="admin"),
            )


@check(area="accelerators")
def bar1_small(nvidia: Nvidia, profile: Profile, knowledge: Knowledge, *, minimum_bytes: int = GIB) -> Findings:
    """The window into the memory of a server's GPUs (BAR1) is small: no direct transfers between GPUs and network."""
    gpus = usable(nvidia) if judged(profile) else []
    for gpu in gpus if len(gpus) > 1 else []:
        small = gpu.bar1_total_bytes is not None and gpu.bar1_total_bytes < minimum_bytes
        if not small or (gpu.memory_total_bytes or 0) < 30 * GIB:
            continue
        model = knowledge.gpu_model(gpu.name)
        if model and model.server and gpu.virtualization_mode != "vgpu":
            yield warn(
                f"BAR1 has {(gpu.bar1_total_bytes or 0) >> 20} MiB of {(gpu.memory_total_bytes or 0) >> 30} GiB",
                subject=label(gpu),
                evidence=["GPUDirect and peer-to-peer copies need a BAR1 as large as the memory"],
                remedy=Remedy(text='switch on "Above 4G Decoding" and large BARs in the BIOS', who="admin"),
            )


@check(area="accelerators", after="nvlink-fabric-manager-down")
def nvlink_inactive(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU has fewer active NVLinks than another of the same model in this machine."""
    gpus = [gpu for gpu in usable(nvidia) if gpu.nvlinks] if judged(profile) else []
    most: dict[str | None, int] = {}
    for gpu in gpus:
        most[gpu.name] = max(most.get(gpu.name, 0), _active(gpu))
    for gpu in gpus:
        down = [str(link.index) for link in gpu.nvlinks or [] if link.active is False]
        if down and _active(gpu) < most[gpu.name]:
            yield fail(
                f"{_active(gpu)} NVLinks are active, {most[gpu.name]} on another GPU of this model",
                subject=label(gpu),
                evidence=[f"inactive links: {', '.join(down)}"],
                remedy=Remedy(
                    text="reset all GPUs together, restart the fabric manager; if it stays, have the board inspected",
                    commands=[["nvidia-smi", "nvlink", "--status"]],
                    who="admin",
                ),
            )


@check(area="accelerators", after=("nvlink-inactive", "xid-hardware-fault"))
def nvlink_errors(nvidia: Nvidia, profile: Profile, *, limit: int = 10) -> Findings:
    """NVLinks of a GPU have had transmission errors (CRC, replay, recovery), which slow transfers down."""
    for gpu in usable(nvidia) if judged(profile) else []:
        bad = [link for link in gpu.nvlinks or [] if (link.errors or 0) >= limit]
        if bad:
            yield warn(
                f"{sum(link.errors or 0 for link in bad)} errors on its NVLinks",
                subject=label(gpu),
                evidence=[f"link {link.index}: {link.errors} errors" for link in bad],
                remedy=Remedy(text="watch whether they grow; reseat bridges, or have the board inspected", who="admin"),
            )


def _active(gpu: NvidiaGpu) -> int:
    return sum(1 for link in gpu.nvlinks or [] if link.active)


@check(area="accelerators", after="gpu-needs-reset")
def gpu_recovery_wanted(nvidia: Nvidia, profile: Profile) -> Findings:
    """The driver asks for a GPU to be reset or for a reboot before it is used on."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.recovery_action not in {None, "none"}:
            reboot = "reboot" in str(gpu.recovery_action)
            yield fail(
                f"the driver asks for: {gpu.recovery_action}",
                subject=label(gpu),
                evidence=[f"GPU recovery action: {gpu.recovery_action}"],
                remedy=Remedy(
                    text="drain the machine and reboot" if reboot else "drain and reset the GPU",
                    commands=[["sudo", "reboot"]] if reboot else reset(gpu),
                    who="admin",
                ),
            )
