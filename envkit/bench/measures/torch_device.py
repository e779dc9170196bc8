"""What the measures need of PyTorch: its devices, their clocks and their memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

Work = Callable[[], object]
CACHE_BYTES = 128 << 20  # no GPU that PyTorch does not tell it of has a larger cache
RDNA = ("gfx10", "gfx11", "gfx12")


def survey() -> dict[str, Any]:
    """PyTorch's version and its devices, each with its name, memory and the types it multiplies at full speed."""
    devices = [{"device": "cpu", "name": "", "dtypes": ["float32", "float64"]}]
    if torch.cuda.is_available():
        devices += [_gpu(index) for index in range(torch.cuda.device_count())]
    for kind, dtypes in (("xpu", ["float32", "bfloat16", "float16"]), ("mps", ["float32", "float16"])):
        if _available(kind):
            count = getattr(torch, kind).device_count() if kind == "xpu" else 1
            devices += [{"device": f"{kind}:{index}", "name": "", "dtypes": dtypes} for index in range(count)]
    return {"version": torch.__version__, "devices": devices}


def _available(kind: str) -> bool:
    module = torch.backends.mps if kind == "mps" else getattr(torch, kind, None)
    return module is not None and bool(module.is_available())


def _gpu(index: int) -> dict[str, Any]:
    """A GPU of CUDA or ROCm; tensor cores know bfloat16 and TF32 from Ampere on, float8 from Ada on."""
    about = torch.cuda.get_device_properties(index)
    architecture = getattr(about, "gcnArchName", "") if torch.version.hip else ""
    dtypes = ["float32", "float16", "float64"]
    if torch.version.hip:
        dtypes += ["bfloat16"] if architecture.startswith(("gfx9", *RDNA[1:])) else []
        fp8 = architecture.startswith(("gfx94", "gfx95"))
    else:
        dtypes += ["tf32", "bfloat16"] if about.major >= 8 else []
        fp8 = (about.major, about.minor) >= (8, 9)
    if fp8 and hasattr(torch, "float8_e4m3fn") and hasattr(torch, "_scaled_mm"):
        dtypes.append("fp8")
    return {
        "device": f"cuda:{index}",
        "name": about.name,
        "dtypes": dtypes,
        "memory_bytes": about.total_memory,
        "uuid": str(getattr(about, "uuid", "")),
    }


def out_of_memory(error: BaseException) -> bool:
    """By what it says: PyTorch, cuBLAS and the CPU's allocator raise different types for it."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED")
    return isinstance(error, MemoryError) or any(part in str(error) for part in words)


class Device:
    """One device. CUDA and ROCm are timed by events on the device, all others by the host's clock."""

    def __init__(self, name: str, memory_bytes: int) -> None:
        self.torch = torch
        self.name = name
        self.kind = name.partition(":")[0]
        self.device = torch.device(name)
        self._memory_bytes = memory_bytes
        if self.kind == "cuda":
            torch.cuda.set_device(self.device)

    def free_bytes(self) -> int:
        """What may be taken of its memory; where it shares the host's, what is free there."""
        if self.kind == "cuda":
            return int(torch.cuda.mem_get_info(self.device)[0])
        return self._memory_bytes

    def cache_bytes(self) -> int:
        """Its last cache, at least."""
        if self.kind != "cuda":
            return CACHE_BYTES
        return int(getattr(torch.cuda.get_device_properties(self.device), "L2_cache_size", 0)) or CACHE_BYTES

    def synchronize(self) -> None:
        """Wait until all that was asked of it is done."""
        if self.kind != "cpu":
            getattr(torch, self.kind).synchronize()

    def times(self, work: Work, count: int) -> list[float]:
        """Seconds that each call took on the device.

        The events are recorded on the current stream of this device, and the calls follow each other without a gap, so
        that the host's own time does not count.
        """
        if self.kind != "cuda":
            return self.host_times(work, count)
        events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        events[0].record()
        for event in events[1:]:
            work()
            event.record()
        events[-1].synchronize()
        pairs = zip(events, events[1:])  # noqa: B905, RUF007 - the inspected Python may be 3.9
        return [first.elapsed_time(second) / 1e3 for first, second in pairs]

    def host_times(self, work: Work, count: int) -> list[float]:
        """Seconds that each call took by the host's clock, until the device was done."""
        times = []
        for _ in range(count):
            self.synchronize()
            started = time.perf_counter()
            work()
            self.synchronize()
            times.append(time.perf_counter() - started)
        return times

    def random_bytes(self, size: int, *, pinned: bool = False, host: bool = False) -> Any:
        """Random bytes there, or in the host's memory: zeros draw less power, and some links compress."""
        if not host:
            return torch.randint(0, 256, (size,), dtype=torch.uint8, device=self.device)
        block = torch.randint(0, 256, (min(size, 1 << 24),), dtype=torch.uint8)
        buffer = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        for start in range(0, size, len(block)):
            buffer[start : start + len(block)] = block[: size - start]
        return buffer

    def release(self) -> None:
        """Give the memory back that PyTorch keeps for the next tensor."""
        if self.kind != "cpu":
            getattr(torch, self.kind).empty_cache()
