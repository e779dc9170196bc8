"""`envkit checks`: what the doctor looks for."""

from __future__ import annotations

import typer

from envkit.cli import _common

app = _common.new_app(help="What the doctor looks for.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Every check: its id, area and what it finds."""
    from envkit.checks import discover
    from envkit.findings import AREAS

    checks = discover()
    width = max(len(c) for c in checks)
    for area in AREAS:
        typer.echo(area)
        for check in checks.values():
            if check.area == area:
                typer.echo(f"  {check.id:<{width}}  {check.title}")
        typer.echo("")
    typer.echo(f"{len(checks)} checks")


@app.command()
def show(
    check_id: str = typer.Argument(
        ..., metavar="ID", help="A check's id, as `envkit checks list` shows it.", autocompletion=_common.complete_check
    ),
) -> None:
    """One check: what it finds, why it matters, what it reads, how to silence it."""
    from envkit.checks import discover
    from envkit.errors import InputError, did_you_mean

    checks = discover()
    if check_id not in checks:
        raise InputError(
            f"no check is called {check_id!r}{did_you_mean(check_id, checks)}",
            hint="`envkit checks list` shows them all",
        )
    check = checks[check_id]
    typer.echo(f"{check.id}  ({check.area})\n\n{check.description}\n")
    typer.echo(f"reads:      {', '.join(check.needs)}")
    if check.after:
        typer.echo(f"explained by: {', '.join(check.after)}")
    for name, value in check.thresholds.items():
        typer.echo(f"threshold:  {name} = {value}")
    typer.echo(f"silence:    envkit doctor --ignore {check.id}")
    typer.echo(f"            in a profile: checks: {{{check.id}: {{ignore: why}}}}")
