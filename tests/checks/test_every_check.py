"""Every check says what it is, names causes that exist, and is tested to fire and not to fire."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from envkit.checks import Check, discover
from envkit.facts import SECTIONS
from envkit.findings import AREAS

CHECKS = discover()
TESTS = [
    node.name
    for path in Path(__file__).parent.glob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.FunctionDef)
]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_describes_itself(check: Check) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", check.id)
    assert check.area in AREAS
    assert check.title.endswith((".", '".'))
    assert set(check.needs) <= {*SECTIONS, "facts", "profile", "knowledge"}
    assert all(isinstance(default, int | float | str | bool) for default in check.thresholds.values())


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_has_a_case_that_fires_and_a_near_miss(check: Check) -> None:
    name = check.id.replace("-", "_")
    assert any(test.startswith(f"test_{name}_fires") for test in TESTS)
    assert any(test.startswith(f"test_{name}_near_miss") for test in TESTS)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_causes_a_check_names_exist_and_do_not_run_in_circles(check: Check) -> None:
    seen, queue = set(), list(check.after)
    while queue:
        cause = queue.pop()
        assert cause in CHECKS
        assert cause != check.id
        if cause not in seen:
            seen.add(cause)
            queue.extend(CHECKS[cause].after)


def test_titles_are_all_different() -> None:
    assert len({check.title for check in CHECKS.values()}) == len(CHECKS)
