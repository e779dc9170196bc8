"""Changing a Python in place, so that it can be undone: what is replaced is set aside, what is new is written down.

The journal lies in `<root>/.envkit-undo`. It is whole before anything is touched, and its removal is what makes a
change final; so whoever finds one finds a change that was cut short, and undoes it.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from envkit.errors import SetupError

FOLDER = ".envkit-undo"
FILE = "journal.json"


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to the files of a Python; all paths are absolute."""

    replaced: list[str]
    """Files that are set aside."""
    new: list[str]
    """Files that may come to be."""
    installer: list[str]
    """The command that changes them: one that outlived its run is ended before anything is undone."""


def recorded(metadata: Path) -> list[Path]:
    """The files of an installed distribution, by its RECORD (PEP 376); with what Python compiled of them.

    Raises:
        SetupError: RECORD cannot be read.
    """
    try:
        rows = list(csv.reader((metadata / "RECORD").read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SetupError(f"{metadata / 'RECORD'} cannot be read: {error}") from error
    files = [Path(os.path.normpath(metadata.parent / row[0])) for row in rows if row]
    return [*files, *(compiled for file in files if file.suffix == ".py" for compiled in _compiled(file))]


def begin(root: Path, journal: Journal) -> None:
    """Write the journal, then set aside what is to be replaced.

    Raises:
        SetupError: something cannot be written or moved.
    """
    folder = root / FOLDER
    try:
        folder.mkdir()
        draft = folder / "draft"
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(journal))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / FILE)
        for path in filter(os.path.lexists, journal.replaced):
            aside = _aside(folder, path)
            aside.parent.mkdir(parents=True, exist_ok=True)
            os.rename(path, aside)  # and not a copy: owner, times and links stay, and it costs nothing
        _remove_empty(journal.replaced)
    except OSError as error:
        raise SetupError(f"what is to be replaced cannot be set aside in {folder}: {error}") from error


def finish(root: Path) -> None:
    """The change is final: forget what it replaced."""
    (root / FOLDER / FILE).unlink()
    shutil.rmtree(root / FOLDER, ignore_errors=True)


def unfinished(root: Path) -> bool:
    """Whether a change was cut short."""
    return (root / FOLDER).exists()


def undo(root: Path) -> bool:
    """Undo a change that was cut short, however far it had come; whether there was one.

    Raises:
        SetupError: something cannot be put back; the journal stays, and it can be tried again.
    """
    folder = root / FOLDER
    try:
        journal = msgspec.json.decode((folder / FILE).read_bytes(), type=Journal)
    except FileNotFoundError:  # nothing had been touched, or all was final
        shutil.rmtree(folder, ignore_errors=True)
        return False
    except (OSError, msgspec.DecodeError) as error:
        raise SetupError(f"{folder / FILE} cannot be read: {error}") from error
    _end(journal.installer)
    replaced = set(journal.replaced)
    try:
        for path in journal.new:
            for file in [Path(path), *_compiled(Path(path))] if path not in replaced else ():
                file.unlink(missing_ok=True)
        _remove_empty(journal.new)
        for path in journal.replaced:
            aside = _aside(folder, path)
            if os.path.lexists(aside):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(aside, path)
    except OSError as error:
        raise SetupError(f"{root} could not be put back as it was: {error}", hint="Run again, as its owner.") from error
    finish(root)
    return True


def _aside(folder: Path, path: str) -> Path:
    return folder / "files" / path.lstrip("/")


def _compiled(file: Path) -> Iterator[Path]:
    return (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc")


def _remove_empty(paths: Iterable[str]) -> None:
    """Remove the folders of files that are gone, from the innermost, as far as nothing else is in them."""
    folders = {folder for path in paths for folder in _around(Path(path))}
    for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _around(path: Path) -> Collection[Path]:
    """The folders of a package that a file lies in, with the bytecode's: those below site-packages."""
    inner: list[Path] = []
    for folder in path.parents:
        if folder.name in {"site-packages", "dist-packages"}:
            return [path.parent / "__pycache__", *inner]
        inner.append(folder)
    return []


def _end(installer: list[str]) -> None:
    """Kill the installer of a run that was killed."""
    import psutil  # noqa: PLC0415 - only after a crash

    for process in psutil.process_iter(["cmdline"]):
        if installer and process.info["cmdline"] == installer:
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(5)
