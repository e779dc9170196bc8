"""Checks of each GPU's memory, and of settings that wait for a reset."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import gpu_memory
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()


def found(check: str, profile: Profile = ANY, **gpu: Any) -> list[Finding]:
    """What a check says of one GPU."""
    function = getattr(gpu_memory, check)
    knowledge = [KNOWLEDGE] if check == "ecc_disabled" else []
    return list(function(Nvidia(gpus=[NvidiaGpu(**{"index": 0, "name": "NVIDIA A10", **gpu})]), profile, *knowledge))


def test_row_remap_pending_fires_and_fails_after_uncorrectable_errors() -> None:
    (mild,) = found("row_remap_pending", remapped_rows_pending=True, remapped_rows_uncorrectable=0)
    (bad,) = found("row_remap_pending", remapped_rows_pending=True, remapped_rows_uncorrectable=4)
    assert (mild.status, bad.status) == ("warn", "fail")


def test_row_remap_pending_near_miss() -> None:
    assert not found("row_remap_pending", remapped_rows_pending=False, remapped_rows_uncorrectable=4)
    assert not found("row_remap_pending", profile=CPU, remapped_rows_pending=True)


def test_row_remap_failed_fires() -> None:
    assert found("row_remap_failed", remapped_rows_failure=True)[0].status == "fail"


def test_row_remap_failed_near_miss() -> None:
    assert not found("row_remap_failed", remapped_rows_failure=False, remapped_rows_correctable=2)


def test_row_remaps_many_fires() -> None:
    assert found("row_remaps_many", remapped_rows_uncorrectable=512)[0].status == "fail"


def test_row_remaps_many_near_miss() -> None:
    assert not found("row_remaps_many", remapped_rows_uncorrectable=511, remapped_rows_correctable=9999)


def test_retired_pages_pending_fires() -> None:
    assert found("retired_pages_pending", retired_pages_pending=True)[0].status == "fail"


def test_retired_pages_pending_near_miss() -> None:
    assert not found("retired_pages_pending", retired_pages_pending=False, retired_pages=7)


def test_retired_pages_many_fires() -> None:
    assert found("retired_pages_many", retired_pages=60)[0].status == "fail"


def test_retired_pages_many_near_miss() -> None:
    assert not found("retired_pages_many", retired_pages=59)


def test_sram_errors_over_threshold_fires() -> None:
    assert found("sram_errors_over_threshold", ecc_sram_threshold_exceeded=True)[0].status == "fail"


def test_sram_errors_over_threshold_near_miss() -> None:
    assert not found("sram_errors_over_threshold", ecc_sram_threshold_exceeded=None)


def test_ecc_corrected_many_fires() -> None:
    assert found("ecc_corrected_many", ecc_corrected=20_000_000)[0].status == "warn"


def test_ecc_corrected_many_near_miss() -> None:
    assert not found("ecc_corrected_many", ecc_corrected=10_289)


def test_ecc_disabled_fires_on_a_servers_gpu() -> None:
    assert found("ecc_disabled", ecc_mode="disabled")[0].status == "warn"


@pytest.mark.parametrize(
    "gpu",
    [
        {"ecc_mode": "enabled"},
        {"name": "NVIDIA RTX 4000 SFF Ada Generation", "ecc_mode": "disabled"},
        {"ecc_mode": "disabled", "ecc_mode_pending": "enabled"},
        {"name": "NVIDIA A999", "ecc_mode": "disabled"},
    ],
)
def test_ecc_disabled_near_miss(gpu: dict[str, Any]) -> None:
    assert not found("ecc_disabled", **gpu)


@pytest.mark.parametrize("kind", ["ecc", "mig"])
def test_ecc_change_pending_fires_and_so_does_mig(kind: str) -> None:
    modes = {f"{kind}_mode": "disabled", f"{kind}_mode_pending": "enabled"}
    assert "after a reset" in found(f"{kind}_change_pending", **modes)[0].message


@pytest.mark.parametrize("pending", [None, "enabled"])
def test_ecc_change_pending_near_miss(pending: str | None) -> None:
    assert not found("ecc_change_pending", ecc_mode="enabled", ecc_mode_pending=pending)


def test_mig_change_pending_fires() -> None:
    assert found("mig_change_pending", mig_mode="enabled", mig_mode_pending="disabled")[0].remedy is not None


def test_mig_change_pending_near_miss() -> None:
    assert not found("mig_change_pending", mig_mode="enabled", mig_mode_pending="enabled")


def test_inforom_corrupted_fires() -> None:
    assert found("inforom_corrupted", inforom_corrupted=True)[0].status == "warn"


def test_inforom_corrupted_near_miss() -> None:
    assert not found("inforom_corrupted", inforom_corrupted=False)
