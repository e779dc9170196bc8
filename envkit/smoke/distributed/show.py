"""A report of training together for a terminal. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from envkit.formats import VERDICT_MARKS, Style
from envkit.redact import plain
from envkit.smoke.distributed.types import Check, RankReport, TogetherReport, World

TITLES = {"torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX"}


def render(report: TogetherReport, style: Style) -> str:
    """The verdict; of each framework what was checked between its ranks, and the ranks that did not end well."""
    passed = sum(world.status == "pass" for world in report.worlds)
    headline = f"smoke: {passed} of {len(report.worlds)} frameworks trained on many devices as on one"
    verdict = style.paint(f"{headline}, in {report.seconds:.1f} s", "bold")
    lines = [f"{style.mark(VERDICT_MARKS[report.status])} {verdict}", ""]
    for world in report.worlds:
        lines += _world(world, style)
    return "\n".join(lines) + "\n"


def _world(world: World, style: Style) -> list[str]:
    name = f"{TITLES[world.framework]} {world.version or ''}".strip()
    what = f"{world.size} ranks, {world.backend}" if world.framework == "torch" else f"{world.size} devices"
    lines = [f"{style.mark(world.status)} {name:<24} {what}  {style.paint(f'{world.seconds:.1f} s', 'dim')}"]
    lines += [line for rank in world.ranks if rank.status in {"fail", "crash"} for line in rank_lines(rank, style)]
    for status in ("skip", "unknown"):
        lines += _one_for_all([rank for rank in world.ranks if rank.status == status], style)
    return lines + [line for check in world.checks for line in _check(check, style)]


def _one_for_all(ranks: Sequence[RankReport], style: Style) -> list[str]:
    """Ranks that are not to blame: the first whose library said something, and how many more there are."""
    if not ranks:
        return []
    first = next((rank for rank in ranks if rank.words), ranks[0])
    more = f"and so did {len(ranks) - 1} more" if first.status == "skip" else f"and of {len(ranks) - 1} more"
    return [*rank_lines(first, style), *(_wrapped(more, style) if len(ranks) > 1 else [])]


def _check(check: Check, style: Style) -> list[str]:
    figures = ", ".join(f"{what} {deviation:.1e} (≤ {tolerance:.0e})" for what, deviation, tolerance in check.measures)
    head = f"  {style.mark(check.status)} {check.name:<17} {check.case or '':<12} {figures}".rstrip()
    return [head, *_wrapped(check.message, style)]


def rank_lines(rank: RankReport, style: Style) -> list[str]:
    """One rank that did not end well."""
    head = f"  {style.mark(rank.status)} rank {rank.rank} on {rank.host or '?'} [{rank.cause or rank.status}]"
    said = rank.words and rank.words not in rank.message
    return [head, *_wrapped(rank.message, style), *(_wrapped(f"last words: {rank.words}", style) if said else [])]


def _wrapped(text: str, style: Style) -> list[str]:
    return textwrap.wrap(
        plain(text),
        max(style.width, 40),
        initial_indent="      ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
