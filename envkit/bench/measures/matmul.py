"""The product of two square matrices, in operations a second."""

from __future__ import annotations

import statistics
import time
from typing import Any

SIZES = (8192, 4096, 2048, 1024, 512, 256)
TRIAL = 1024
LONGEST_SECONDS = {"cpu": 0.7}
LONGEST_SECONDS_ELSEWHERE = 0.25
BURSTS, BURST_SECONDS, REST_SECONDS = 3, 0.05, 0.3
"""An H100 computes faster for 50 ms than its power limit lets it go on, but not every time, nor right after work."""
SUSTAINED_SECONDS = 0.5


def measure(context: Any, device_name: str, variant: str) -> dict[str, Any]:
    """TFLOPS (2 n^3 operations) of n x n matrices of normal random numbers.

    n is 8192, or less where one product would take too long (float64 on a GeForce) or memory does not suffice. Of a GPU
    it is the best of three bursts, which is what a short loop by hand sees; "sustained" is what it keeps up for half a
    second, less where power or heat lower its clocks.
    """
    device = context.open_device(device_name)
    torch = device.torch
    # "high" is TF32 on NVIDIA's GPUs from Ampere on; "highest" is float32 as it is, and the default since 1.12.
    torch.set_float32_matmul_precision("high" if variant == "tf32" else "highest")

    def attempt(size: int) -> dict[str, Any]:
        work, amount = _product(device, variant, size), 2e-12 * size**3
        if device.kind == "cpu":
            times = context.sample(work, device.times, seconds=1.0)
            return dict(context.result(times, amount, "TFLOPS", f"{size} x {size}"))
        bursts = [_burst(context, device, work) for _ in range(BURSTS)]
        later = context.sample(work, device.times, seconds=SUSTAINED_SECONDS)
        measured = context.result(min(bursts, key=statistics.median), amount, "TFLOPS", f"{size} x {size}")
        return {**measured, "sustained": amount / statistics.median(later)}

    return dict(context.halving(attempt, _size(context, device, variant), SIZES[-1], context.out_of_memory))


def _burst(context: Any, device: Any, work: Any) -> Any:
    device.synchronize()
    time.sleep(REST_SECONDS)
    return context.sample(work, device.times, seconds=BURST_SECONDS, warm_seconds=0.0)


def _size(context: Any, device: Any, variant: str) -> int:
    """The largest size whose matrices fill half of the free memory at most, and whose product is not too long."""
    bytes_each = {"float64": 8, "float32": 4, "tf32": 4}.get(variant, 2)
    longest = LONGEST_SECONDS.get(device.kind, LONGEST_SECONDS_ELSEWHERE)
    room = device.free_bytes() / 2
    fitting = [size for size in SIZES if 3 * size**2 * bytes_each <= room] or [SIZES[-1]]
    trial = min(TRIAL, fitting[0])
    work = context.halving(lambda size: _product(device, variant, size), trial, SIZES[-1], context.out_of_memory)
    work()
    once = statistics.median(device.times(work, 3))
    return next((size for size in fitting if once * (size / trial) ** 3 <= longest), min(fitting[0], trial))


def _product(device: Any, variant: str, size: int) -> Any:
    torch = device.torch
    if variant == "fp8":
        return _product_of_fp8(device, size)
    dtype = torch.float32 if variant == "tf32" else getattr(torch, variant)
    a, b = (torch.randn(size, size, dtype=dtype, device=device.device) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def _product_of_fp8(device: Any, size: int) -> Any:
    """As torch._scaled_mm wants it: the second matrix in columns, a scale of each, the sum in bfloat16.

    Fast accumulation is what the vendor's peak counts; the first MI300 have a float8 of their own (fnuz).
    """
    torch = device.torch
    old = "gfx94" in getattr(torch.cuda.get_device_properties(device.device), "gcnArchName", "")
    dtype = torch.float8_e4m3fnuz if old else torch.float8_e4m3fn
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device=device.device).to(dtype) for _ in range(2))
    one = torch.ones((), dtype=torch.float32, device=device.device)
    return lambda: torch._scaled_mm(  # noqa: SLF001 - PyTorch has no other name for it before 2.10
        a, b.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True
    )
