"""Apple silicon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.findings import Findings, Remedy, fail

if TYPE_CHECKING:
    from envkit.facts.accelerators import Apple


@check(area="accelerators")
def apple_rosetta(apple: Apple) -> Findings:
    """An x86-64 Python runs translated (Rosetta) on Apple silicon: slow, and without the GPU."""
    if apple.rosetta:
        yield fail(
            "this is an x86-64 Python on Apple silicon (Rosetta)",
            evidence=[apple.chip or "Apple silicon"],
            remedy=Remedy(
                text="use an arm64 Python", commands=[["uv", "python", "install", "cpython-3.12-macos-aarch64"]]
            ),
        )
