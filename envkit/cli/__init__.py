"""The commands, one file each: arguments in, one call, one print, one exit status.

A file `x.py` with an `app` is the command `envkit x`. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import typer
from typer.core import TyperGroup

from envkit.errors import InputError, did_you_mean


class Commands(TyperGroup):
    """The files of this folder as commands. Any: what Typer calls click is its own copy in some releases."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = typer.main.get_command(importlib.import_module(f"{__name__}.{cmd_name}").app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = ctx.resilient_parsing or args[0].startswith("-") or args[0] in self.list_commands(ctx)
        if not known:
            raise InputError(
                f"no command is called {args[0]!r}{did_you_mean(args[0], self.list_commands(ctx))}",
                hint="`envkit --help` shows them all",
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    name="envkit",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from envkit import __version__

        typer.echo(f"envkit {__version__}")
        raise typer.Exit


@app.callback()
def envkit(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True, callback=_version),
) -> None:
    """Says whether a machine can train and why not, installs a matching stack, proves it by training."""
