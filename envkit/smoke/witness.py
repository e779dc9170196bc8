"""What NVIDIA's driver says of this process: it knows who computes on its GPUs, whatever a framework says.

Sent to the inspected interpreter: standard library only, Python 3.9 and newer.
Source: nvml.h of CUDA 12 (nvmlDeviceGetComputeRunningProcesses_v3, nvmlProcessInfo_t).
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of the kernel: outside of any container."""
SUCCESS, MOST = 0, 256


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def processes() -> dict[str, Any]:
    """Whether the driver lists this process as one that computes; "saw" is None where it cannot tell."""
    said = {"what": "the driver's list of processes", "saw": None, "words": "NVML cannot be asked"}
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        if nvml.nvmlInit_v2() != SUCCESS:
            return said
        try:
            held = _held(nvml)
        finally:
            nvml.nvmlShutdown()
    except (OSError, AttributeError):  # no driver, or one from before 2022
        return said
    if held:
        return {**said, "saw": True, "words": ", ".join(held)}
    if _namespace() != FIRST_PID_NAMESPACE:
        return {**said, "words": "the driver counts processes from outside of this container"}
    return {**said, "saw": False, "words": f"process {os.getpid()} is on no GPU"}


def _held(nvml: Any) -> list[str]:
    """The GPUs that list this process: "GPU 0: 412 MiB"."""
    count, held = ctypes.c_uint(), []
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    for index in range(count.value):
        device, number, found = ctypes.c_void_p(), ctypes.c_uint(MOST), (_Process * MOST)()
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) != SUCCESS:
            continue
        if nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(number), found) != SUCCESS:
            continue
        mine = [process.used_bytes for process in found[: number.value] if process.pid == os.getpid()]
        # The driver of Windows, and MIG, do not say how much: all bits are set.
        held += [f"GPU {index}" + (f": {used >> 20} MiB" if used + 1 < 1 << 64 else "") for used in mine]
    return held


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
