"""The entry point: `envkit` and `python -m envkit`. Errors are caught here, once."""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # LANG=C, a Windows code page: better a "?" than a traceback
            stream.reconfigure(errors="replace")
    status = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `envkit probe | head`
        status = status or 1
    sys.stderr.flush()
    # A probe that hangs lives on in a daemon thread, perhaps inside a driver: do not wait for it at exit.
    os._exit(status)


def _run() -> int:
    """Run the command line and return its exit status; whatever goes wrong becomes one line."""
    import typer  # noqa: PLC0415 - a broken installation is reported below, too

    from envkit.cli import app  # noqa: PLC0415
    from envkit.errors import EnvkitError  # noqa: PLC0415

    try:
        return int(app(prog_name="envkit", standalone_mode=False) or 0)
    except EnvkitError as error:
        _say(f"error: {error.message}", error.hint)
        return error.exit_status
    except (typer.Abort, KeyboardInterrupt):
        _say("interrupted")
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if hasattr(error, "format_message"):  # click's, of which some releases of Typer have a copy of their own
            return _usage(error)
        if os.environ.get("ENVKIT_TRACEBACK"):
            raise
        _say(
            f"error: envkit itself failed: {type(error).__name__}: {error}",
            "ENVKIT_TRACEBACK=1 shows where; please report it with the output of `envkit probe`",
        )
        return 3


def _usage(error: Any) -> int:
    """Wrong usage: one line, and where to read on; or the help that a command without arguments prints."""
    message = error.format_message()
    if "\n" in message:
        sys.stderr.write(message + "\n")
    else:
        command = error.ctx.command_path if getattr(error, "ctx", None) else "envkit"
        _say(f"error: {message}", f"`{command} --help` shows what there is")
    return 2


def _say(line: str, hint: str = "") -> None:
    from envkit.redact import redact  # noqa: PLC0415 - only when something is wrong

    sys.stderr.write(redact(line) + "\n" + (f"  hint: {redact(hint)}\n" if hint else ""))


if __name__ == "__main__":
    main()
