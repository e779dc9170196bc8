"""A plan for a terminal. Pure."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from envkit.formats import Style
from envkit.setup.plan import Move, Plan, count, previous_folder, size
from envkit.setup.progress import Phase, duration
from envkit.setup.state import State

SHELLS = (("activate", "bash, zsh"), ("activate.fish", "fish"))


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
    title = f"Plan: mend {plan.target}" if mended else f"Plan: profile {plan.profile} into {plan.target}"
    return _table(title, rows, plan, style)


def render_ready(plan: Plan, phases: Sequence[Phase], *, proof: str, style: Style) -> str:
    """What there is now, at the end of a setup: what it holds, what took how long, how to use it, how to go back.

    Args:
        plan: what has been done.
        phases: what took how long, from the first.
        proof: how far it has been shown to be good: "judged and proved".
        style: how wide, and whether in colour.
    """
    from envkit.checks._packages import FRAMEWORKS  # noqa: PLC0415 - nothing else here needs the checks

    own = [p for p in plan.packages if p.name in FRAMEWORKS]
    received = sum(phase.received_bytes for phase in phases)
    arrived = f"{size(received)} received" if received else "nothing downloaded"
    commands = [f"source {shlex.quote(f'{plan.target}/bin/{script}')}" for script, _ in SHELLS]
    widest = max(map(len, commands))
    rows = [
        ("holds", ", ".join([*(f"{p.name} {p.version}" for p in own), f"{count(plan.packages)} in all, {arrived}"])),
        ("python", plan.python_version),
        *((("" if number else "took"), f"{duration(p.seconds):>8}  {p.title}") for number, p in enumerate(phases)),
        *(
            ("" if number else "activate", f"{command:<{widest}}  ({shells})")
            for number, (command, (_, shells)) in enumerate(zip(commands, SHELLS, strict=True))
        ),
    ]
    if plan.replaces:
        rows.append(("before", str(previous_folder(Path(plan.target)))))
        rows.append(("go back", f"envkit setup --rollback --venv {shlex.quote(plan.target)}"))
    seconds = sum(phase.seconds for phase in phases)
    title = f"ready: {plan.target} has profile {plan.profile}, {proof}, {duration(seconds)}"
    lines = [f"{style.mark('pass')} {style.paint(title, 'bold')}", *(f"  {label:<10}{text}" for label, text in rows)]
    return "\n".join(lines) + "\n"


def render_nothing_to_do(target: Path, profile: str, made: State, style: Style) -> str:
    """That the environment is as asked for."""
    return (
        f"{style.mark('pass')} nothing to do: {target} is what profile {profile} asks for "
        f"({made.verdict}, made {made.made_at[:10]})\n"
        "  `envkit doctor` and `envkit smoke` judge it again\n"
    )


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
    download = f"at most {size(plan.download_bytes)} to download" if plan.download_bytes else "none to download"
    return f"{download}, {plan.disk_bytes / 1e9:.1f} GB of disk space needed" if plan.disk_bytes else download
