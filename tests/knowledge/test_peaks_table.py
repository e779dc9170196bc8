"""The table of peaks: its names, and its figures against facts gathered elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from envkit.knowledge import Knowledge

KNOWLEDGE = Knowledge()
PEAKS = KNOWLEDGE.peaks
FACTS = Path(__file__).resolve().parents[3] / "shared/facts/gpus.yaml"
GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "gib", "key"),
    [
        ("NVIDIA H100 80GB HBM3", 79.1, "H100 80GB HBM3"),
        ("nvidia a100-sxm4-80gb", 79.2, "A100-SXM4-80GB"),
        ("Tesla T4", 14.6, "Tesla T4"),
        ("NVIDIA GeForce RTX 3080", 9.8, "GeForce RTX 3080 (10 GiB)"),
        ("NVIDIA GeForce RTX 3080", 11.8, "GeForce RTX 3080 (12 GiB)"),
        ("AMD Instinct MI300X OAM", 191.5, "Instinct MI300X"),
        ("AMD Instinct MI300X", None, "Instinct MI300X"),
        ("Apple M2", 16, "Apple M2"),
    ],
)
def test_a_card_is_found_by_the_name_that_its_driver_tells(name: str, gib: float | None, key: str) -> None:
    found = PEAKS.of(name, int(gib * GIB) if gib else None)
    assert found
    assert found[0] == key


@pytest.mark.parametrize(
    ("name", "gib"),
    [
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16),
        ("NVIDIA H100", 80),
        ("NVIDIA H200", 70),
        ("Apple M2 Max+", 1),
        ("", 1),
    ],
)
def test_another_card_or_a_part_of_one_is_not_found(name: str, gib: float) -> None:
    assert PEAKS.of(name, int(gib * GIB)) is None


def test_links_of_pcie() -> None:
    assert PEAKS.pcie("5.0 x16") == pytest.approx(63.0, abs=0.1)
    assert PEAKS.pcie("4.0 x8") == pytest.approx(15.75, abs=0.01)
    assert PEAKS.pcie("9.0 x16") is None


def test_every_row_is_plausible() -> None:
    for name, row in PEAKS.peaks.items():
        assert row.memory is not None, name
        assert row.pcie is None or PEAKS.pcie(row.pcie), name
        for faster, slower in (("fp8", "bfloat16"), ("bfloat16", "tf32"), ("tf32", "float64")):
            more, less = getattr(row, faster), getattr(row, slower)
            assert more is None or less is None or more >= less, (name, faster)
    assert {*PEAKS.floors, "disk", "step"} == set(PEAKS.drift)
    assert all(0 < share < 1 for share in (*PEAKS.floors.values(), *PEAKS.drift.values()))


def test_every_card_is_one_that_the_table_of_gpus_knows() -> None:
    ours = {name.partition(" (")[0] for name in PEAKS.peaks if not name.startswith(("Apple ", "Instinct ", "Radeon "))}
    assert ours <= set(KNOWLEDGE.gpus.gpus)


@pytest.mark.skipif(not FACTS.is_file(), reason="no shared facts beside this project")
def test_figures_agree_with_facts_gathered_elsewhere() -> None:
    compared = 0
    for row in yaml.load(FACTS.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["gpus"]:
        for name in row["smi_names"]:
            if not (found := PEAKS.of(name, int((row["memory_gib"] or 0) * GIB))):
                continue
            peak = found[1]
            theirs = [row[key] for key in ("memory_bandwidth_gbs", "fp32_tflops", "nvlink_gbs", "pcie")]
            theirs += [row[f"{kind}_tensor_tflops_dense"] for kind in ("bf16", "fp16", "fp8")]
            ours = [peak.memory, peak.float32, peak.nvlink, peak.pcie, peak.bfloat16, peak.float16, peak.fp8]
            assert [x if isinstance(x, str) else x and float(f"{x:.4g}") for x in theirs] == ours, name
            compared += 1
    assert compared >= 110
