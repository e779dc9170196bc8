"""Putting a finished environment in place in one atomic step, and clearing away what a dead run left."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from pathlib import Path

from envkit.errors import SetupError
from envkit.setup.plan import building_folder, previous_folder

MARKER = ".envkit-building"
"""Only a folder that carries this file is ever removed as a leftover."""
INSTALLERS = {"uv", "cp", "find", "rm", "chown"}
"""Programs that a plan runs."""
AT_FDCWD = -100  # fcntl.h
RENAME_EXCHANGE = 2  # linux/fs.h


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
        # The marker goes last: were we killed in between, the next run still knows whose it is.
        for entry in building.iterdir():
            if entry.name != MARKER:
                shutil.rmtree(
                    entry, ignore_errors=True
                ) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        shutil.rmtree(building, ignore_errors=True)


def clear_leftovers(target: Path) -> None:
    """Remove what a run that was killed left beside the target; finish a replacement that it had begun."""
    building = building_folder(target)
    (target / MARKER).unlink(missing_ok=True)  # killed just after the exchange
    if (building / MARKER).is_file():
        _end_installers(building)
        drop(building)
    elif (building / "pyvenv.cfg").is_file():  # the old environment, exchanged but not yet given its name
        _keep_as_previous(building, target)
    else:
        with contextlib.suppress(OSError):
            building.rmdir()  # killed before the marker was written
    if building.exists():
        raise SetupError(f"{building} is in the way", hint="It is not envkit's, or cannot be removed: move it away.")


def put_in_place(target: Path) -> None:
    """Make the new environment the target's; the old one, if any, becomes `<target>.previous`."""
    building = building_folder(target)
    if (target / "pyvenv.cfg").is_file():
        if not _exchange(building, target):
            _keep_as_previous(target, target)
            try:
                building.rename(target)
            except BaseException:
                previous_folder(target).rename(target)
                raise
        (target / MARKER).unlink(missing_ok=True)
        if building.exists():
            _keep_as_previous(building, target)
    else:
        building.rename(target)  # an empty folder there is replaced
        (target / MARKER).unlink(missing_ok=True)


def _keep_as_previous(old: Path, target: Path) -> None:
    previous = previous_folder(target)
    if previous.exists():  # an environment: check_target refuses anything else
        (previous / MARKER).touch()
        drop(previous)
    old.rename(previous)


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
