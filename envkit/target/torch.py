"""PyTorch: its build from metadata; its devices and libraries by importing it."""

from __future__ import annotations

from . import deep, distributions, literals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def observe() -> dict[str, Any] | None:
    """The facts of the section `torch`."""
    package = distributions.find("torch")
    if package is None:
        return None
    build = literals.read(f"{package['location']}/torch/version.py")
    pins = distributions.pins(package["requires"])
    return {
        "version": package["version"],
        "location": package["location"],
        **{name: (build or {}).get(name) for name in ("cuda", "hip", "xpu")},
        "cudnn": _pin(pins, "nvidia-cudnn"),
        "nccl": _pin(pins, "nvidia-nccl"),
        "triton": _pin(pins, "triton", "pytorch-triton"),
        "build_known": build is not None,
    }


def observe_deep() -> Iterator[dict[str, Any]]:
    """The facts of the section `torch_deep`: once after the import, once more with the devices."""
    return deep.examine("torch", _look)


def _look(torch: Any) -> dict[str, Any]:
    available = deep.asked(torch, "cuda.is_available")
    architectures = deep.asked(torch, "_C._cuda_getArchFlags")  # torch.cuda.get_arch_list() is empty without a GPU
    nccl = deep.asked(torch, "cuda.nccl.version")
    return {
        "devices": [{"kind": "cpu"}, *_gpus(torch)],
        "cuda_available": available,
        "cuda_error": None if available else _cuda_error(torch),
        "arch_list": architectures.split() if architectures else None,
        "cudnn": _cudnn(deep.asked(torch, "backends.cudnn.version")),
        "nccl": ".".join(map(str, nccl)) if nccl else None,
    }


def _gpus(torch: Any) -> Iterator[dict[str, Any]]:
    kind = "rocm" if torch.version.hip else "cuda"
    for index in range(deep.asked(torch, "cuda.device_count") or 0):
        found = deep.asked(torch, "cuda.get_device_properties", index)
        yield {
            "kind": kind,
            "name": getattr(found, "name", None),
            "compute_capability": f"{found.major}.{found.minor}" if found and kind == "cuda" else None,
            "memory_total_bytes": getattr(found, "total_memory", None),
        }
    if deep.asked(torch, "backends.mps.is_available"):
        yield {"kind": "mps"}
    for index in range(deep.asked(torch, "xpu.device_count") or 0):
        found = deep.asked(torch, "xpu.get_device_properties", index)
        memory = getattr(found, "total_memory", None)
        yield {"kind": "xpu", "name": getattr(found, "name", None), "memory_total_bytes": memory}


def _cuda_error(torch: Any) -> str | None:
    try:
        torch.cuda.init()
    except Exception as error:  # noqa: BLE001 - its text is the answer
        return deep.last_line(error)
    return None


def _cudnn(number: int | None) -> str | None:
    """91002 as "9.10.2"; up to cuDNN 8 the major version counted thousands (cudnn_version.h)."""
    if number is None:
        return None
    major, rest = divmod(number, 10_000 if number >= 90_000 else 1_000)
    return f"{major}.{rest // 100}.{rest % 100}"


def _pin(pins: dict[str, str], *prefixes: str) -> str | None:
    return next((version for name, version in pins.items() if name.startswith(prefixes)), None)
