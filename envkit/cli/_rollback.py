"""`envkit setup --rollback`: what has changed places, in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from envkit.formats import Style
from envkit.setup.rollback import Rollback, describe, rollback
from envkit.setup.target import check_target


def roll_back(target: Path, *, style: Style, say: Callable[[str], None]) -> Rollback:
    """Put the previous environment back, and say what is where."""
    done = rollback(check_target(target)[0])
    lines = [f"{style.mark('pass')} {style.paint(f'back in place: {done.target}, {describe(done.now)}', 'bold')}"]
    if done.previous:
        lines.append(f"  before    {done.previous}, {describe(done.before)}")
        lines.append(f"  forward   envkit setup --rollback --venv {done.target}")
    lines.append(f"  judge it  envkit doctor --python {done.target}")
    say("\n".join(lines) + "\n")
    return done
