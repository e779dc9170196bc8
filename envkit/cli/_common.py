"""What several commands share."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import typer

from envkit.errors import CannotTell, InputError

if TYPE_CHECKING:
    from envkit.checks import Check
    from envkit.facts import Facts
    from envkit.findings import FailOn
    from envkit.formats import Style
    from envkit.interpreter import Interpreter
    from envkit.profile import Profile

ASCII = str.maketrans({"✓": "+", "✗": "x", "▲": "!", "→": ">", "·": "*"})
LARGEST_INPUT_BYTES = 64 << 20
DEADLINE_SECONDS = 10.0  # for a driver or a disk to answer
PROFILE_HELP = "Profile to judge by: a name, or a file."
OUTPUT_HELP = "Write that into FILE; stdout has the text."
PYTHON_HELP = "Python to inspect: an interpreter, an environment's folder, or a name on PATH."

T = TypeVar("T")


def new_app(**options: Any) -> typer.Typer:
    """The Typer app of one command, set up as all are."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def complete_profile(incomplete: str) -> list[str]:
    """For the shell: the profiles that a name finds."""
    from envkit.profile import available

    return [found.name for found in available() if found.name.startswith(incomplete)]


def complete_check(incomplete: str) -> list[str]:
    """For the shell: ids of checks."""
    from envkit.checks import discover

    return [check for check in discover() if check.startswith(incomplete)]


def style(*, verbose: bool = False, fail_on: FailOn = "fail") -> Style:
    """Colours only on a terminal, never with NO_COLOR; the width is the terminal's, or COLUMNS."""
    from envkit.formats import Style

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    return Style(width=width, colour=colour, verbose=verbose, fail_on=fail_on)


def write(text: str, stream: TextIO | None = None) -> None:
    """A result, redacted, on stdout unless told otherwise."""
    from envkit.redact import redact

    emit(redact(text), stream)


def emit(text: str, stream: TextIO | None = None) -> None:
    """A result, as it is, flushed to stdout unless told otherwise; where that cannot show envkit's signs, in ASCII."""
    stream = stream or sys.stdout
    try:
        "".join(map(chr, ASCII)).encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        text = text.translate(ASCII)
    stream.write(text)
    stream.flush()


def write_json(value: object) -> None:
    """A result as indented JSON, redacted, on stdout."""
    import msgspec

    write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def need_current_folder() -> None:
    """Refuse to work in a folder that has been removed: uv and relative paths need one."""
    try:
        Path.cwd()
    except OSError as error:
        raise InputError("the current folder does not exist any more", hint="Change to one that does.") from error


def split(names: Sequence[str]) -> list[str]:
    """["a,b", "c"] -> ["a", "b", "c"]."""
    return [part.strip() for name in names for part in name.split(",") if part.strip()]


def one_of(option: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is not among the choices."""
    if value not in choices:
        raise InputError(f"{option}: {value!r} is not one of {', '.join(choices)}")


def capture(
    python: str,
    *,
    deep: bool = False,
    timeout: float = DEADLINE_SECONDS,
    all_within: float | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Facts:
    """The facts of this machine and of the Python that is inspected.

    Args:
        python: which Python, as the user names it; "": the one that is found.
        deep: import its frameworks.
        timeout: seconds for each driver, disk and the like.
        all_within: seconds for everything together instead.
        meanwhile: see `envkit.capture.capture`.
    """
    from envkit.capture import capture as observe

    began = time.monotonic()
    found, target = _within(all_within or timeout, partial(_python_and_environment, python))
    left = None if all_within is None else max(0.1, round(all_within - (time.monotonic() - began), 1))
    return observe(
        python=found,
        target=target,
        deep=deep,
        deadline_seconds=timeout,
        all_within_seconds=left,
        meanwhile=meanwhile,
    )


def _python_and_environment(python: str) -> tuple[Interpreter | None, str]:
    """The Python to inspect, and the folder of the environment that it belongs to, "" if none."""
    from envkit import interpreter

    found = interpreter.find(python or None)
    environment = os.path.dirname(os.path.dirname(found.path)) if found else ""
    return found, environment if os.path.exists(os.path.join(environment, "pyvenv.cfg")) else ""


def _within(seconds: float, look: Callable[[], T]) -> T:
    """What `look` returns or raises, in a thread of its own: it touches file systems, and one of them may hang."""
    answers: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(look())
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in errors:
        raise error
    if not answers:
        raise CannotTell(
            f"no Python to inspect was found within {seconds:g} s",
            hint="a file system hangs: name another with --python",
        )
    return answers[0]


def facts_from(
    file: str,
    python: str,
    *,
    deep: bool,
    timeout: float = DEADLINE_SECONDS,
    all_within: float | None = None,
    meanwhile: Callable[[], object],
) -> Facts:
    """The facts in a file (- is stdin), or of this machine where no file is named."""
    if not file:
        return capture(python, deep=deep, timeout=timeout, all_within=all_within, meanwhile=meanwhile)
    from envkit.facts import decode

    if python or deep:
        raise InputError("--facts judges a file: --python and --deep belong to the `envkit probe` that writes it")
    return decode(_contents(file, hint="expected a file that `envkit probe` wrote"), "stdin" if file == "-" else file)


def facts_read(files: Sequence[str], python: str, *, deep: bool) -> Facts:
    """The facts that envkit's readers find in foreign texts together; - is stdin."""
    from envkit.readers import plain_text, read_all

    if python or deep:
        raise InputError("--from judges texts: --python and --deep look at this machine")
    texts = [plain_text(_contents(file, hint="expected a file with a tool's output")) for file in files]
    return read_all("\n".join(texts), ", ".join("stdin" if file == "-" else file for file in files))


def _contents(file: str, hint: str) -> bytes:
    """The bytes of a file; - is stdin."""
    try:
        with open(file, "rb") if file != "-" else nullcontext(sys.stdin.buffer) as stream:
            content = stream.read(LARGEST_INPUT_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}", hint=hint) from error
    if len(content) > LARGEST_INPUT_BYTES:
        raise InputError(f"{file}: larger than {LARGEST_INPUT_BYTES >> 20} MiB", hint=hint)
    return content


def profile_of(
    name: str,
    facts: Facts | None = None,
    checks: Mapping[str, Check] | None = None,
    *,
    add: Collection[str] = (),
    leave_out: Collection[str] = (),
) -> Profile:
    """The profile asked for; else the one that envkit set the environment up with; else one that expects nothing."""
    from envkit.checks import discover
    from envkit.profile import Profile, load

    made = facts.python.facts.setup if facts and facts.python.facts else None
    names = [name] if name else [made.profile_path, made.profile] if made else []
    if made and name in {"", made.profile}:
        add, leave_out = made.added, made.left_out
    for wanted in filter(None, names):
        try:
            profile = load(wanted, add=add, leave_out=leave_out)
            if not profile.checks:  # most have none: importing every check only to know their names takes a while
                return profile
            known = {check.id: check.thresholds for check in (checks or discover()).values()}
            return load(wanted, checks=known, add=add, leave_out=leave_out)
        except InputError:  # noqa: PERF203 - an environment's profile may have gone, or be elsewhere: try its name
            if name:
                raise
    return Profile()
