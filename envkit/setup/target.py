"""The folder that an environment is to be in: what is refused before anything is touched, and who may work on it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from envkit.errors import InputError, SetupError
from envkit.setup.plan import building_folder, previous_folder
from envkit.setup.swap import MARKER, is_environment


def check_target(venv: Path, *, conda: bool = False) -> tuple[Path, bool]:
    """The absolute path to build for, and whether an environment is there to be replaced. Touches nothing.

    Args:
        venv: the path as it was given.
        conda: an environment of conda may be replaced, too.

    Raises:
        InputError: something else is there, envkit itself runs from there, or the folder around it is not writable.
    """
    try:
        return _checked(venv.expanduser().absolute(), conda=conda)
    except (OSError, RuntimeError) as error:  # RuntimeError: "~" of a user that there is not
        reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        raise InputError(f"{venv} cannot be looked at: {reason}", hint="Choose another folder with --venv.") from error


def _checked(target: Path, *, conda: bool) -> tuple[Path, bool]:
    if target.is_symlink():
        if not is_environment(target):
            raise InputError(f"{target} is a symbolic link to something that is no environment")
        target = target.resolve()
    target = Path(os.path.normpath(target))
    replaces = _replaces(target, conda=conda)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.lstat(building_folder(target))  # a name may be too long with what is appended to it
    if target == Path(sys.prefix).resolve():
        raise InputError(
            f"envkit itself runs from {target}, and would replace itself", hint="Choose another folder with --venv."
        )
    if target.is_mount():
        raise InputError(f"{target} is a mount point, which cannot be replaced", hint="Choose a folder inside it.")
    around = existing_folder(target.parent)
    if not around.is_dir():
        raise InputError(f"{around} is a file: no environment can be made in it")
    if not os.access(around, os.W_OK | os.X_OK):
        reason = "is on a read-only file system" if _read_only(around) else "is not writable"
        raise InputError(f"{around} {reason}: no environment can be made in it", hint="Choose another with --venv.")
    return target, replaces


def _replaces(target: Path, *, conda: bool) -> bool:
    """Whether an environment is there; InputError when something else is."""
    if not target.exists():
        return False
    if not target.is_dir():
        raise InputError(f"{target} is a file, not an environment")
    if not is_environment(target) or not (conda or (target / "pyvenv.cfg").is_file()):
        if not _empty(target):
            raise InputError(
                f"{target} is a folder with files in it and no environment: it is left alone",
                hint="Choose another folder with --venv, or empty this one.",
            )
        return False
    previous = previous_folder(target)
    ours = is_environment(previous) or (previous / MARKER).is_file()
    if previous.exists() and not ours and not _empty(previous):  # an empty one: its removal was cut short
        raise InputError(f"{previous}, where the replaced environment would be kept, is no environment: move it away")
    return True


def lock_file(target: Path) -> Path:
    """The file that is locked by whoever works on the target; it lies there as long as somebody does."""
    return target.with_name(f"{target.name}.envkit-lock")


@contextlib.contextmanager
def only_one(target: Path) -> Iterator[None]:
    """Hold the target for this process; SetupError says who holds it already.

    The lock goes with its process, so kill -9 leaves nothing that a later run could trip over.
    """
    import fcntl  # noqa: PLC0415 - POSIX only

    path = lock_file(target)
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SetupError(f"{path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                holder = os.read(handle, 20).decode("ascii", "replace").strip()
                os.close(handle)
                raise SetupError(
                    f"another envkit setup works on {target}" + (f" (process {holder})" if holder else ""),
                    hint="Wait for it to end.",
                ) from None
            # This file system has no locks (some Lustre and NFS mounts): better unguarded than unusable.
        if _same_file(handle, path):  # else its holder removed it just before we locked it
            break
        os.close(handle)
    try:
        with contextlib.suppress(OSError):  # a full disk: only the number is missing
            os.truncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def existing_folder(path: Path) -> Path:
    """The nearest folder above that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
