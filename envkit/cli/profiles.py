"""`envkit profiles`: what a machine can be set up for and judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from envkit.cli import _common

if TYPE_CHECKING:
    from envkit.profile import Problem

app = _common.new_app(help="Profiles: what a machine and its environment should be.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Every profile that a name finds: its accelerator, what it is for, where it was found."""
    from envkit.errors import InputError
    from envkit.profile import available, load_file

    rows = []
    for found in available():
        try:
            profile = load_file(found.path)
        except InputError:
            row = (found.name, "?", f"not valid: see `envkit profiles validate {found.path}`", found.place)
        else:
            row = (found.name, profile.requires.accelerator, profile.description.split("\n", 1)[0], found.place)
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def show(
    name: str = typer.Argument(..., help="A profile's name, or a file.", autocompletion=_common.complete_profile),
    format_: str = typer.Option("yaml", "--format", "-f", help="yaml or json."),
) -> None:
    """A profile with everything it extends merged in."""
    from envkit.cli import _common
    from envkit.profile import load

    _common.one_of("--format", format_, ("yaml", "json"))
    profile = load(name)
    if format_ == "json":
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(profile), indent=2).decode())
        return
    from envkit.profile.write import as_yaml

    typer.echo(as_yaml(profile), nl=False)


@app.command()
def validate(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Files, or names of profiles."),
) -> None:
    """Say everything that is wrong in profiles, each with file, line, key and what was expected."""
    from envkit.checks import discover
    from envkit.profile import ProfileErrors

    checks = {check.id: check.thresholds for check in discover().values()}
    problems = [problem for file in files for problem in _problems(file, checks)]
    if problems:
        raise ProfileErrors(dict.fromkeys(problems))  # several files may extend a broken one: say it once


@app.command()
def lock(
    names: list[str] = typer.Argument(
        None, metavar="[NAME]...", help="Profiles; all, where none is named.", autocompletion=_common.complete_profile
    ),
    python: list[str] = typer.Option([], "--python", help="A Python, such as 3.11; all that the profile allows."),
    platform: list[str] = typer.Option(
        [], "--platform", help="linux-x86_64, linux-aarch64 or darwin-arm64; all that the profile allows."
    ),
    with_: list[str] = typer.Option([], "--with", help="Option of the profile to have, such as jax."),
    without: list[str] = typer.Option([], "--without", help="Option of the profile not to have."),
    check: bool = typer.Option(False, "--check", help="Write nothing; show what is not what would be locked now."),
) -> None:
    """Pin and hash every package of profiles, in files beside them that `envkit setup` installs from.

    Exit status: 0 locked, or current; 1 a lock is not current, or a profile cannot be resolved; 2 wrong usage.
    """
    from envkit.cli._lock import chosen, lock_all

    _common.need_current_folder()
    split = _common.split
    profiles = chosen(names or [], add=split(with_), leave_out=split(without))
    status = lock_all(profiles, split(python), split(platform), check=check, style=_common.style(), say=_common.write)
    raise typer.Exit(status)


@app.command()
def freeze(
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP.replace("inspect", "freeze")),
    output: str = typer.Option(
        ..., "--output", "-o", help="A name (for ./profiles), a folder, or a file ending in .yaml."
    ),
) -> None:
    """Write a profile and its lock from a good environment, so that `envkit setup` can build it again."""
    from envkit.cli._lock import freeze_environment

    _common.need_current_folder()
    freeze_environment(python, output, style=_common.style(), say=_common.write)


def _problems(file: str, checks: dict[str, dict[str, object]]) -> list[Problem]:
    from envkit.errors import InputError
    from envkit.profile import Problem, ProfileErrors, load

    try:
        profile = load(file, checks=checks)
    except ProfileErrors as error:
        return error.problems
    except InputError as error:
        return [Problem(file="", line=0, key="", message=error.message)]
    typer.echo(f"{profile.path}: ok")
    return []
