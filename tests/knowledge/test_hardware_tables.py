"""GPUs by name, Xids, known-bad combinations; and how old each table is."""

from __future__ import annotations

import os
import warnings
from datetime import date, datetime, timezone

import pytest

from envkit.knowledge import TABLES, Knowledge

KNOWLEDGE = Knowledge()
YEAR_DAYS = 365


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", "8.0"),
        ("NVIDIA A100-SXM...", "8.0"),
        ("A100", "8.0"),
        ("GRID A100-20C", "8.0"),
        ("Tesla V100-SXM2-16GB", "7.0"),
        ("V100", "7.0"),
        ("RTX 4090", "8.9"),
        ("nvidia geforce rtx 4090 d", "8.9"),
        ("GeForce RTX 3080 Laptop GPU", "8.6"),
        ("Quadro RTX 6000", "7.5"),
        ("NVIDIA RTX 6000 Ada Generation", "8.9"),
        ("NVIDIA B200", "10.0"),
        ("NVIDIA L40S", "8.9"),
    ],
)
def test_a_gpus_name_tells_its_compute_capability(name: str, capability: str) -> None:
    assert KNOWLEDGE.capability_of(name) == capability


@pytest.mark.parametrize("name", ["NVIDIA GeForce ...", "RTX 6000", "NVIDIA", "A1", "Voodoo 2", "...", " ", "", None])
def test_a_name_that_could_be_several_or_is_new_tells_nothing(name: str | None) -> None:
    assert KNOWLEDGE.capability_of(name) is None


def test_what_is_made_for_servers_is_marked() -> None:
    assert getattr(KNOWLEDGE.gpu_model("NVIDIA H100 80GB HBM3"), "server", None) is True
    assert getattr(KNOWLEDGE.gpu_model("NVIDIA GeForce RTX 5090"), "server", None) is False


def test_memory_is_told_where_a_name_is_sold_in_one_size_only() -> None:
    assert getattr(KNOWLEDGE.gpu_model("NVIDIA L4"), "memory_gib", None) == 24
    assert getattr(KNOWLEDGE.gpu_model("A100"), "memory_gib", 0) is None


@pytest.mark.parametrize(
    ("action", "codes"),
    [
        ("reboot", [79]),
        ("reset", [46, 48, 62, 64, 74, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158]),
        ("restart-app", [13, 31, 32, 39, 40, 41, 69, 94]),
        ("watch", [63, 92]),
        ("vendor", [54]),
        ("update", [78]),
    ],
)
def test_an_xid_says_what_to_do(action: str, codes: list[int]) -> None:
    assert {code: KNOWLEDGE.xids.xids[code].action for code in codes} == dict.fromkeys(codes, action)


def test_every_xid_of_the_open_kernel_modules_is_known() -> None:
    """nverror.h of r515 numbers them from 13 on, with gaps that were never used; 20 to 23 are no errors of today."""
    unused = {14, 15, 17, *range(20, 24), *range(49, 54), 55, 90, 91}
    assert set(range(13, 126)) - unused - {108} <= set(KNOWLEDGE.xids.xids)


def test_shared_memory_is_marked() -> None:
    shared = {name for name, model in KNOWLEDGE.gpus.gpus.items() if model.unified_memory}
    assert shared == {"Orin", "Orin (nvgpu)", "Xavier", "Thor", "GB10"}


def test_an_xid_that_only_a_program_caused_never_fails_a_machine() -> None:
    assert not [c for c, row in KNOWLEDGE.xids.xids.items() if row.action == "restart-app" and row.severity == "fail"]


def outdated(today: date) -> list[str]:
    """The tables that are older than a year."""
    ages = {name: getattr(KNOWLEDGE, name).as_of for name in TABLES if hasattr(getattr(KNOWLEDGE, name), "as_of")}
    return [f"{name}.yaml is of {as_of}" for name, as_of in ages.items() if (today - as_of).days > YEAR_DAYS]


def test_the_age_of_a_table_shows_on_a_given_day() -> None:
    assert outdated(date(2026, 12, 1)) == []
    assert len(outdated(date(2030, 1, 1))) >= 8


@pytest.mark.filterwarnings("default")
def test_tables_are_no_older_than_a_year_else_refresh_them() -> None:
    """Warns, for time alone breaks no build; ENVKIT_TODAY is the day to judge by: `scripts/refresh_knowledge.py`."""
    today = os.environ.get("ENVKIT_TODAY")
    old = outdated(date.fromisoformat(today) if today else datetime.now(timezone.utc).date())
    if old:
        warnings.warn(f"run scripts/refresh_knowledge.py and look the rest up: {'; '.join(old)}", stacklevel=1)
