"""A PyTorch whose GPUs are not there: their work takes the time that $STAND_IN says, on a clock of their own.

$STAND_IN is JSON: {"gpus": [name, ...], "tflops": {type: number}, "memory", "pinned", "pageable", "peer": GB/s,
"capacity": bytes of memory, "crash", "hang", "error": the type whose product does that}.
"""

# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204, ARG002, ARG005, PLR0917
from __future__ import annotations

import json
import os
import time
import types

SPEC = json.loads(os.environ["STAND_IN"])
CLOCKS = {}
CURRENT = ["cuda:0"]
SIZES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "uint8": 1}
PRECISION = ["highest"]
__version__ = "2.9.0+cu128"
version = types.SimpleNamespace(hip=None)
for _name in SIZES:
    globals()[_name] = _name


class OutOfMemoryError(RuntimeError):
    pass


def device(name):
    return str(name)


class Tensor:
    def __init__(self, shape, dtype, device, pinned=False):
        self.shape, self.dtype, self.device, self.pinned = shape, dtype, device or "cpu", pinned
        self.bytes = SIZES[dtype]
        for side in shape:
            self.bytes *= side
        if self.device != "cpu" and self.bytes > SPEC.get("capacity", 80 << 30) // 4:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate too much")

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        return self

    def __setitem__(self, part, value):
        pass

    def t(self):
        return self

    def to(self, dtype):
        return Tensor(self.shape, dtype, self.device)

    def copy_(self, source, non_blocking=False):
        places = {self.device, source.device}
        if len(places) == 1:
            _spend(self.device, 2 * self.bytes, "memory")
        elif "cpu" not in places:
            _spend(source.device, self.bytes, "peer")  # on the source's stream, as PyTorch does
        elif self.pinned or source.pinned:
            _spend((places - {"cpu"}).pop(), self.bytes, "pinned")
        else:
            time.sleep(self.bytes / 1e9 / SPEC["pageable"])
        return self


def _spend(place, count, what):
    CLOCKS[place] = CLOCKS.get(place, 0.0) + count / 1e9 / SPEC[what]


def randn(*shape, dtype="float32", device=None):
    return Tensor(shape, dtype, device)


def randint(low, high, shape, dtype="uint8", device=None):
    return Tensor(shape, dtype, device)


def empty(*shape, dtype="float32", device=None, pin_memory=False):
    return Tensor(shape, dtype, device, pin_memory)


def empty_like(other, device=None):
    return Tensor(other.shape, other.dtype, device or other.device)


def ones(shape, dtype="float32", device=None):
    return Tensor(shape, dtype, device)


def mm(a, b, out=None):
    kind = "tf32" if a.dtype == "float32" and PRECISION[0] == "high" else a.dtype
    kind = "fp8" if kind.startswith("float8") else kind
    if a.device == "cpu":
        return time.sleep(1e-4)
    if SPEC.get("crash") == kind:
        os.abort()
    if SPEC.get("hang") == kind:
        time.sleep(600)
    if SPEC.get("error") == kind:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    CLOCKS[a.device] = CLOCKS.get(a.device, 0.0) + 2e-12 * a.shape[0] ** 3 / SPEC["tflops"][kind]
    return out


def _scaled_mm(a, b, scale_a, scale_b, out_dtype, use_fast_accum):
    assert use_fast_accum
    return mm(a, b)


def set_float32_matmul_precision(precision):
    PRECISION[0] = precision


class _Event:
    def __init__(self, enable_timing=False):
        assert enable_timing

    def record(self):
        self.at = CLOCKS.get(CURRENT[0], 0.0)

    def synchronize(self):
        pass

    def elapsed_time(self, end):
        return (end.at - self.at) * 1e3


def _properties(index):
    return types.SimpleNamespace(
        name=SPEC["gpus"][int(str(index).rpartition(":")[2])],
        major=9,
        minor=0,
        total_memory=int(79.2 * (1 << 30)),
        L2_cache_size=50 << 20,
        uuid=f"uuid-{index}",
    )


cuda = types.SimpleNamespace(
    is_available=lambda: bool(SPEC["gpus"]),
    device_count=lambda: len(SPEC["gpus"]),
    get_device_properties=_properties,
    mem_get_info=lambda place: (80 << 30, 80 << 30),
    set_device=lambda place: CURRENT.__setitem__(0, str(place)),
    synchronize=lambda: None,
    empty_cache=lambda: None,
    can_device_access_peer=lambda a, b: SPEC.get("direct", True),
    Event=_Event,
)
mps = types.SimpleNamespace(is_available=lambda: False)
backends = types.SimpleNamespace(mps=mps)
