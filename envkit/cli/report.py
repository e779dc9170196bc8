"""`envkit report`: facts, verdict and smoke in one redacted file, to attach to an issue."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from envkit.cli import _common
from envkit.errors import EnvkitError, InputError

if TYPE_CHECKING:
    from envkit.profile import Profile
    from envkit.smoke.types import SmokeReport

FILE = "envkit-report.md"
LONGEST_COMMENT = 65_536  # characters, of GitHub's
app = _common.new_app()


@app.command()
def report(
    output: str = typer.Option(FILE, "--output", "-o", metavar="FILE", help="Where to write it; - is stdout."),
    profile: str = typer.Option(
        "", "--profile", "-p", help=_common.PROFILE_HELP, autocompletion=_common.complete_profile
    ),
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP),
    deep: bool = typer.Option(False, "--deep", help="Also import each framework and ask it what it sees."),
    smoke: bool = typer.Option(True, "--smoke/--no-smoke", help="Train the reference networks, too."),
    timeout: float = typer.Option(
        10.0, "--timeout", min=0.1, max=86400, help="Seconds that a driver or a disk may take to answer."
    ),
) -> None:
    """Write facts, verdict and smoke of this machine into one file, without secrets and names, for an issue.

    Nothing is sent anywhere. `envkit doctor --from FILE` judges the file.

    Exit status: 0 it is written, whatever the verdict; 2 wrong usage, or it cannot be written.
    """
    from envkit import knowledge
    from envkit.checks import discover
    from envkit.doctor import examine
    from envkit.redact import Redactor, identity
    from envkit.report.facts import redacted
    from envkit.report.markdown import listed, render

    if output != "-":
        _check(output)
    observed = _common.capture(python, deep=deep, timeout=timeout)
    checks = discover()
    expected = _common.profile_of(profile, observed, checks)
    trained, why = _train(python, expected) if smoke else (None, "--no-smoke")
    names = Redactor(identity())
    facts = redacted(observed, names)
    trained = redacted(trained, names) if trained else None
    judged = redacted(examine(facts, expected, knowledge.load(), checks), names, strict=False)
    text = render(judged, facts, trained, names.text(why), names.removed())
    if output == "-":
        sys.stdout.write(text)
        return
    _write(output, text)
    _common.write(f"{output}: {judged.headline}\nRemoved: {listed(names.removed())}. Nothing was sent anywhere.\n")
    if len(text) > LONGEST_COMMENT:
        _common.write(f"It has {len(text):,} characters: attach it, a comment at GitHub takes {LONGEST_COMMENT:,}.\n")


def _train(python: str, profile: Profile) -> tuple[SmokeReport | None, str]:
    """What smoke says, or why it says nothing: a report is wanted most where something does not work."""
    from envkit import interpreter
    from envkit.cli._training import train

    found = interpreter.find(python or None)
    if not found:
        return None, "no Python to train with was found"
    try:
        return train(found, lambda _: profile), ""
    except EnvkitError as error:
        return None, error.args[0]


def _check(output: str) -> None:
    """Raise InputError where no file can be made, before minutes are spent on what is to be in it."""
    folder = os.path.dirname(output) or "."
    if os.path.isdir(output):
        raise InputError(f"--output {output}: this is a folder", hint="name a file in it")
    if os.path.lexists(output):
        raise InputError(f"{output} exists already", hint="name another file with --output, or remove it")
    if not os.path.isdir(folder):
        raise InputError(f"--output {output}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--output {output}: {folder} may not be written to", hint="--output - writes to stdout")


def _write(output: str, text: str) -> None:
    """A new file that only this user can read, whole or not at all."""
    try:
        number = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(number, "w", encoding="utf-8", errors="replace", newline="\n") as file:
                file.write(text)
        except BaseException:
            os.unlink(output)
            raise
    except OSError as error:
        raise InputError(f"--output {output}: {error.strerror or error}") from error
