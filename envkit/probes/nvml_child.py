"""Run as a program, it asks NVML about every GPU and writes each answer as a record on stdout.

NVML can hang for ever, kill its caller, or fail for one GPU of eight (go-nvml#152, nvitop#139, nvgpu#6). So it is
asked here, in a process that may be left behind, which imports nothing of envkit but the file beside it, and says what
it is about to ask.

Records (RFC 7464): {"library": path} or {"library_missing": words}; {"driver_version": text};
{"cuda_driver_version": text}; {"gpu_count": number}; {"error": name} when NVML as a whole fails; and for each GPU
{"gpu": index, "asking": next field or None, field: value, "unreadable": {field: name}, "error": name}.

Left out on purpose: supported clocks, a read-only question that stops machines (open-gpu-kernel-modules#1239).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
from collections.abc import Callable
from typing import Any

from nvml_questions import QUESTIONS, NotAReadingError  # type: ignore[import-not-found] # a file beside this one

LIBRARY = "libnvidia-ml.so.1"
GONE = frozenset({"GPU_IS_LOST", "RESET_REQUIRED"})


def reason(nvml: Any, error: Exception) -> str:
    """NVML's name of an error, "NOT_SUPPORTED"; of what is none of NVML's, its own words."""
    if isinstance(error, nvml.NVMLError):
        names = (name for name in dir(nvml) if name.startswith("NVML_ERROR_") and getattr(nvml, name) == error.value)
        return next(names, f"ERROR_{error.value}").removeprefix("NVML_ERROR_")
    return str(error)


def ask_gpu(nvml: Any, index: int, emit: Callable[[dict[str, Any]], None]) -> None:
    emit({"gpu": index, "asking": "handle"})
    try:
        gpu = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:  # no further call for this index: the library may crash (nvitop#145)
        emit({"gpu": index, "asking": None, "error": reason(nvml, error)})
        return
    answer: dict[str, Any] = {}
    for field, question in QUESTIONS.items():
        emit({"gpu": index, "asking": field, **answer})
        try:
            answer = {field: question(nvml, gpu)}
        except (nvml.NVMLError, NotAReadingError, AttributeError, LookupError, ValueError) as error:
            why = reason(nvml, error)
            answer = {"unreadable": {field: why}}
            if why in GONE:
                emit({"gpu": index, "asking": None, "error": why, **answer})
                return
    emit({"gpu": index, "asking": None, **answer})


def ask(emit: Callable[[dict[str, Any]], None]) -> None:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        emit({"library_missing": str(error)})
        return
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        paths = [line.split(maxsplit=5)[5].strip() for line in maps if "/libnvidia-ml.so" in line]
    emit({"library": paths[0] if paths else None})

    import pynvml as nvml  # noqa: PLC0415 - costs more than all the above, for nothing where the library is missing

    try:
        nvml.nvmlInit()
        with contextlib.suppress(nvml.NVMLError):
            emit({"driver_version": nvml.nvmlSystemGetDriverVersion()})
        with contextlib.suppress(nvml.NVMLError):
            cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
            emit({"cuda_driver_version": f"{cuda // 1000}.{cuda % 1000 // 10}"})
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        emit({"error": reason(nvml, error)})
        return
    emit({"gpu_count": count})
    for index in range(count):
        ask_gpu(nvml, index, emit)


def main() -> None:
    records = os.dup(1)
    os.dup2(2, 1)  # the library's own prints must not end up between the records

    def emit(record: dict[str, Any]) -> None:
        os.write(records, b"\x1e" + json.dumps(record).encode() + b"\n")

    ask(emit)
    os._exit(0)  # everything is said: a driver that hangs or crashes while it is unloaded takes nothing back


if __name__ == "__main__":
    main()
