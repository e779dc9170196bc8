"""`envkit setup`: choose, plan, build, judge, prove, put in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from envkit.cli import _common

if TYPE_CHECKING:
    from collections.abc import Callable


EVERYWHERE = ("--format", "--verbose")
WHAT = ("--profile", "--with", "--without", "--no-smoke", "--no-doctor")
IN_PLACE = (*WHAT, "--wheelhouse", "--offline", "--dry-run")
GOES_WITH = {
    "--rollback": ("--venv",),
    "--into": IN_PLACE,
    "--system": (*IN_PLACE, "--python"),
    "--download": (*WHAT, "--extras", "--assume", "--python", "--upgrade", "--offline"),
}
"""What each other way to set up heeds: what it would pass over is refused."""

app = _common.new_app()


@app.command()
def setup(
    context: typer.Context,
    profile: str = typer.Option(
        "",
        "--profile",
        "-p",
        help="What to install: a profile's name, or a file; without it, what suits this machine best.",
        autocompletion=_common.complete_profile,
    ),
    with_: list[str] = typer.Option([], "--with", help="Also this option of the profile, for example jax."),
    without: list[str] = typer.Option([], "--without", help="Not this one, for example tensorflow."),
    extras: list[str] = typer.Option([], "--extras", help="Compiled extensions: flash-attn, vllm, nvcc ..."),
    assume: list[str] = typer.Option(
        [], "--assume", metavar="FACTS", help="Plan for a machine that is not here: driver=570,gpu=H100."
    ),
    venv: str = typer.Option("", "--venv", help="Folder of the environment.", show_default=".venv"),
    into: str = typer.Option(
        "", "--into", metavar="PATH", help="Change this environment instead, as little as possible."
    ),
    system: bool = typer.Option(False, "--system", help="In a container: install into the system's Python."),
    python: str = typer.Option("", "--python", help="Python to build on: a version (3.12) or a path."),
    upgrade: bool = typer.Option(False, "--upgrade", help="Resolve anew instead of using the lock; show what changes."),
    wheelhouse: str = typer.Option("", "--wheelhouse", metavar="DIR", help="Take packages from this folder alone."),
    offline: bool = typer.Option(False, "--offline", help="Use no network: uv's cache and local folders alone."),
    download: str = typer.Option("", "--download", metavar="DIR", help="Fill a wheelhouse instead of installing."),
    rollback: bool = typer.Option(False, "--rollback", help="Put the previous environment back in place."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan and stop."),
    no_smoke: bool = typer.Option(False, "--no-smoke", help="Do not prove the environment by training."),
    no_doctor: bool = typer.Option(False, "--no-doctor", help="Do not judge the machine or the environment."),
    format_: str = typer.Option("text", "--format", "-f", help="Output format: text, json."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Show every package, command and check."),
) -> None:
    """Build a matching environment, judge it, prove it.

    It is built beside the old one, and put in its place only when it is good; whatever fails leaves the old one as it
    was. Exit status: 0 ready, 1 not ready, 2 wrong usage.
    """
    import os
    import sys
    from functools import partial
    from pathlib import Path

    _common.one_of("--format", format_, ("text", "json"))
    _exclude(_given(context))
    _common.need_current_folder()
    _end_as_after_ctrl_c()
    style = _common.style(verbose=verbose)
    say: Callable[[str], None] = (lambda _: None) if format_ == "json" else _common.write
    target = Path(venv or ".venv")
    if rollback:
        from envkit.cli._rollback import roll_back

        result = roll_back(target, style=style, say=say)
        if format_ == "json":
            _common.write_json(result)
        return

    added, left_out = _common.split(with_), _common.split(without)
    wanted = partial(_common.profile_of, profile, add=added, leave_out=left_out)
    if into or system:
        from envkit.cli._into import Into

        _needs_profile(profile, "--into" if into else "--system")
        change = Into(
            profile=wanted(),
            path=into or python or sys.executable,
            system=system,
            wheelhouse=wheelhouse,
            offline=offline,
            doctor=not no_doctor,
            smoke=not no_smoke,
            environ=os.environ,
            style=style,
            say=say,
            progress_to=sys.stderr,
        )
        _run(partial(change.run, dry_run=dry_run), change.result, format_, dry_run=dry_run, verbose=verbose)

    from envkit.cli._machine import Machine
    from envkit.cli._setup import Setup
    from envkit.setup.request import Request

    machine = Machine(target, assume=",".join(assume))
    run = Setup(
        wanted=wanted if profile else None,
        add=added,
        leave_out=left_out,
        machine=machine,
        request=Request(
            python=python,
            extras=_common.split(extras),
            wheelhouse=wheelhouse,
            offline=offline,
            upgrade=upgrade,
        ),
        doctor=not no_doctor,
        smoke=not no_smoke,
        environ=os.environ,
        style=style,
        say=say,
        progress_to=sys.stderr,
    )
    act = run.plan_only if dry_run else run.run
    if download:
        from envkit.cli._download import fill

        act = partial(fill, Path(download), run)
    _run(act, run.result, format_, dry_run=dry_run, verbose=verbose)


def _run(act: Callable[[], int], result: dict[str, object], format_: str, *, dry_run: bool, verbose: bool) -> None:
    """Do it, print what `--format json` is to have, and end with its exit status."""
    import sys

    from envkit.errors import EnvkitError, InputError, SetupError

    failure: EnvkitError | None = None
    try:
        status = act()
    except (SetupError, InputError) as error:
        failure, status = error, error.exit_status
    if format_ == "json":
        whole = {"schema": "envkit.setup/1", "status": "ready" if status == 0 else "not ready", **result}
        whole |= {"error": failure.message, "hint": failure.hint} if failure else {}
        _common.write_json(result["plan"] if dry_run and not failure and "plan" in result else whole)
    if failure:
        if verbose and failure.details:
            _common.write(f"{failure.details.rstrip()}\n", stream=sys.stderr)
        raise failure
    raise typer.Exit(status)


def _given(context: typer.Context) -> list[str]:
    """The options of the command line that say something: ["--into", "--offline"]."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name
        and context.params.get(parameter.name)
        and getattr(context.get_parameter_source(parameter.name), "name", "") == "COMMANDLINE"
    ]


def _exclude(given: list[str]) -> None:
    """Refuse options that would be passed over by one of the ways to set up that are not the usual one."""
    from envkit.errors import InputError

    for way, others in GOES_WITH.items():
        odd = [option for option in given if option not in {way, *others, *EVERYWHERE}]
        if way in given and odd:
            raise InputError(f"{way} does not go with {odd[0]}")


def _needs_profile(profile: str, option: str) -> None:
    from envkit.errors import InputError
    from envkit.profile import available

    if not profile:
        names = ", ".join(found.name for found in available())
        raise InputError(
            f"{option} needs a profile: envkit setup {option} ... --profile NAME", hint=f"there are: {names}"
        )


def _end_as_after_ctrl_c() -> None:
    """A stopped container and a closed session clean up, too."""
    import signal

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
