"""A plan for a terminal. Pure."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Sequence

from envkit.formats import Style
from envkit.setup.plan import Move, Plan, size


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
    return _table(f"Plan: profile {plan.profile} in {plan.target}", rows, plan, style)


def render_mending(plan: Plan, mended: Sequence[str], style: Style) -> str:
    """What is going to be done to an environment, and about which problems."""
    moves = [_move(move) for move in plan.moves]
    download = f"at most {size(plan.download_bytes)} to download" if plan.download_bytes else "nothing to download"
    rows = [
        *((("" if number else "mends"), text) for number, text in enumerate(mended)),
        *((("" if number else "packages"), text) for number, text in enumerate(moves or ["none"])),
        ("from", f"{'; '.join(plan.sources)}; {download}"),
        *((("note", note)) for note in plan.notes),
        *((("" if number > 1 else "steps"), f"{number}. {s.title}") for number, s in enumerate(plan.steps, 1)),
    ]
    return _table(f"Plan: mend {plan.target}", rows, plan, style)


def _move(move: Move) -> str:
    weight = f", {size(move.size_bytes)}" if move.size_bytes else ""
    if move.before == move.after:
        return f"{move.name} {move.after}, installed again{weight}"
    return f"{move.name} {move.before or 'none'} → {move.after or 'removed'}{weight}"


def _table(title: str, rows: Iterable[tuple[str, str]], plan: Plan, style: Style) -> str:
    lines = [style.paint(title, "bold")]
    for label, text in rows:
        lines += textwrap.wrap(
            text,
            max(style.width, 40),
            initial_indent=f"  {label:<10}",
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
