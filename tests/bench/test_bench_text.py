"""What a terminal shows of a bench."""

from __future__ import annotations

import msgspec

from envkit.bench.show import render, speed
from envkit.bench.types import BenchReport, Device, Measurement
from envkit.formats import Style

FINE = Measurement(
    kind="matmul",
    device="cuda:0",
    variant="bfloat16",
    status="pass",
    value=712.4,
    unit="TFLOPS",
    peak=989.0,
    peak_of="H100 80GB HBM3",
    fraction=0.7203,
    spread=0.012,
    repeats=320,
    detail="8192 x 8192",
)
SLOW = msgspec.structs.replace(
    FINE,
    kind="transfer",
    variant="h2d-pinned",
    status="fail",
    cause="slow",
    message="20% of PCIe 5.0 x16: at least 50% was expected",
    value=12.6,
    unit="GB/s",
    peak=63.0,
    peak_of="PCIe 5.0 x16",
    fraction=0.2,
    baseline=50.0,
    baseline_fraction=0.252,
    reasons=["PCIe x4 of x16"],
)
LOST = Measurement(kind="peer", device="cuda:0-cuda:1", status="crash", cause="hang", message="no answer within 60 s")
SKIPPED = Measurement(
    kind="disk", device="disk", variant="write", status="skip", cause="not-supported", message="in memory"
)


def shown(*measurements: Measurement, status: str = "unhealthy", verbose: bool = False) -> list[str]:
    report = BenchReport(
        status=status,  # type: ignore[arg-type]
        devices=[Device(device="cuda:0", name="NVIDIA H100 80GB HBM3")],
        measurements=list(measurements),
        seconds=12.3,
    )
    return render(report, Style(verbose=verbose)).split("\n")


def test_the_verdict_comes_first_and_each_device_is_named() -> None:
    lines = shown(FINE, SLOW, LOST, SKIPPED)
    assert lines[0] == "✗ bench: 2 of 3 measured, 1 too slow, in 12 s"
    assert lines[2] == "cuda:0  NVIDIA H100 80GB HBM3"
    assert lines[3] == "  ✓ matrix product bfloat16             712 TFLOPS   72% of 989 (H100 80GB HBM3)"
    assert (
        lines[4]
        == "  ✗ copy host to device, pinned          12.6 GB/s   20% of 63 (PCIe 5.0 x16),  25% of the baseline"
    )
    assert lines[5:7] == ["      20% of PCIe 5.0 x16: at least 50% was expected [slow]", "      · PCIe x4 of x16"]
    assert "      no answer within 60 s [hang]" in lines
    assert lines[-3:-1] == ["  - file write                     skipped", "      in memory [not-supported]"]


def test_a_reason_is_told_once_for_each_device() -> None:
    lines = shown(SLOW, msgspec.structs.replace(SLOW, variant="d2h-pinned"))
    assert sum("PCIe x4 of x16" in line for line in lines) == 1


def test_without_anything_to_compare_with_that_is_said() -> None:
    bare = msgspec.structs.replace(FINE, peak=None, fraction=None)
    assert shown(bare, status="healthy")[0] == "✓ bench: 1 of 1 measured, with nothing to compare with, in 12 s"
    assert shown(FINE, status="healthy")[0] == "✓ bench: 1 of 1 measured, none too slow, in 12 s"
    assert shown(SKIPPED, status="unknown")[0] == "? bench: nothing could be measured"


def test_verbose_tells_sizes_and_spread() -> None:
    assert "      8192 x 8192; median of 320, quartiles 1.2% apart" in shown(FINE, verbose=True)


def test_three_figures_and_the_unit_that_suits_them() -> None:
    values = {712.4: "712 TFLOPS", 1.288: "1.29 TFLOPS", 0.1874: "187 GFLOPS", 12345.0: "12,345 TFLOPS"}
    assert {value: speed(msgspec.structs.replace(FINE, value=value)) for value in values} == values
    assert speed(msgspec.structs.replace(SLOW, value=0.09)) == "90.0 MB/s"


def test_what_a_gpu_keeps_up_is_told_with_the_reason_where_it_is_less() -> None:
    reason = "it is at its power limit (1440 of 1980 MHz, 673 of 700 W)"
    tired = msgspec.structs.replace(FINE, sustained=640.0, reasons=[reason])
    assert any("sustained 640 TFLOPS" in line for line in shown(tired))
    assert any(reason in line for line in shown(tired))
    fresh = msgspec.structs.replace(tired, sustained=710.0)
    assert not any("sustained" in line or reason in line for line in shown(fresh))
