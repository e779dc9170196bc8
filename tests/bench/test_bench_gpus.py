"""Whole benches of GPUs that are not there: the figures that come out are those of the stand-in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from envkit.bench.run import Wanted, bench
from envkit.bench.types import BenchReport, Event, Kind, Measurement
from envkit.errors import InputError
from envkit.facts import Facts
from envkit.knowledge import Knowledge

H100 = "NVIDIA H100 80GB HBM3"
PEAKS = Knowledge().peaks
ALL_GPU: tuple[Kind, ...] = ("matmul", "memory", "transfer", "peer")
Make = Callable[..., Any]


def run(env: dict[str, str], facts: Facts, *kinds: Kind, devices: tuple[str, ...] = (), **options: Any) -> BenchReport:
    return bench(sys.executable, facts, PEAKS, Wanted(kinds or ALL_GPU, devices), env=env, **options)


def of(report: BenchReport, device: str) -> dict[str, Measurement]:
    return {f"{m.kind} {m.variant}".strip(): m for m in report.measurements if m.device == device}


def test_each_type_and_each_copy_is_measured_on_the_device_and_compared_with_the_card(
    environment: Make, facts: Make
) -> None:
    report = run(environment(), facts(H100), devices=("cuda:0",))
    found = of(report, "cuda:0")
    assert (report.status, report.torch, len(found)) == ("healthy", "2.9.0+cu128", len(report.measurements))
    expected = {"float32": 50, "tf32": 400, "bfloat16": 700, "float16": 690, "fp8": 1200, "float64": 60}
    values = {name: found[f"matmul {name}"].value for name in expected}
    assert values == pytest.approx(expected)
    assert found["matmul bfloat16"].fraction == pytest.approx(700 / 989)
    assert found["matmul bfloat16"].detail == "8192 x 8192"
    assert found["memory"].value == pytest.approx(3000)
    assert found["memory"].fraction == pytest.approx(3000 / 3350)
    assert found["transfer h2d-pinned"].value == pytest.approx(55)
    assert found["transfer d2h-pinned"].peak_of == "PCIe 5.0 x16"
    assert 0 < (found["transfer h2d-pageable"].value or 0) < 400
    assert found["transfer h2d-pageable"].peak is None


def test_between_two_gpus_the_source_is_timed(environment: Make, facts: Make) -> None:
    report = run(environment(gpus=[H100, H100], direct=False), facts(H100, H100), "peer")
    (pair,) = report.measurements
    assert (pair.device, pair.status, pair.peak_of) == ("cuda:0-cuda:1", "pass", "PCIe 5.0 x16")
    assert pair.value == pytest.approx(370)
    assert "no peer access" in pair.detail


def test_a_slow_card_fails(environment: Make, facts: Make) -> None:
    report = run(environment(memory=900), facts(H100), "memory", devices=("cuda:0",))
    (memory,) = report.measurements
    assert (report.status, memory.status, memory.cause) == ("unhealthy", "fail", "slow")
    assert memory.message == "27% of H100 80GB HBM3: at least 60% was expected"


def test_want_of_memory_halves_the_matrices(environment: Make, facts: Make) -> None:
    report = run(environment(capacity=1 << 30), facts(H100), "matmul", "memory", devices=("cuda:0",))
    found = of(report, "cuda:0")
    assert {m.status for m in found.values()} == {"pass"}
    assert found["matmul float64"].detail == "4096 x 4096"
    assert found["memory"].detail == "256 MiB"


@pytest.mark.parametrize(
    ("trouble", "outcome", "words"),
    [
        ("crash", ("crash", "aborted"), "killed by SIGABRT while measuring matmul cuda:0 bfloat16"),
        ("hang", ("crash", "hang"), "no answer within 3 s while measuring matmul cuda:0 bfloat16"),
        ("error", ("fail", "framework-error"), "an illegal memory access"),
    ],
)
def test_what_takes_the_child_with_it_takes_no_other_measurement(
    environment: Make, facts: Make, trouble: str, outcome: tuple[str, str], words: str
) -> None:
    events: list[Event] = []
    env = environment(**{trouble: "bfloat16"})
    report = run(env, facts(H100), "matmul", devices=("cuda:0",), deadline_seconds=3, on_event=events.append)
    found = of(report, "cuda:0")
    bad = found.pop("matmul bfloat16")
    assert ((bad.status, bad.cause), report.status) == (outcome, "unhealthy")
    assert words in bad.message
    assert {m.status for m in found.values()} == {"pass"}
    assert len(found) == 5
    assert [e.result.variant for e in events if e.result] == [m.variant for m in report.measurements]


def test_a_device_that_is_not_there_is_refused_with_those_that_are(environment: Make, facts: Make) -> None:
    with pytest.raises(InputError, match="PyTorch has no cuda:1 here") as refused:
        run(environment(), facts(H100), devices=("cuda:1",))
    assert refused.value.hint == "there are: cpu, cuda:0"


def test_a_gpu_that_pytorch_does_not_see_is_no_pass(environment: Make, facts: Make) -> None:
    report = run(environment(gpus=[]), facts(H100), "matmul")
    missing = report.measurements[-1]
    assert (report.status, missing.cause) == ("unhealthy", "device-missing")
    assert missing.message == f"there is {H100}, but PyTorch 2.9.0+cu128 does not see it"


def test_without_pytorch_a_gpu_is_not_known_to_be_well(facts: Make) -> None:
    report = run({"PATH": "/usr/bin"}, facts(H100), "matmul")
    assert [(m.device, m.status, m.cause) for m in report.measurements] == [
        ("cpu", "skip", "framework-missing"),
        ("cpu", "skip", "framework-missing"),
        ("gpu", "unknown", "framework-missing"),
    ]
    assert report.status == "unknown"


def test_a_figure_below_the_baselines_fails_though_the_card_could_be_worse(environment: Make, facts: Make) -> None:
    machine = facts(H100)
    before = run(environment(), machine, "memory", devices=("cuda:0",))
    now = run(environment(memory=2100), machine, "memory", devices=("cuda:0",), baseline=before)
    (memory,) = now.measurements
    assert (memory.cause, memory.message) == ("slower-than-baseline", "70% of what it was")
    assert memory.baseline == pytest.approx(3000)
    assert now.baseline == before.taken_at


def test_a_gpu_that_was_there_in_the_baseline_is_missed(environment: Make, facts: Make) -> None:
    before = run(environment(gpus=[H100, H100]), facts(H100, H100), "memory", "peer")
    now = run(environment(), facts(H100), "memory", "peer", baseline=before)
    missing = now.measurements[-1]
    assert (missing.kind, missing.device, missing.status) == ("memory", "cuda:1", "fail")
    assert (missing.cause, len(now.measurements)) == ("device-missing", 3)
    one = run(environment(), facts(H100), "memory", devices=("cuda:0",), baseline=before)
    assert one.status == "healthy"
