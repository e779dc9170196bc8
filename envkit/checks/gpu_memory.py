"""Each GPU's memory: errors, rows and pages replaced because of them, and settings that wait for a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, label, reset, usable
from envkit.findings import Finding, Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts.accelerators import Nvidia
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_REPLACE = Remedy(text="run the vendor's field diagnostics and have the GPU replaced", who="vendor")


@check(area="accelerators", after="ecc-uncorrected")
def row_remap_pending(nvidia: Nvidia, profile: Profile) -> Findings:
    """A row of a GPU's memory is to be replaced at the next reset; until then it stays in use.

    A failure where uncorrectable errors asked for it. Source: NVIDIA "GPU Memory Error Management", Row Remapping.
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.remapped_rows_pending:
            bad = gpu.remapped_rows_uncorrectable
            yield (fail if bad else warn)(
                "a row of its memory waits to be replaced" + (", after uncorrectable errors" if bad else ""),
                subject=label(gpu),
                evidence=[
                    "remapped rows pending: yes",
                    f"rows replaced after correctable errors: {gpu.remapped_rows_correctable}, uncorrectable: {bad}",
                ],
                remedy=Remedy(text="drain and reset the GPU, or reboot", commands=reset(gpu), who="admin"),
            )


@check(area="accelerators")
def row_remap_failed(nvidia: Nvidia, profile: Profile) -> Findings:
    """A row of a GPU's memory could not be replaced: the spare rows of that bank are used up."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.remapped_rows_failure:
            yield fail(
                "a bad row of its memory could not be replaced",
                subject=label(gpu),
                evidence=["row remapping failure: yes"],
                remedy=_REPLACE,
            )


@check(area="accelerators", after="row-remap-failed")
def row_remaps_many(nvidia: Nvidia, profile: Profile, *, limit: int = 512) -> Findings:
    """So many rows of a GPU's memory have been replaced after uncorrectable errors that it should be inspected.

    Source of the limit: the field diagnostics policy that Azure's node health checks use.
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        if (gpu.remapped_rows_uncorrectable or 0) >= limit:
            yield fail(
                f"{gpu.remapped_rows_uncorrectable} rows of its memory were replaced after uncorrectable errors",
                subject=label(gpu),
                evidence=[f"limit {limit}"],
                remedy=_REPLACE,
            )


@check(area="accelerators", after="ecc-uncorrected")
def retired_pages_pending(nvidia: Nvidia, profile: Profile) -> Findings:
    """Pages of an older GPU's memory are to be taken out of use at the next reset; until then they stay in use."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.retired_pages_pending:
            yield fail(
                "bad pages of its memory wait to be taken out of use",
                subject=label(gpu),
                evidence=["pages pending retirement: yes"],
                remedy=Remedy(text="drain and reset the GPU, or reboot", commands=reset(gpu), who="admin"),
            )


@check(area="accelerators", after="retired-pages-pending")
def retired_pages_many(nvidia: Nvidia, profile: Profile, *, limit: int = 60) -> Findings:
    """So many pages of an older GPU's memory are out of use that NVIDIA replaces it.

    Source: NVIDIA "Dynamic Page Retirement": 60 pages, of 64 that can be retired.
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        if (gpu.retired_pages or 0) >= limit:
            yield fail(
                f"{gpu.retired_pages} pages of its memory are out of use",
                subject=label(gpu),
                evidence=[f"limit {limit}"],
                remedy=_REPLACE,
            )


@check(area="accelerators", after="ecc-uncorrected")
def sram_errors_over_threshold(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU has had more uncorrectable errors in its caches and registers (SRAM) than NVIDIA accepts."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.ecc_sram_threshold_exceeded:
            yield fail(
                "its SRAM has had more uncorrectable errors than NVIDIA accepts",
                subject=label(gpu),
                evidence=["SRAM threshold exceeded: yes"],
                remedy=_REPLACE,
            )


@check(area="accelerators", after=("ecc-uncorrected", "row-remap-pending"))
def ecc_corrected_many(nvidia: Nvidia, profile: Profile, *, limit: int = 20_000_000) -> Findings:
    """A GPU corrects memory errors at a rate that points at failing memory.

    Some corrected errors are normal. Source of the limit: Azure's node health checks (DRAM).
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        if (gpu.ecc_corrected or 0) >= limit:
            yield warn(
                f"{gpu.ecc_corrected} memory errors were corrected since the driver was loaded",
                subject=label(gpu),
                evidence=[f"limit {limit}"],
                remedy=Remedy(text="watch it, and run the field diagnostics at the next occasion", who="admin"),
            )


@check(area="accelerators")
def ecc_disabled(nvidia: Nvidia, profile: Profile, knowledge: Knowledge) -> Findings:
    """Error correction (ECC) is switched off on a server's GPU: wrong bits stay unseen."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.ecc_mode != "disabled" or gpu.ecc_mode_pending == "enabled":
            continue
        model = knowledge.gpu_model(gpu.name)
        if model and model.server:
            yield warn(
                "ECC is off, so memory errors stay unseen",
                subject=label(gpu),
                evidence=["ECC mode: disabled"],
                remedy=Remedy(
                    text="switch it on and reset the GPU, unless it is off on purpose",
                    commands=[["sudo", "nvidia-smi", "-i", str(gpu.index), "-e", "1"], *reset(gpu)],
                    who="admin",
                ),
            )


@check(area="accelerators")
def ecc_change_pending(nvidia: Nvidia, profile: Profile) -> Findings:
    """ECC has been switched on or off, which holds after the next reset of the GPU."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.ecc_mode and gpu.ecc_mode_pending and gpu.ecc_mode != gpu.ecc_mode_pending:
            yield warn(
                f"ECC is {gpu.ecc_mode} and will be {gpu.ecc_mode_pending} after a reset",
                subject=label(gpu),
                evidence=[f"ECC mode: current {gpu.ecc_mode}, pending {gpu.ecc_mode_pending}"],
                remedy=Remedy(text="reset the GPU, or reboot", commands=reset(gpu), who="admin"),
            )


@check(area="accelerators")
def mig_change_pending(nvidia: Nvidia, profile: Profile) -> Findings:
    """MIG has been switched on or off, which holds after the next reset of the GPU."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.mig_mode and gpu.mig_mode_pending and gpu.mig_mode != gpu.mig_mode_pending:
            yield warn(
                f"MIG is {gpu.mig_mode} and will be {gpu.mig_mode_pending} after a reset",
                subject=label(gpu),
                evidence=[f"MIG mode: current {gpu.mig_mode}, pending {gpu.mig_mode_pending}"],
                remedy=Remedy(text="stop its processes and reset the GPU", commands=reset(gpu), who="admin"),
            )


@check(area="accelerators")
def inforom_corrupted(nvidia: Nvidia, profile: Profile) -> Findings:
    """The configuration memory (InfoROM) of a GPU is damaged; it still computes."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.inforom_corrupted:
            yield warn(
                "its InfoROM is corrupted",
                subject=label(gpu),
                evidence=["nvidia-smi: infoROM is corrupted"],
                remedy=Remedy(text="reboot; if it stays, have the board's firmware written anew", who="vendor"),
            )
        elif gpu.inforom_corrupted is None:
            yield Finding(status="skip", subject=label(gpu), message="its InfoROM was not read; --deep reads it")
