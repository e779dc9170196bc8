"""The entry point: `envkit` and `python -m envkit`. Errors are caught here, once."""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: `envkit doctor >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the end
        elif hasattr(stream, "reconfigure"):  # LANG=C, a Windows code page: better a "?" than a traceback
            stream.reconfigure(errors="replace")
    try:
        status = _run()
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - this is where every error ends
        status = _explain(error)
    # A probe that hangs lives on in a daemon thread, perhaps inside a driver: do not wait for it at exit.
    os._exit(status)


def _run() -> int:
    from envkit.cli import app  # noqa: PLC0415 - a torn installation is explained, too

    status = int(app(prog_name="envkit", standalone_mode=False) or 0)
    if status == 130:  # what Typer makes of Ctrl-C
        raise KeyboardInterrupt
    return status


def _explain(error: BaseException) -> int:
    """Say in a line what went wrong, and return the exit status.

    Errors are told by their attributes: their classes are envkit's, or those of the copy of click that some releases
    of Typer carry, and importing either may be what failed.
    """
    if isinstance(error, KeyboardInterrupt):
        return _say("interrupted", status=130)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, BrokenPipeError):  # `envkit probe | head`
        return 1
    if hasattr(error, "exit_status"):
        return _say(f"error: {error}", getattr(error, "hint", ""), status=error.exit_status)
    if hasattr(error, "format_message"):
        return _usage(error)
    if isinstance(error, OSError) and error.filename is None:  # the stream, not a file
        return _say(f"error: the output cannot be written: {error.strerror}", status=1)
    if os.environ.get("ENVKIT_TRACEBACK"):
        raise error
    return _say(
        f"error: envkit itself failed: {type(error).__name__}: {error}",
        "ENVKIT_TRACEBACK=1 shows where; please report it with the output of `envkit probe`",
        status=3,
    )


def _usage(error: Any) -> int:
    """Wrong usage: one line, and where to read on; or the help that a command without arguments prints."""
    message = error.format_message()
    if "\n" in message:
        sys.stderr.write(message + "\n")
        return 2
    command = error.ctx.command_path if getattr(error, "ctx", None) else "envkit"
    return _say(f"error: {message}", f"`{command} --help` shows what there is", status=2)


def _say(line: str, hint: str = "", *, status: int) -> int:
    from envkit.redact import plain, redact  # noqa: PLC0415 - only when something is wrong

    lines = [*line.split("\n"), *([f"  hint: {hint}"] if hint else [])]  # a profile may have several things wrong
    sys.stderr.write("".join(f"{plain(redact(text))}\n" for text in lines))
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    main()
