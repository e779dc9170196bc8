"""`envkit doctor`: can this machine train, and why not."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

from envkit.cli import _common
from envkit.errors import InputError
from envkit.findings import FailOn

if TYPE_CHECKING:
    from envkit.checks import Check
    from envkit.knowledge import Knowledge

app = _common.new_app()


@app.command()
def doctor(
    profile: str = typer.Option(
        "", "--profile", "-p", help=_common.PROFILE_HELP, autocompletion=_common.complete_profile
    ),
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP),
    facts: str = typer.Option(
        "", "--facts", help="Judge this file of `envkit probe` instead of the machine; - is stdin."
    ),
    from_: list[str] = typer.Option(
        [],
        "--from",
        metavar="FILE...",
        help="Judge what tools printed (nvidia-smi, dmesg, collect_env ...); - is stdin.",
    ),
    more: list[str] = typer.Argument(None, metavar="[FILE]...", hidden=True),
    deep: bool = typer.Option(False, "--deep", help="Also import each framework and ask it what it sees."),
    select: list[str] = typer.Option(
        [],
        "--select",
        help="Only these checks or areas (repeat, or separate by commas).",
        autocompletion=_common.complete_check,
    ),
    ignore: list[str] = typer.Option(
        [], "--ignore", help="Not these checks or areas.", autocompletion=_common.complete_check
    ),
    phase: str = typer.Option(
        "",
        "--phase",
        metavar="build|run",
        help="Judge an image where it is built, or the rest where a container starts.",
    ),
    assume: list[str] = typer.Option(
        [], "--assume", metavar="FACTS", help="With --phase build: the machine to come, driver=570,gpu=H100."
    ),
    fix: bool = typer.Option(False, "--fix", help="Do what is safe about the problems, and say what is left to do."),
    dry_run: bool = typer.Option(False, "--dry-run", help="With --fix: say it and do nothing."),
    fail_on: FailOn = typer.Option("fail", "--fail-on", help="Exit 1 at: fail, warn, never."),
    format_: str = typer.Option(
        "text",
        "--format",
        "-f",
        help="text, json, junit, github, markdown, prometheus.",
    ),
    output: str = typer.Option("", "--output", metavar="FILE", help=_common.OUTPUT_HELP),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Show every check."),
    timeout: float | None = typer.Option(
        None,
        "--timeout",
        min=0.1,
        max=86400,
        help="Seconds for the whole run; else 10 for a driver or a disk, 120 for each import of --deep.",
    ),
) -> None:
    """Say whether this machine can train, and why not.

    Changes nothing without --fix; --phase build leaves a file in the environment that says what waits for the machine.
    Exit status: 0 healthy, 1 a problem, 2 wrong usage, 3 could not tell.
    """
    from envkit.cli import _output

    if more and not from_:
        raise InputError(f"got unexpected extra argument {more[0]!r}", hint="a text is judged with --from FILE")
    if fix and (facts or from_):
        raise InputError("--fix mends this machine: it does not go with --facts or --from")
    if dry_run and not fix:
        raise InputError("--dry-run belongs to --fix")
    if facts and from_:
        raise InputError("--facts and --from exclude each other", hint="--from reads facts, too")
    style = _common.style(verbose=verbose, fail_on=fail_on)
    show = _output.printer(format_, output, style)
    if assume and not phase:
        raise InputError("--assume belongs to --phase build")
    if phase:
        from envkit.cli._phases import PHASES, Phase

        _common.one_of("--phase", phase, PHASES)
        if facts or from_ or deep or select or fix:
            raise InputError("--phase does not go with --facts, --from, --deep, --select or --fix")
        course = Phase(
            profile=profile,
            python=python,
            assume=",".join(assume),
            ignore=_common.split(ignore),
            fail_on=fail_on,
            within_seconds=timeout,
            show=show,
            # What is printed for programs stays whole.
            say=partial(_common.write, stream=sys.stdout if output or format_ == "text" else sys.stderr),
        )
        raise typer.Exit(course.judge(phase))
    prepared: list[tuple[dict[str, Check], Knowledge]] = []
    if from_:
        observed = _common.facts_read([*from_, *(more or [])], python, deep=deep)
    else:
        observed = _common.facts_from(
            facts, python, deep=deep, all_within=timeout, meanwhile=lambda: prepared.append(_prepare())
        )
    checks, tables = prepared[0] if prepared else _prepare()
    from envkit.doctor import examine, exit_status

    expected = _common.profile_of(profile, observed, checks)
    judge = partial(
        examine,
        profile=expected,
        knowledge=tables,
        checks=checks,
        select=_common.split(select),
        ignore=_common.split(ignore),
    )
    report = judge(observed)
    show(report, observed)
    if fix:
        from envkit.cli._fix import Fix

        # What is printed for programs stays whole.
        say = partial(_common.write, stream=sys.stdout if output or format_ == "text" else sys.stderr)
        mending = Fix(report, observed, expected, judge, deep=deep, style=style, say=say, progress_to=sys.stderr)
        raise typer.Exit(mending.run(dry_run=dry_run))
    raise typer.Exit(exit_status(report, fail_on))


def _prepare() -> tuple[dict[str, Check], Knowledge]:
    """Import and read what judging and printing need, while the inspected Python answers."""
    from envkit import doctor, knowledge, redact  # noqa: F401
    from envkit.checks import discover
    from envkit.formats import text  # noqa: F401
    from envkit.profile import convert  # noqa: F401

    tables = knowledge.load()
    _ = tables.known_bad  # asked in every run
    return discover(), tables
