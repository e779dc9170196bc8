"""Lists of processors as the kernel writes them."""

from __future__ import annotations

import pytest

from envkit.cpuinfo import cpu_list


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0-3,8", [0, 1, 2, 3, 8]),
        ("0\n", [0]),
        ("", []),
        (None, []),
        ("0-", []),
        ("-3", []),
        ("1-2-3", []),
        ("0,,1", []),
        ("all", []),
        ("0-99999999", []),
        ("0-999999", []),
        ("9" * 5000, []),
    ],
)
def test_a_list_is_numbers_or_nothing(text: str | None, numbers: list[int]) -> None:
    assert cpu_list(text) == numbers
