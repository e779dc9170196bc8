"""Where a report goes: to stdout, into a file (--output), and to the summary of a GitHub Actions step."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from envkit.cli import _common
from envkit.errors import InputError
from envkit.facts import Facts
from envkit.findings import Report
from envkit.formats import Style, find, refuse_unknown

SUMMARY = "GITHUB_STEP_SUMMARY"
SUMMARY_BYTES = 1 << 20  # of all that a step appends; GitHub drops the whole of a larger one
_NAMES = {"schema", "check", "area", "status", "who", "caused_by"}  # words of envkit's own

Show = Callable[[Report, Facts], None]


def printer(format_: str, output: str, style: Style) -> Show:
    """What prints a report in a format; with a file as output, that has it, and stdout the text.

    Raises:
        InputError: there is no such format, or no file can be written there.
    """
    refuse_unknown(format_)
    if output:
        refuse_unwritable(output)

    def show(report: Report, facts: Facts) -> None:
        report = redacted(report)
        written = find(format_).render(report, replace(style, colour=style.colour and not output), facts)
        text = find("text").render(report, style, facts) if output else ""
        deliver(written, text, output)
        if format_ == "github":
            summarise(find("markdown").render(report, style, facts))

    return show


def deliver(written: str, text: str, output: str) -> None:
    """Print what was written; or with a file as output write it there, and print the text.

    Raises:
        InputError: the file cannot be written.
    """
    _common.emit(text if output else written)
    if output:
        write_file(output, written)


def redacted(report: Report) -> Report:
    """The report without what must not get out: before a format escapes its texts, so that no escape is torn."""
    from envkit.redact import Redactor, identity

    built = msgspec.to_builtins(report)
    clean = Redactor(identity()).texts(list(_texts(built)))
    return msgspec.convert(_with_texts(built, iter(clean)), Report)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        if key not in _NAMES:
            yield from _texts(inner)


def _with_texts(value: Any, texts: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, list):
        return [_with_texts(inner, texts) for inner in value]
    if isinstance(value, dict):
        return {key: inner if key in _NAMES else _with_texts(inner, texts) for key, inner in value.items()}
    return value


def refuse_unwritable(path: str) -> None:
    """Before minutes are spent on what cannot be written then.

    Raises:
        InputError: there is no such folder, or it may not be written into.
    """
    _common.need_current_folder()
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        raise InputError(f"--output {path}: this is a folder", hint="name a file in it")
    if not os.path.isdir(folder):
        raise InputError(f"--output {path}: there is no folder {os.path.dirname(path) or folder}")
    if not os.access(path if _special(path) else folder, os.W_OK):
        raise InputError(f"--output {path}: it may not be written there", hint=f"see `ls -ld {folder}`")


def _special(path: str) -> bool:
    """Whether it is there and no ordinary file: /dev/stdout, a pipe."""
    return os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)


def write_file(path: str, text: str) -> None:
    """Write the whole file or leave what is there: a collector of metrics may read at any moment.

    A new file gets the mode that the umask gives, an old one keeps its own.

    Raises:
        InputError: it cannot be written.
    """
    content = text.encode(errors="replace")
    real = os.path.realpath(path)
    aside = os.path.join(os.path.dirname(real), f".{os.path.basename(real)[:200]}.{os.urandom(4).hex()}")
    try:
        if _special(path):
            with open(path, "wb") as stream:
                stream.write(content)
            return
        mode = stat.S_IMODE(os.stat(real).st_mode) if os.path.exists(real) else None
        try:
            with open(aside, "xb") as stream:
                stream.write(content)
                if mode is not None:
                    os.fchmod(stream.fileno(), mode)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(aside, real)
        finally:
            if os.path.lexists(aside):
                os.unlink(aside)
    except OSError as error:
        raise InputError(f"--output {path}: {error.strerror or error}") from error


def summarise(markdown: str) -> None:
    """Append to the summary of the GitHub step, if this is one; a line says where that fails: the verdict stands."""
    path = os.environ.get(SUMMARY)
    if not path:
        return
    content = markdown.encode(errors="replace") + b"\n"
    try:
        there = os.path.getsize(path) if os.path.exists(path) else 0
        why_not = f"it would grow over {SUMMARY_BYTES >> 20} MiB" if there + len(content) >= SUMMARY_BYTES else ""
        if not why_not:
            with open(path, "ab") as stream:
                stream.write(content)
    except OSError as error:
        why_not = error.strerror or str(error)
    if why_not:
        sys.stderr.write(f"warning: {SUMMARY}: the step summary is not written: {why_not}\n")
