"""docs/facts.md is what the sections of the facts are, and every number says what it counts or measures."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from envkit.facts import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts/document_facts.py"))
PAGE = (ROOT / "docs/facts.md").read_text(encoding="utf-8")


def test_the_page_is_current() -> None:
    """`python scripts/document_facts.py` writes it."""
    assert SCRIPT["document"]() == PAGE


def test_every_section_is_on_the_page() -> None:
    assert [line.removeprefix("## ") for line in PAGE.split("\n") if line.startswith("## ")] == list(SECTIONS)


@pytest.mark.parametrize("row", [line for line in PAGE.split("\n") if line.startswith("| `")])
def test_a_fact_has_a_meaning_and_a_number_that_is_no_whole_one_a_unit(row: str) -> None:
    path, kind, unit, meaning = (cell.strip() for cell in row.strip("|").replace("\\|", "/").split("|"))
    assert meaning, path
    assert unit or "number" not in kind.split(" or "), path
