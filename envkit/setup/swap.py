"""Environments change places in one atomic step; what a dead run left is cleared away, or brought to its end.

At any moment of a run one of these holds, and `clear_leftovers` knows which:

- the folder beside the target has a marker: it is unfinished, and goes;
- the target has the marker: it has changed places with the folder beside it, which becomes the previous one;
- the previous one has a marker: its removal was cut short, and goes on;
- the target is gone, as it is between two renames where the file system cannot exchange: the environment beside it,
  marked as finished or, on the way back, not marked at all, takes its place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from envkit import harness
from envkit.errors import SetupError
from envkit.setup.plan import building_folder, previous_folder

MARKER = ".envkit-building"
"""Only a folder that carries this file is ever removed as a leftover."""
FINISHED = "finished"
"""What the marker says of an environment that may take the place of a target that is gone."""
INSTALLERS = {"uv", "cp", "find", "rm", "chown", "sync"}
"""Programs that a plan runs."""
AT_FDCWD = -100  # fcntl.h
RENAME_EXCHANGE = 2  # linux/fs.h
FLUSH_SECONDS = 10.0
"""So long the disk may take to write the new environment; a busy one writes on after that."""


def start_building(target: Path) -> Path:
    """A new folder beside the target, marked as envkit's own.

    Raises:
        SetupError: it cannot be made, or something that is not envkit's is in its place.
    """
    building = building_folder(target)
    clear_leftovers(target)
    try:
        building.mkdir(parents=True)
        (building / MARKER).touch()
    except OSError as error:
        with contextlib.suppress(OSError):
            building.rmdir()
        raise SetupError(f"{building} cannot be made: {error.strerror}") from error
    return building


def drop(building: Path) -> None:
    """Remove an unfinished environment; never anything that is not marked as one."""
    if (building / MARKER).is_file():
        _end_installers(building)
    _remove(building)


def clear_leftovers(target: Path) -> None:
    """Remove what a run that was killed left beside the target; finish a replacement that it had begun.

    Raises:
        SetupError: what lies there is not envkit's, or cannot be removed.
    """
    building, previous = building_folder(target), previous_folder(target)
    gone = not is_environment(target)
    if (building / MARKER).is_file():
        if gone and (building / MARKER).read_text() == FINISHED:
            building.rename(target)
    elif is_environment(building):
        if gone:
            building.rename(target)
        elif (target / MARKER).is_file() or not previous.exists():
            _keep_as_previous(building, target)
    drop(building)
    _remove(previous)
    (target / MARKER).unlink(missing_ok=True)
    if building.exists():
        raise SetupError(f"{building} is in the way", hint="It is not envkit's, or cannot be removed: move it away.")


def is_environment(folder: Path) -> bool:
    """Whether a folder is an environment, of venv or of conda."""
    return any((folder / name).is_file() for name in ("pyvenv.cfg", "conda-meta/history"))


def put_in_place(target: Path) -> None:
    """Make the new environment the target's; the old one, if any, becomes `<target>.previous`."""
    building = building_folder(target)
    flush(building)
    with _unbroken():
        if not is_environment(target):
            building.rename(target)  # an empty folder there is replaced
        elif _exchange(building, target):
            _keep_as_previous(building, target)
        else:
            (building / MARKER).write_text(FINISHED)
            _keep_as_previous(target, target)
            try:
                building.rename(target)
            except OSError:
                previous_folder(target).rename(target)
                raise
        (target / MARKER).unlink(missing_ok=True)  # last: until then it says what became of the old one


def change_places(target: Path) -> None:
    """The previous environment becomes the target's, the target's the previous one."""
    previous, between = previous_folder(target), building_folder(target)
    with _unbroken():
        if not is_environment(target):
            previous.rename(target)
        elif not _exchange(previous, target):
            target.rename(between)
            try:
                previous.rename(target)
            except OSError:
                between.rename(target)
                raise
            between.rename(previous)


@contextlib.contextmanager
def _unbroken() -> Iterator[None]:
    """Past the point of no return: Ctrl-C and its like come too late, and may not come between two renames."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _keep_as_previous(old: Path, target: Path) -> None:
    previous = previous_folder(target)
    if previous.exists():  # an environment: check_target refuses anything else
        (previous / MARKER).touch()
        _remove(previous)
    old.rename(previous)


def _remove(folder: Path) -> None:
    """Remove a folder that is marked or empty.

    The marker goes last: were we killed in between, the next run still knows whose it is.
    """
    if (folder / MARKER).is_file():
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != MARKER:
                entry.unlink()
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def flush(folder: Path) -> None:
    """Have the disk write what the folder holds: after a power cut a rename may be there before the files it is about.

    A child, and not os.sync: nothing interrupts a call that waits for a busy disk or a server that is gone.
    """
    harness.run(["sync", "-f", str(folder)], deadline_seconds=FLUSH_SECONDS)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step (renameat2, Linux 3.15); False where kernel or file system cannot."""
    import ctypes  # noqa: PLC0415 - only where something is replaced

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        return False
    raise SetupError(f"{second} cannot be replaced: {os.strerror(number)}")


def _end_installers(building: Path) -> None:
    """Kill an installer that outlived the run that started it and still writes there."""
    import psutil  # noqa: PLC0415 - only after a crash

    for process in psutil.process_iter(["cmdline"]):
        argv = process.info["cmdline"] or [""]
        ours = Path(argv[0]).name in INSTALLERS and any(word.startswith(str(building)) for word in argv)
        if ours or argv[0].startswith(f"{building}/"):
            with contextlib.suppress(psutil.Error):
                process.kill()
                # Where nobody reaps orphans (a container without an init) it stays, as a zombie that writes no more.
                for _ in range(250):
                    if process.status() == psutil.STATUS_ZOMBIE:
                        break
                    time.sleep(0.02)
