"""`envkit setup`: plan, build, judge, prove, put in place."""

from __future__ import annotations

import typer

from envkit.cli import _common

app = _common.new_app()


@app.command()
def setup(
    profile: str = typer.Option(
        "",
        "--profile",
        "-p",
        help="What to install: a profile's name, or a file.",
        autocompletion=_common.complete_profile,
    ),
    venv: str = typer.Option(".venv", "--venv", help="Folder of the environment."),
    python: str = typer.Option("", "--python", help="Python to build on: a version (3.12) or a path."),
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
    import signal
    import sys
    from pathlib import Path

    from envkit.cli._setup import Setup
    from envkit.errors import EnvkitError, InputError, SetupError
    from envkit.profile import available

    _common.one_of("--format", format_, ("text", "json"))
    if not profile:
        names = ", ".join(found.name for found in available())
        raise InputError("setup needs a profile: envkit setup --profile NAME", hint=f"there are: {names}")
    for name in ("SIGTERM", "SIGHUP"):  # a stopped container, a closed session: clean up as after Ctrl-C
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    run = Setup(
        profile=_common.profile_of(profile),
        target=Path(venv),
        python=python,
        doctor=not no_doctor,
        smoke=not no_smoke,
        environ=os.environ,
        style=_common.style(verbose=verbose),
        say=(lambda _: None) if format_ == "json" else _common.write,
        progress_to=sys.stderr,
    )
    failure: EnvkitError | None = None
    try:
        status = run.plan_only() if dry_run else run.run()
    except (SetupError, InputError) as error:
        failure, status = error, error.exit_status
    if format_ == "json":
        result = {"schema": "envkit.setup/1", "status": "ready" if status == 0 else "not ready", **run.result}
        _common.write_json(run.result["plan"] if dry_run and not failure else result)
    if failure:
        raise failure
    raise typer.Exit(status)
