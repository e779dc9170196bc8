"""Which Python is inspected: the one asked for, else the one a training script would most likely run in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from envkit.errors import InputError

LOOKED_AT = "$VIRTUAL_ENV, $CONDA_PREFIX, ./.venv, python3 and python on PATH"


@dataclass(frozen=True)
class Interpreter:
    """A Python to inspect."""

    path: str
    """Absolute; a link is kept, for it is what tells a virtual environment from its base."""
    how: str
    """How envkit came to it: "--python", "$VIRTUAL_ENV", "./.venv", "python3 on PATH"."""


def find(
    python: str | None = None, *, environ: Mapping[str, str] | None = None, folder: str = "."
) -> Interpreter | None:
    """The Python to inspect; None where there is none.

    Args:
        python: what the user asks for: a file, the folder of an environment, or a name on PATH.
        environ: the environment variables; None takes ours.
        folder: the working directory, where a `.venv` may be.

    Raises:
        InputError: `python` is not there or cannot be run.
    """
    environ = os.environ if environ is None else environ
    if python is not None:
        return Interpreter(_asked_for(python, environ), "--python")
    places = {
        "$VIRTUAL_ENV": environ.get("VIRTUAL_ENV"),
        "$CONDA_PREFIX": environ.get("CONDA_PREFIX"),
        "./.venv": os.path.join(folder, ".venv"),
    }
    order = list(places)
    if _is_ours(
        places["$VIRTUAL_ENV"]
    ):  # active only because envkit was started from it: the project's own comes first
        order = sorted(order, key="./.venv".__ne__)
    for how in order:
        place = places[how]
        path = in_environment(place) if place else ""
        # One whose Python is gone is taken all the same: passing over it in silence would hide what is wrong.
        if _runs(path) or (place and os.path.isfile(os.path.join(place, "pyvenv.cfg"))):
            return Interpreter(path, f"{how}, envkit's own environment" if _is_ours(place) else how)
    for name in ("python3", "python"):
        path = _on_path(name, environ)
        if path:
            own = _is_ours(os.path.dirname(os.path.dirname(path)))
            return Interpreter(path, f"{name} on PATH, envkit's own environment" if own else f"{name} on PATH")
    return None


def in_environment(folder: str) -> str:
    """The absolute path of the interpreter of a virtual or conda environment, whether it is there or not."""
    folder = _absolute(folder)
    if os.name != "nt":
        return os.path.join(folder, "bin", "python")
    inner = os.path.join(folder, "Scripts", "python.exe")
    return inner if os.path.exists(inner) else os.path.join(folder, "python.exe")


def _asked_for(python: str, environ: Mapping[str, str]) -> str:
    if os.path.isdir(python):
        path = in_environment(python)
        _refuse_dangling(python, path)
        if not os.path.exists(path):
            inside = os.path.relpath(path, python)
            raise InputError(f"--python {python}: this folder is no environment: it has no {inside}")
    elif os.path.lexists(python) or os.path.dirname(python):
        path = _absolute(python)
        _refuse_dangling(python, path)
        if not os.path.exists(path):
            raise InputError(f"--python {python}: no such file")
    else:
        path = _on_path(python, environ)
        if not path:
            raise InputError(f"--python {python}: no such file, and no such command on PATH")
    if not _runs(path):
        raise InputError(f"--python {python}: {path} is not an executable file")
    return path


def _refuse_dangling(python: str, path: str) -> None:
    """An environment outlives the Python it was made from, as a link that leads nowhere."""
    if os.path.islink(path) and not os.path.exists(path):
        target = os.path.realpath(path)
        raise InputError(
            f"--python {python}: the Python that this environment was made from is gone: {target}",
            hint="make the environment anew: envkit setup --profile NAME --venv DIR",
        )


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory has been removed
        return path


def _on_path(name: str, environ: Mapping[str, str]) -> str:
    import shutil  # noqa: PLC0415 - slow, and not needed where an environment is found

    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    return _absolute(found) if found else ""


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _is_ours(folder: str | None) -> bool:
    """It is the environment that envkit itself runs in."""
    return bool(folder) and os.path.realpath(folder or "") == os.path.realpath(sys.prefix)
