"""What the system says of this process; NVIDIA's driver knows who computes on its GPUs, whatever a framework says.

Sent to the inspected interpreter: standard library only, Python 3.9 and newer.
Source: nvml.h of CUDA 13 (nvmlDeviceGetComputeRunningProcesses_v3, nvmlProcessInfo_t;
nvmlDeviceGetProcessUtilization, nvmlProcessUtilizationSample_t).
"""

from __future__ import annotations

import ctypes
import os
import sys
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


class _Sample(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("microseconds", ctypes.c_ulonglong),
        ("kernels", ctypes.c_uint),
        ("memory", ctypes.c_uint),
        ("encoder", ctypes.c_uint),
        ("decoder", ctypes.c_uint),
    )


def peak_memory() -> int | None:
    """Bytes of main memory that it has held at most."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def ask(since: float) -> list[dict[str, Any]]:
    """What the driver says: does it list this process, did it see its kernels; "saw" is None where it cannot tell.

    Args:
        since: time.time() of when the work began.
    """
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        if nvml.nvmlInit_v2() != SUCCESS:
            return [_listed([None])]
        try:
            gpus = list(enumerate(_gpus(nvml)))
            listed = _listed([_held(nvml, index, gpu) if gpu else None for index, gpu in gpus])
            return [listed, _busy([_kernels(nvml, index, gpu, since) for index, gpu in gpus if gpu])]
        finally:
            nvml.nvmlShutdown()
    except (OSError, AttributeError):  # no driver, or one from before 2022
        return [_listed([None])]


def _listed(held: list[str | None]) -> dict[str, Any]:
    """The verdict on what each GPU holds of this process; None: that GPU did not say."""
    said = {"what": "the driver's list of processes", "saw": None}
    if any(held):
        return {**said, "saw": True, "words": ", ".join(filter(None, held))}
    if None in held or not held:
        return {**said, "words": "NVML cannot be asked"}
    if _namespace() != FIRST_PID_NAMESPACE:
        return {**said, "words": "the driver counts processes from outside of this container"}
    if os.path.exists("/dev/dxg"):
        return {**said, "words": "the driver of Windows does not know the processes of WSL"}
    return {**said, "saw": False, "words": f"process {os.getpid()} is on no GPU"}


def _busy(seen: list[str]) -> dict[str, Any]:
    """Kernels of this process are evidence; none are not, for the driver samples, and some GPUs not at all."""
    words = ", ".join(filter(None, seen))
    what = "the driver's samples of running kernels"
    return {"what": what, "saw": True if words else None, "words": words or "none of this process"}


def _gpus(nvml: Any) -> list[Any]:
    """Their handles; None for one that is lost."""
    count, handles = ctypes.c_uint(), []
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    for index in range(count.value):
        handle = ctypes.c_void_p()
        found = nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) == SUCCESS
        handles.append(handle if found else None)
    return handles


def _held(nvml: Any, index: int, gpu: Any) -> str | None:
    """What it holds of this GPU, "GPU 0: 412 MiB"; "" for nothing, None where the driver does not say."""
    number, found = ctypes.c_uint(MOST), (_Process * MOST)()
    if nvml.nvmlDeviceGetComputeRunningProcesses_v3(gpu, ctypes.byref(number), found) != SUCCESS:
        return None
    mine = [process.used_bytes for process in found[: number.value] if process.pid == os.getpid()]
    # The driver of Windows, and MIG, do not say how much: all bits are set.
    return ", ".join(f"GPU {index}" + (f": {used >> 20} MiB" if used + 1 < 1 << 64 else "") for used in mine)


def _kernels(nvml: Any, index: int, gpu: Any, since: float) -> str:
    """How busy its kernels made this GPU since then, "GPU 0: 17 %"; "" where nothing was sampled of it."""
    number, found = ctypes.c_uint(MOST), (_Sample * MOST)()
    last = ctypes.c_ulonglong(int(since * 1e6))
    if nvml.nvmlDeviceGetProcessUtilization(gpu, found, ctypes.byref(number), last) != SUCCESS:
        return ""
    mine = [sample.kernels for sample in found[: number.value] if sample.pid == os.getpid()]
    return f"GPU {index}: {max(mine)} %" if any(mine) else ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
