"""A plan for a terminal. Pure."""

from __future__ import annotations

import shlex
import textwrap

from envkit.formats import Style
from envkit.setup.plan import Plan


def render(plan: Plan, style: Style) -> str:
    """What setup is going to do, before it does it; with -v every package and command."""
    pinned = ", ".join(f"{p.name} {p.version}" for p in plan.packages)
    rows = [
        ("python", f"{plan.python_version}, {plan.python}"),
        ("from", "; ".join(plan.sources) or "the default index"),
        ("packages", f"{len(plan.packages)}, {_gigabytes(plan)}"),
        ("", pinned if style.verbose else textwrap.shorten(pinned, 3 * style.width, placeholder=" ...")),
        *((("note", note)) for note in plan.notes),
        *((("steps" if number == 1 else ""), f"{number}. {s.title}") for number, s in enumerate(plan.steps, 1)),
    ]
    lines = [style.paint(f"Plan: profile {plan.profile} in {plan.target}", "bold")]
    for title, text in rows:
        lines += textwrap.wrap(
            text,
            max(style.width, 40),
            initial_indent=f"  {title:<10}",
            subsequent_indent=" " * 12,
            break_long_words=False,
            break_on_hyphens=False,
        )
    if style.verbose:
        lines += [style.paint(f"  $ {shlex.join(s.argv)}", "dim") for s in plan.steps if s.argv]
    return "\n".join(lines) + "\n"


def _gigabytes(plan: Plan) -> str:
    download = f"at most {plan.download_bytes / 1e9:.2f} GB to download" if plan.download_bytes else "none to download"
    return f"{download}, {plan.disk_bytes / 1e9:.1f} GB of disk space needed" if plan.disk_bytes else download
