"""docs/checks.md is what the checks say, and the catalogue leaves no condition out."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import yaml

from envkit.checks import discover

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE: dict[str, Any] = yaml.safe_load((ROOT / "docs/catalogue.yaml").read_text())
LAST = {"G": 65, "C": 9, "H": 36, "P": 29, "F": 38}


def test_every_row_has_a_check_or_a_reason_and_never_both() -> None:
    rows, without = set(CATALOGUE["rows"]), set(CATALOGUE["not_checked"])
    assert rows | without == {f"{letter}{n:02}" for letter, last in LAST.items() for n in range(1, last + 1)}
    assert not rows & without


def test_the_catalogue_names_checks_that_exist() -> None:
    checks = set(discover())
    for row, entry in CATALOGUE["rows"].items():
        assert entry["checks"], row
        assert set(entry["checks"]) <= checks, row


def test_the_page_is_current() -> None:
    """`python scripts/document_checks.py` writes it."""
    document = runpy.run_path(str(ROOT / "scripts/document_checks.py"))["document"]
    assert (ROOT / "docs/checks.md").read_text() == document(CATALOGUE, discover())
