"""The sum over all GPUs, one process each: this is one of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

MIB = 1 << 20
LARGEST_BYTES = 256 * MIB
GB = 1e9


def measure(context: Any, device_name: str, variant: str) -> dict[str, Any]:
    """Bus bandwidth in GB/s as nccl-tests reckon it: 2 (n - 1) / n times the bytes of one rank, a second.

    Args:
        context: with rank {"number", "of", "rendezvous", "seconds"}: see children.together.
        device_name: this rank's.
        variant: the backend, "nccl" or "gloo".
    """
    device = context.open_device(device_name)
    distributed = device.torch.distributed
    rank = context.rank
    distributed.init_process_group(
        variant,
        init_method=f"file://{rank['rendezvous']}",
        rank=rank["number"],
        world_size=rank["of"],
        timeout=dt.timedelta(seconds=rank["seconds"]),
    )
    # Every rank must choose the same size and number of repeats: neither may depend on the rank's own memory or speed.
    sizes = device.torch.tensor([min(LARGEST_BYTES, device.free_bytes() // 8)], device=device.device)
    distributed.all_reduce(sizes, op=distributed.ReduceOp.MIN)
    size = int(sizes.item()) // MIB * MIB
    if not size:
        raise MemoryError("out of memory: less than 8 MiB are free")
    data = device.torch.randn(size // 4, device=device.device)

    def work() -> None:
        distributed.all_reduce(data, op=distributed.ReduceOp.AVG if variant == "nccl" else distributed.ReduceOp.MIN)

    device.times(work, 5)
    once = device.torch.tensor([max(device.times(work, 5))], device=device.device)
    distributed.all_reduce(once, op=distributed.ReduceOp.MAX)
    times = device.times(work, max(5, min(200, int(0.5 / float(once.item())))))
    distributed.barrier()
    factor = 2 * (rank["of"] - 1) / rank["of"]
    return dict(context.result(times, factor * size / GB, "GB/s", f"{rank['of']} ranks, {size // MIB} MiB each"))
