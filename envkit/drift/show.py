"""A comparison for a terminal. Pure."""

from __future__ import annotations

import textwrap
from typing import Any

from envkit.drift import Comparison
from envkit.formats import Style
from envkit.redact import plain

LONGEST = 3
"""So many items of a list are shown."""


def render(comparison: Comparison, style: Style) -> str:
    """Problems that one of them alone has, then the facts that differ."""
    lines = []
    for name, problems in ((comparison.left, comparison.left_only), (comparison.right, comparison.right_only)):
        for problem in problems:
            first, *rest = _wrapped(f"  only {name}: {problem}", style)
            lines += [f"{style.mark('fail')}{first[1:]}", *rest]
    if lines:
        lines.append("")
    if not comparison.differences:
        lines.append(f"{style.mark('pass')} no fact that matters differs")
    for difference in comparison.differences:
        lines.append(style.paint(plain(difference.fact), "bold"))
        for name, value in ((comparison.left, difference.left), (comparison.right, difference.right)):
            lines += _wrapped(f"  {name}: {_shown(value)}", style)
    return "\n".join(lines) + "\n"


def _wrapped(text: str, style: Style) -> list[str]:
    return textwrap.wrap(
        plain(text), max(style.width, 40), subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        more = f" and {len(value) - LONGEST} more" if len(value) > LONGEST else ""
        return ", ".join(map(str, value[:LONGEST])) + more
    return str(value)
