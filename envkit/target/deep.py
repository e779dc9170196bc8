"""Importing a framework and saying what came of it: for the sections NAME_deep."""

from __future__ import annotations

import importlib
import os
import sys
import time
from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

CUDA_LIBRARIES = (
    "libcudart", "libcudnn", "libcublas", "libcufft", "libcurand", "libcusolver", "libcusparse", "libcupti",
    "libnccl", "libnvrtc", "libnvJitLink", "libnvshmem",
)  # fmt: skip
LIBRARIES = (
    "libcuda.", *CUDA_LIBRARIES, "libamdhip64", "libtpu", "libgomp", "libiomp", "libomp", "libstdc++",
)  # fmt: skip

SUM = 2048.0  # exact in every float format that a device may fall back to


def examine(module: str, look: Callable[[Any], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Import a framework, tell that it worked, then tell what `look` finds: a crash there must not hide the import."""
    started = time.perf_counter()
    try:
        framework = importlib.import_module(module)
    except BaseException as error:  # noqa: BLE001 - a framework may even call sys.exit
        yield {"imported": False, "error": last_line(error), "libraries": mapped()}
        return
    facts = {
        "imported": True,
        "version": str(getattr(framework, "__version__", "")) or None,
        "import_seconds": round(time.perf_counter() - started, 3),
        "libraries": mapped(),
    }
    yield facts
    try:
        facts.update(look(framework))
    except Exception as error:  # noqa: BLE001 - its text is the answer
        facts["error"] = last_line(error)
    yield {**facts, "libraries": mapped()}


def asked(framework: Any, function: str, *arguments: object) -> Any:
    """What a framework's function ("cuda.is_available") answers; None where it raises or is not there."""
    try:
        return attrgetter(function)(framework)(*arguments)
    except Exception:  # noqa: BLE001 - not answered is unknown, whatever the reason
        return None


def tried(compute: Callable[[], float]) -> dict[str, Any]:
    """What came of 1,024 ones, 1 added to each, and their sum: it takes memory, kernels and the way back.

    An error in how the framework is asked (another version of it may lack a function) says nothing of the device.
    """
    try:
        total = float(compute())
    except (AttributeError, ImportError, TypeError):
        return {"computes": None, "error": None}
    except Exception as error:  # noqa: BLE001 - its text is the answer
        return {"computes": False, "error": last_line(error)}
    right = total == SUM
    return {"computes": right, "error": None if right else f"the sum of 1,024 twos came to {total:g}"}


def last_line(error: BaseException) -> str:
    """The last line of its traceback that names an error.

    TensorFlow puts a whole traceback and an advice into the text of an ImportError, NumPy an advice that ends in a
    blank: the cause is what tells.
    """
    import traceback  # here, for it is slow and seldom needed

    while error.__cause__ is not None:
        error = error.__cause__
    text = "".join(traceback.format_exception_only(type(error), error))
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    named = [line for line in lines if line.partition(": ")[0].endswith(("Error", "Exception")) and ": " in line]
    return (named or lines)[-1]


def numbers(version: str | None) -> list[int]:
    """The numbers of a version: "13.2" is [13, 2]; [] where it has others than numbers."""
    parts = (version or "").split(".")
    return [int(part) for part in parts] if all(part.isdecimal() for part in parts) else []


def cudnn_version(number: int | None) -> str | None:
    """91002 as "9.10.2"; up to cuDNN 8 the major version counted thousands (cudnn_version.h)."""
    return dotted(number, 10_000 if number and number >= 90_000 else 1_000)


def dotted(number: int | None, major: int, minor: int = 100) -> str | None:
    """A version that NVIDIA's headers write as one number: 120901, in which a major counts 10,000, is "12.9.1"."""
    if not number:
        return None
    return f"{number // major}.{number % major // minor}.{number % minor}"


def mapped() -> list[str]:
    """Paths of the accelerator, OpenMP and C++ libraries in this process; [] where /proc does not tell.

    As sys.path leads to them: the kernel tells where links end, be it in the cache of an installer.
    """
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            paths = {line.split(maxsplit=5)[-1].strip() for line in file if "/lib" in line}
    except OSError:
        return []
    found = {path for path in paths if path.rpartition("/")[2].startswith(LIBRARIES)}
    links = _linked(found)
    return sorted(links.get(path, path) for path in found)


def _linked(paths: set[str]) -> dict[str, str]:
    """Where links end to what a folder of sys.path calls it, for those that lie in none of these folders."""
    links: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        real = os.path.realpath(folder) + os.sep
        for path in paths:
            if real != folder + os.sep and path.startswith(real):
                links.setdefault(path, os.path.join(folder, path[len(real) :]))
            elif os.sep + "nvidia" + os.sep in path:  # uv --link-mode=symlink
                own = os.path.join(folder, path[path.rindex(os.sep + "nvidia" + os.sep) + 1 :])
                if os.path.realpath(own) == path != own:
                    links.setdefault(path, own)
    return links
