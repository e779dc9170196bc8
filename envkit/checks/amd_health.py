"""Each AMD GPU by itself and its links: errors, heat, power, PCIe, XGMI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._amd import label, sought, whole
from envkit.checks._packages import listed
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts.accelerators import Amd, AmdGpu
    from envkit.profile import Profile

_RESET = Remedy(
    text="drain the machine, reset the GPUs or reboot; if it comes back, have the GPU replaced", who="admin"
)


@check(area="accelerators", after="amd-memory-errors-logged")
def amd_errors_uncorrected(amd: Amd, profile: Profile) -> Findings:
    """An AMD GPU has had errors that damaged data since its driver was loaded (RAS, uncorrectable)."""
    for gpu in sought(amd, profile):
        bad = [errors for errors in gpu.errors or [] if errors.uncorrectable]
        if bad:
            yield fail(
                f"uncorrectable errors in {listed(errors.block for errors in bad)}",
                subject=f"GPU at {whole(gpu)}",  # as the kernel's log has it: it is one problem
                evidence=[
                    label(amd, gpu),
                    *(f"ras/{errors.block}_err_count: ue {errors.uncorrectable}" for errors in bad),
                ],
                remedy=_RESET,
            )


@check(area="accelerators", after="amd-errors-uncorrected")
def amd_errors_corrected_many(amd: Amd, profile: Profile, *, limit: int = 10_000) -> Findings:
    """An AMD GPU has corrected very many errors since its driver was loaded: memory or a link is about to fail.

    limit: for each block; a few are repaired on every machine.
    """
    for gpu in sought(amd, profile):
        many = [errors for errors in gpu.errors or [] if (errors.correctable or 0) >= limit]
        if many:
            yield warn(
                f"very many corrected errors in {listed(errors.block for errors in many)}",
                subject=label(amd, gpu),
                evidence=[f"ras/{errors.block}_err_count: ce {errors.correctable}" for errors in many],
                remedy=Remedy(text="watch whether the number grows; tell the vendor", who="vendor"),
            )


@check(area="accelerators", after="amd-errors-uncorrected")
def amd_pages_pending(amd: Amd, profile: Profile) -> Findings:
    """Bad pages of an AMD GPU's memory are taken out of use at the next reset only; until then they stay in use."""
    for gpu in sought(amd, profile):
        if gpu.pages_pending:
            yield warn(
                "bad pages of its memory are still in use",
                subject=label(amd, gpu),
                evidence=[f"pages retired {gpu.pages_retired}, waiting for a reset {gpu.pages_pending}"],
                remedy=Remedy(text="drain and reset the GPU, or reboot", who="admin"),
            )


@check(area="accelerators", after=("amd-gpu-count-mismatch", "amd-partitions-missing"))
def amd_xgmi_links_missing(amd: Amd, profile: Profile) -> Findings:
    """AMD GPUs that others of their kind reach by XGMI have no such link: copies between them go over PCIe.

    The compute driver lists a link between any two GPUs of a hive.
    """
    firsts: dict[str, AmdGpu] = {}
    for gpu in sought(amd, profile):
        firsts.setdefault(whole(gpu), gpu)
    for address, gpu in firsts.items():
        peers = [other for other, that in firsts.items() if other != address and _of_one_hive(gpu, that)]
        linked = gpu.xgmi_peers
        if linked is None or len(peers) < 2 or len({firsts[peer].hive for peer in peers}) > 1:
            continue
        missing = [peer for peer in peers if peer not in linked]
        # A link is missing at both its ends: told of the GPU that has fewer.
        if any(len(firsts[peer].xgmi_peers or []) >= len(linked) for peer in missing):
            yield fail(
                f"no XGMI link to {len(missing)} of {len(peers)} other GPUs",
                subject=label(amd, gpu),
                evidence=[f"hive {gpu.hive or 'none'}", f"{address} has no link to {listed(missing)}"],
                remedy=Remedy(
                    text="look for messages of amdgpu about XGMI in the kernel's log; reboot, then call the vendor",
                    commands=[["amd-smi", "topology"]],
                    who="admin",
                ),
            )


def _of_one_hive(gpu: AmdGpu, other: AmdGpu) -> bool:
    """Whether they are, or should be: one that fell out of its hive has none."""
    return other.gfx == gpu.gfx and other.hive is not None and gpu.hive in {None, other.hive}


@check(area="accelerators")
def amd_gpu_hot(amd: Amd, profile: Profile, *, margin_celsius: int = 3) -> Findings:
    """An AMD GPU is within a few degrees of the temperature at which it slows down or stops."""
    for gpu in sought(amd, profile):
        now, critical = gpu.temperature_celsius, gpu.temperature_critical_celsius
        if now is not None and critical is not None and now >= critical - margin_celsius:
            yield warn(
                f"the GPU is at {now} °C",
                subject=label(amd, gpu),
                evidence=[f"critical: {critical} °C"],
                remedy=Remedy(text="improve the cooling (fans, air flow, dust, room temperature)", who="admin"),
            )


@check(area="accelerators")
def amd_power_limit_lowered(amd: Amd, profile: Profile, *, share: float = 0.9) -> Findings:
    """An AMD GPU's power limit has been set below its default, so it computes more slowly."""
    for gpu in sought(amd, profile):
        limit, usual = gpu.power_limit_watts, gpu.power_limit_default_watts
        if limit and usual and limit < share * usual:
            yield warn(
                f"the power limit is {limit:.0f} of {usual:.0f} W: training is slower",
                subject=label(amd, gpu),
                evidence=[f"power1_cap {limit:.0f} W, power1_cap_default {usual:.0f} W"],
                remedy=Remedy(
                    text="set the default limit, unless it is low on purpose",
                    commands=[["sudo", "amd-smi", "reset", "--gpu", "all", "--power-cap"]],
                    who="admin",
                ),
            )


@check(area="accelerators")
def amd_pcie_width_reduced(amd: Amd, profile: Profile) -> Findings:
    """An AMD GPU uses fewer PCIe lanes than it has: a short slot, a riser, or a bad contact.

    Only where others of its kind use more, or fewer than half are in use: an idle one may save power.
    """
    gpus = sought(amd, profile)
    for gpu in gpus:
        width, most = gpu.pcie_width, gpu.pcie_width_max
        wider = any(other.gfx == gpu.gfx and (other.pcie_width or 0) > (width or 0) for other in gpus)
        if width and most and width < most and (wider or width * 2 < most):
            yield warn(
                f"PCIe x{width} of x{most}: copies to and from the GPU are slow",
                subject=label(amd, gpu),
                evidence=[f"current_link_width {width}, max_link_width {most}"],
                remedy=Remedy(text="reseat the card, use a wider slot, or do without the riser cable", who="admin"),
            )
