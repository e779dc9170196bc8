"""What a profile expects of a bench."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envkit.bench import floors
from envkit.bench.judge import judged
from envkit.bench.limits import Limit
from envkit.bench.run import Wanted, bench
from envkit.bench.show import render
from envkit.bench.types import Measurement
from envkit.errors import InputError
from envkit.formats import Style
from envkit.knowledge import Knowledge
from envkit.profile import Profile, load

PEAKS = Knowledge().peaks
H100 = "NVIDIA H100 80GB HBM3"
MEMORY = Measurement(kind="memory", device="cuda:0", status="pass", value=2000.0, unit="GB/s")


def of(**floors_: float) -> Profile:
    return Profile(name="cluster", path="cluster.yaml", bench={k.replace("_", " "): v for k, v in floors_.items()})


def test_a_profile_says_floors_by_what_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("bench: {matmul bfloat16: 600, cpu memory: 20.5}\n")
    profile = load(str(path))
    floors.refuse_wrong(profile)
    product = Measurement(kind="matmul", device="cuda:3", variant="bfloat16", status="pass")
    assert floors.floor_of(product, profile) == Limit(600.0, "profile cluster")
    assert floors.floor_of(msgspec.structs.replace(product, device="cpu"), profile) is None
    assert floors.floor_of(Measurement(kind="memory", device="cpu", status="pass"), profile) == (
        20.5,
        "profile cluster",
    )
    assert floors.floor_of(MEMORY, profile) is None
    assert floors.floor_of(product, None) is None


def test_the_number_of_gpus_and_the_backend_are_no_part_of_a_name() -> None:
    assert {"peer", "all-reduce", "disk write", "cpu step lstm", "transfer d2h-pinned"} <= set(floors.known())
    ring = Measurement(kind="all-reduce", device="all", variant="nccl", status="pass")
    pair = Measurement(kind="peer", device="cuda:0-cuda:1", status="pass")
    assert (floors.name_of(ring), floors.name_of(pair)) == ("all-reduce", "peer")


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (of(), "--profile cluster: it has no floors for a bench"),
        (of(matmul_bfloat=600), "unknown measurement `matmul bfloat`, did you mean `matmul bfloat16`?"),
        (of(matmul=600), "unknown measurement `matmul`"),
        (of(memory=-1), "`memory` is -1, expected more than 0"),
    ],
)
def test_what_is_no_floor_is_refused(profile: Profile, said: str) -> None:
    with pytest.raises(InputError) as refused:
        floors.refuse_wrong(profile)
    assert said in refused.value.message
    assert refused.value.hint


def test_a_profiles_floor_counts_in_place_of_the_catalogues() -> None:
    limit = Limit(3350.0, "H100 80GB HBM3")
    assert judged(MEMORY, limit, None, [], PEAKS).cause == "slow"  # the catalogue wants 60%
    fine = judged(MEMORY, limit, None, [], PEAKS, floor=Limit(1900.0, "profile cluster"))
    assert (fine.status, fine.floor, fine.floor_of) == ("pass", 1900.0, "profile cluster")
    assert fine.fraction == pytest.approx(2000 / 3350)
    slow = judged(MEMORY, None, None, [], PEAKS, floor=Limit(2001.0, "profile cluster"))
    assert (slow.status, slow.message) == ("fail", "profile cluster expects at least 2,001 GB/s")


def test_what_should_be_measured_and_was_skipped_is_unknown() -> None:
    skipped = Measurement(kind="disk", device="disk", variant="write", status="skip", cause="not-supported")
    assert judged(skipped, None, None, [], PEAKS).status == "skip"
    assert judged(skipped, None, None, [], PEAKS, floor=Limit(1.0, "profile cluster")).status == "unknown"


def test_a_bench_is_judged_by_the_profile(environment: Callable[..., Any], facts: Callable[..., Any]) -> None:
    profile = of(memory=2900, peer=300, disk_read=1)
    wanted = Wanted(("memory", "peer"))
    report = bench(sys.executable, facts(H100), PEAKS, wanted, env=environment(), profile=profile)
    found = {m.device: m for m in report.measurements}
    assert (found["cuda:0"].status, found["cuda:0"].floor) == ("pass", 2900)
    assert (found["gpu"].kind, found["gpu"].status, found["gpu"].cause) == ("peer", "unknown", "not-measured")
    assert found["cpu"].floor is None
    assert len(report.measurements) == 3  # nothing of the disk: it was not wanted
    assert report.status == "unknown"
    assert "90% of 3,350 (H100 80GB HBM3), at least 2,900 (profile cluster)" in render(report, Style())


def test_of_a_single_device_not_all_floors_are_expected(
    environment: Callable[..., Any], facts: Callable[..., Any]
) -> None:
    wanted = Wanted(("memory", "peer"), ("cuda:0",))
    report = bench(sys.executable, facts(H100), PEAKS, wanted, env=environment(), profile=of(memory=2900, peer=300))
    assert [(m.kind, m.status) for m in report.measurements] == [("memory", "pass")]
