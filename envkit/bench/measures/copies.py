"""Copies: within a device's memory, between it and the host, between two devices; in bytes a second."""

from __future__ import annotations

from typing import Any

MIB = 1 << 20
GB = 1e9
LARGEST_BYTES = 1 << 30
LINK_BYTES = 256 * MIB
LEAST_BYTES = MIB


def memory(context: Any, device_name: str, variant: str) -> dict[str, Any]:  # noqa: ARG001 - as all measures are called
    """GB/s read and written together (each byte counts twice), of buffers eight times the cache or more."""
    device = context.open_device(device_name)

    def attempt(size: int) -> dict[str, Any]:
        source = device.random_bytes(size)
        target = device.torch.empty_like(source)
        times = context.sample(lambda: target.copy_(source), device.times)
        return dict(context.result(times, 2 * size / GB, "GB/s", f"{size // MIB} MiB"))

    wanted = max(LARGEST_BYTES, 8 * device.cache_bytes())
    return dict(context.halving(attempt, _fitting(wanted, device), LEAST_BYTES, context.out_of_memory))


def transfer(context: Any, device_name: str, variant: str) -> dict[str, Any]:
    """GB/s between host and device: "h2d-pinned", "h2d-pageable", "d2h-pinned", "d2h-pageable"."""
    device = context.open_device(device_name)
    way, _, kind = variant.partition("-")
    pinned = kind == "pinned"

    def attempt(size: int) -> dict[str, Any]:
        here = device.random_bytes(size, pinned=pinned, host=True)
        there = device.random_bytes(size)
        target, source = (there, here) if way == "h2d" else (here, there)
        # A pageable copy is staged by the driver on the host: only the host's clock sees all of it.
        time_of = device.times if pinned else device.host_times
        times = context.sample(lambda: target.copy_(source, non_blocking=pinned), time_of)
        return dict(context.result(times, size / GB, "GB/s", f"{size // MIB} MiB"))

    size = min(_fitting(LINK_BYTES, device), max(LEAST_BYTES, context.memory_bytes // 8))
    return dict(context.halving(attempt, size, LEAST_BYTES, context.out_of_memory))


def peer(context: Any, device_name: str, variant: str) -> dict[str, Any]:  # noqa: ARG001
    """GB/s between two GPUs ("cuda:0-cuda:1"): the slower of both directions."""
    first, second = device_name.split("-")
    ways = [_one_way(context, source, target) for source, target in ((first, second), (second, first))]
    slower = min(ways, key=lambda way: float(way["value"]))
    direct = context.open_device(first).torch.cuda.can_device_access_peer(*(_index(name) for name in (first, second)))
    return {**slower, "detail": slower["detail"] + ("" if direct else ", through the host: no peer access")}


def _one_way(context: Any, source_name: str, target_name: str) -> dict[str, Any]:
    """PyTorch copies on the current stream of the source's device (aten/src/ATen/native/cuda/Copy.cu)."""
    target = context.open_device(target_name)
    source = context.open_device(source_name)  # the last one opened is the current device: the events are its

    def attempt(size: int) -> dict[str, Any]:
        data = source.random_bytes(size)
        copy = target.torch.empty_like(data, device=target.device)
        times = context.sample(lambda: copy.copy_(data, non_blocking=True), source.times)
        detail = f"{source_name} to {target_name}, {size // MIB} MiB"
        return dict(context.result(times, size / GB, "GB/s", detail))

    size = min(_fitting(LINK_BYTES, source), _fitting(LINK_BYTES, target))
    return dict(context.halving(attempt, size, LEAST_BYTES, context.out_of_memory))


def _index(name: str) -> int:
    return int(name.partition(":")[2])


def _fitting(wanted: int, device: Any) -> int:
    """At most a quarter of what is free, in whole MiB."""
    fitting: int = min(wanted, device.free_bytes() // 4) // MIB * MIB
    return max(LEAST_BYTES, fitting)
