"""`envkit probe`: everything that can be observed, as JSON."""

from __future__ import annotations

import sys

import typer

from envkit.cli import _common

app = _common.new_app()


@app.command()
def probe(
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP),
    deep: bool = typer.Option(False, "--deep", help="Also import each framework and ask it what it sees."),
    timeout: float = typer.Option(
        10.0, "--timeout", min=0.1, max=86400, help="Seconds that a driver or a disk may take to answer."
    ),
    unredacted: bool = typer.Option(False, "--unredacted", help="Keep the home folder, host name and credentials."),
) -> None:
    """Print the facts of this machine as JSON.

    `envkit doctor --facts FILE` judges them, here or elsewhere. Changes nothing.
    """
    from envkit.facts import encode

    text = encode(_common.capture(python, deep=deep, timeout=timeout)) + "\n"
    if unredacted:
        sys.stdout.write(text)
    else:
        _common.write(text)
