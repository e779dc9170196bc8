"""Libraries of CUDA in the folders of LD_LIBRARY_PATH that the loader takes before those of the wheels."""

from __future__ import annotations

import os
import sys

from . import deep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def shadowing() -> dict[str, list[str]]:
    """Folder of LD_LIBRARY_PATH to the libraries in it that wheels bring too, under the same name."""
    folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if os.path.isabs(folder)]
    if not folders:
        return {}
    wheels = {os.path.realpath(folder) for folder in _wheels()}
    brought = _names(wheels)
    found = {folder: sorted(_names([folder]) & brought) for folder in folders if os.path.realpath(folder) not in wheels}
    return {folder: names for folder, names in found.items() if names}


def _wheels() -> list[str]:
    """The folders of wheels that hold libraries of CUDA."""
    folders = [f"{location}/torch/lib" for location in sys.path]
    for location in sys.path:
        folders += [f"{location}/nvidia/{component}/lib" for component in _list(f"{location}/nvidia")]
    return folders


def _names(folders: Iterable[str]) -> set[str]:
    """The libraries of CUDA in folders, by the names that programs ask for: "libcudnn.so.9"."""
    names = {name for folder in folders for name in _list(folder) if name.startswith(deep.CUDA_LIBRARIES)}
    return {name for name in names if name.rpartition(".so.")[2].isdecimal()}


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
