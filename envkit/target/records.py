"""What RECORD promises against what is there: files that are gone, files that two distributions own."""

from __future__ import annotations

import os
import time

from . import distributions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# PyTorch's RECORD alone has 12,000 lines: only those are read whose damage stops a training.
FAMILIES = (
    "torch",
    "tensorflow",
    "tf-",
    "jax",
    "nvidia-",
    "keras",
    "triton",
    "numpy",
    "protobuf",
    "ml-dtypes",
    "opencv",
)
HEADERS = "tensorflow/include/"  # 11,000 of its 13,000 files, in most of its folders: for building extensions only
SHOWN = 20
PATIENCE_SECONDS = 3.0  # on a network file system each folder may take milliseconds: the rest stays unexamined


def examine(installed: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Fill in files_missing of the packages that matter; the files that two of them own (`Collision`s).

    Args:
        installed: metadata folder and facts of each distribution; the facts are changed.
    """
    enough = time.monotonic() + PATIENCE_SECONDS
    collisions: list[dict[str, Any]] = []
    seen: dict[str, set[str]] = {}  # by location
    owned: list[tuple[dict[str, Any], set[str]]] = []
    for metadata, package in installed:
        location = package["location"]
        examined = package["name"].startswith(FAMILIES) and time.monotonic() < enough
        record = distributions.text(f"{location}/{metadata}/RECORD") if examined else None
        if record is None:
            continue
        paths = [_path(line) for line in record.split("\n") if line and not line.startswith(HEADERS)]
        missing = _missing(location, paths)
        package["files_missing"] = missing[:SHOWN]
        package["files_missing_count"] = len(missing)
        files = set(paths)
        common = seen.setdefault(location, set()) & files
        for other, others in owned if common else ():
            if other["location"] == location and other["name"] != package["name"]:
                collisions += _collision(location, [other["name"], package["name"]], common & others)
        seen[location] |= files
        owned.append((package, files))
    return collisions


def _path(line: str) -> str:
    path = line.rsplit(",", 2)[0]
    return path[1:-1].replace('""', '"') if path.startswith('"') else path


def _missing(location: str, paths: Sequence[str]) -> list[str]:
    """Those that are not there. Each folder is listed once: a stat of each file would cost ten times as much."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder in folders:
            folders[folder].append(name)
        else:
            folders[folder] = [name]
    missing = []
    for folder, names in folders.items():
        try:
            gone = set(names).difference(os.listdir(os.path.join(location, folder)))
        except OSError:
            gone = set(names)
        missing += [f"{folder}/{name}" if folder else name for name in gone if not name.endswith(".pyc")]
    return sorted(missing)


def _collision(location: str, packages: list[str], paths: set[str]) -> list[dict[str, Any]]:
    """The `Collision` of two packages, if any: an empty __init__.py, a script or a cache harms nobody."""
    files = sorted(
        path
        for path in paths
        if not path.startswith("../") and "__pycache__/" not in path and not _empty(location, path)
    )
    return [{"packages": packages, "example": files[0], "count": len(files)}] if files else []


def _empty(location: str, path: str) -> bool:
    try:
        return path.endswith("__init__.py") and os.stat(f"{location}/{path}").st_size == 0
    except OSError:
        return False
