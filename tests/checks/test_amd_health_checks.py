"""Checks of each AMD GPU and of its links."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import amd_health
from envkit.facts.accelerators import Amd, AmdErrors, AmdGpu
from envkit.findings import Finding
from envkit.profile import Profile

ANY, CPU = Profile(), Profile(name="cpu")
HIVE = "15188982192727901047"


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def address(number: int) -> str:
    return f"0000:{number:02x}:00.0"


def gpu(number: int = 1, **changes: Any) -> AmdGpu:
    return AmdGpu(**{"gfx": "gfx942", "pci_address": address(number), "partition": 0, **changes})


def having(**changes: Any) -> Amd:
    return Amd(gpus=[gpu(1), gpu(2, **changes)])


def errors(uncorrectable: int | None = 0, correctable: int | None = 0) -> Amd:
    return having(
        errors=[
            AmdErrors(block="gfx", uncorrectable=0, correctable=0),
            AmdErrors(block="umc", uncorrectable=uncorrectable, correctable=correctable),
        ]
    )


def test_amd_errors_uncorrected_fires() -> None:
    finding = one(amd_health.amd_errors_uncorrected(errors(2), ANY))
    assert (finding.status, finding.subject) == ("fail", "GPU at 0000:02:00.0")
    assert finding.evidence == ["GPU 1, gfx942", "ras/umc_err_count: ue 2"]


@pytest.mark.parametrize("machine", [errors(0, 5), errors(None), having()])
def test_amd_errors_uncorrected_near_miss(machine: Amd) -> None:
    assert not list(amd_health.amd_errors_uncorrected(machine, ANY))
    assert not list(amd_health.amd_errors_uncorrected(errors(2), CPU))


def test_amd_errors_corrected_many_fires() -> None:
    assert one(amd_health.amd_errors_corrected_many(errors(0, 10_000), ANY)).status == "warn"
    assert one(amd_health.amd_errors_corrected_many(errors(0, 5), ANY, limit=5)).status == "warn"


@pytest.mark.parametrize("machine", [errors(0, 9_999), errors(0, None), having()])
def test_amd_errors_corrected_many_near_miss(machine: Amd) -> None:
    assert not list(amd_health.amd_errors_corrected_many(machine, ANY))


def test_amd_pages_pending_fires() -> None:
    assert one(amd_health.amd_pages_pending(having(pages_retired=3, pages_pending=1), ANY)).status == "warn"


@pytest.mark.parametrize("pending", [0, None])
def test_amd_pages_pending_near_miss(pending: int | None) -> None:
    assert not list(amd_health.amd_pages_pending(having(pages_retired=3, pages_pending=pending), ANY))


def hive(*lacks: tuple[int, int], size: int = 4, **changes: Any) -> Amd:
    """GPUs 1 to size, each linked with all others but for these pairs."""
    gone = {frozenset(pair) for pair in lacks}
    numbers = range(1, size + 1)
    return Amd(
        gpus=[
            gpu(
                number,
                hive=HIVE,
                **{
                    "xgmi_peers": [address(n) for n in numbers if n != number and frozenset((n, number)) not in gone],
                    **(changes if number == size else {}),
                },
            )
            for number in numbers
        ]
    )


def test_amd_xgmi_links_missing_fires_for_the_gpu_that_lacks_them() -> None:
    finding = one(amd_health.amd_xgmi_links_missing(hive((4, 1), (4, 2), (4, 3)), ANY))
    assert (finding.status, finding.message) == ("fail", "no XGMI link to 3 of 3 other GPUs")
    assert finding.subject == "GPU 3, gfx942"


def test_amd_xgmi_links_missing_fires_among_three() -> None:
    assert one(amd_health.amd_xgmi_links_missing(hive((3, 1), (3, 2), size=3), ANY)).subject == "GPU 2, gfx942"


def test_amd_xgmi_links_missing_fires_at_both_ends_of_one_link() -> None:
    found = list(amd_health.amd_xgmi_links_missing(hive((1, 2)), ANY))
    assert [finding.subject for finding in found] == ["GPU 0, gfx942", "GPU 1, gfx942"]


def test_amd_xgmi_links_missing_fires_for_a_gpu_that_fell_out_of_the_hive() -> None:
    out = [*(hive(size=3).gpus or []), gpu(4, hive=None, xgmi_peers=[])]
    assert one(amd_health.amd_xgmi_links_missing(Amd(gpus=out), ANY)).subject == "GPU 3, gfx942"


@pytest.mark.parametrize(
    "machine",
    [
        hive(),
        hive(size=2),
        hive((1, 2), size=2),
        hive(xgmi_peers=None),
        Amd(gpus=[gpu(n, xgmi_peers=[]) for n in (1, 2, 3, 4)]),  # cards without bridges
        Amd(gpus=[*(hive(size=3).gpus or []), gpu(4, gfx="gfx1036", xgmi_peers=[])]),
        Amd(
            gpus=[gpu(n, hive=str(n // 2), xgmi_peers=[address(n ^ 1)]) for n in (2, 3, 4, 5)]  # two pairs and a card
            + [gpu(6, xgmi_peers=[])]
        ),
    ],
)
def test_amd_xgmi_links_missing_near_miss(machine: Amd) -> None:
    assert not list(amd_health.amd_xgmi_links_missing(machine, ANY))


def test_amd_xgmi_links_missing_near_miss_for_parts() -> None:
    parts = [
        gpu(
            pci_address=f"0000:0{n}:00.{part}",
            partition=part,
            hive=HIVE,
            xgmi_peers=[address(o) for o in {1, 2, 3} - {n}],
        )
        for n in (1, 2, 3)
        for part in range(4)
    ]
    assert not list(amd_health.amd_xgmi_links_missing(Amd(gpus=parts), ANY))


def test_amd_gpu_hot_fires() -> None:
    hot = having(temperature_celsius=97, temperature_critical_celsius=100)
    assert one(amd_health.amd_gpu_hot(hot, ANY)).message == "the GPU is at 97 °C"


@pytest.mark.parametrize(("now", "critical"), [(96, 100), (97, None), (None, 100)])
def test_amd_gpu_hot_near_miss(now: int | None, critical: int | None) -> None:
    warm = having(temperature_celsius=now, temperature_critical_celsius=critical)
    assert not list(amd_health.amd_gpu_hot(warm, ANY))


def test_amd_power_limit_lowered_fires() -> None:
    low = having(power_limit_watts=500.0, power_limit_default_watts=750.0)
    assert "500 of 750 W" in one(amd_health.amd_power_limit_lowered(low, ANY)).message


@pytest.mark.parametrize(("limit", "usual"), [(750.0, 750.0), (700.0, 750.0), (None, 750.0), (500.0, None)])
def test_amd_power_limit_lowered_near_miss(limit: float | None, usual: float | None) -> None:
    fine = having(power_limit_watts=limit, power_limit_default_watts=usual)
    assert not list(amd_health.amd_power_limit_lowered(fine, ANY))


def linked(*widths: int | None, most: int | None = 16) -> Amd:
    return Amd(gpus=[gpu(n, pcie_width=width, pcie_width_max=most) for n, width in enumerate(widths)])


@pytest.mark.parametrize("machine", [linked(16, 8), linked(4)])
def test_amd_pcie_width_reduced_fires(machine: Amd) -> None:
    assert one(amd_health.amd_pcie_width_reduced(machine, ANY)).status == "warn"


@pytest.mark.parametrize("machine", [linked(16, 16), linked(8), linked(8, 8), linked(None), linked(4, most=None)])
def test_amd_pcie_width_reduced_near_miss(machine: Amd) -> None:
    assert not list(amd_health.amd_pcie_width_reduced(machine, ANY))
