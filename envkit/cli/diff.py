"""`envkit diff`: it worked on that machine; what is different here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from envkit.cli import _common

if TYPE_CHECKING:
    from envkit.facts import Facts

app = _common.new_app()


@app.command()
def diff(
    left: str = typer.Argument(..., metavar="A", help="A file of `envkit probe`."),
    right: str = typer.Argument("", metavar="[B]", help="Another; without it, this machine."),
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP),
    format_: str = typer.Option("text", "--format", "-f", help="Output format: text, json."),
    everything: bool = typer.Option(False, "--all", "-a", help="Also what hardly ever matters."),
) -> None:
    """What differs between two machines, the likeliest causes first.

    Exit status: 0 nothing that matters differs, 1 something does, 2 wrong usage.
    """
    from envkit import knowledge
    from envkit.checks import discover
    from envkit.doctor import examine
    from envkit.drift import Comparison, compare, problems_of_one
    from envkit.profile import Profile

    _common.one_of("--format", format_, ("text", "json"))
    checks, tables = discover(), knowledge.load()
    one = _facts(left, "")
    other = _facts(right, python)
    reports = [examine(facts, Profile(), tables, checks) for facts in (one, other)]
    found = [d for d in compare(one, other) if everything or d.weight > 10]
    comparison = Comparison(
        left=left,
        right=right or "this machine",
        left_only=problems_of_one(*reports),
        right_only=problems_of_one(*reversed(reports)),
        differences=found,
    )
    if format_ == "json":
        _common.write_json(comparison)
    else:
        from envkit.drift.show import render

        _common.write(render(comparison, _common.style()))
    raise typer.Exit(1 if found or comparison.left_only or comparison.right_only else 0)


def _facts(file: str, python: str) -> Facts:
    """Facts of a file or, without one, of this machine, redacted as those of a file are."""
    from envkit.facts import decode, encode
    from envkit.redact import redact

    facts = _common.facts_from(file, python, deep=False, timeout=10.0, meanwhile=lambda: None)
    return facts if file else decode(redact(encode(facts)), "this machine")
