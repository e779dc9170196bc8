"""PyTorch: its build from metadata; its devices and libraries by importing it."""

from __future__ import annotations

import platform

from . import deep, distributions, literals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

DEVICES = range(30, 200)  # compute capabilities 3.0 to 19.9


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
    cuda = deep.numbers(getattr(torch.version, "cuda", None))
    architectures = deep.asked(torch, "_C._cuda_getArchFlags")  # torch.cuda.get_arch_list() is empty without a GPU
    nccl = deep.asked(torch, "cuda.nccl.version")
    return {
        "devices": [{"kind": "cpu"}, *_gpus(torch)],
        "cuda_available": available,
        "cuda_error": None if available else _cuda_error(torch),
        "arch_list": architectures.split() if architectures else None,
        "code_runs_on": _code_runs_on(torch.cuda, cuda) if cuda else None,
        "code_by_cuda": _code_by_cuda(torch.cuda) if cuda else None,
        "cudnn": deep.cudnn_version(deep.asked(torch, "backends.cudnn.version")),
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
            **_tried(torch, f"cuda:{index}"),
        }
    if deep.asked(torch, "backends.mps.is_available"):
        yield {"kind": "mps", **_tried(torch, "mps")}
    for index in range(deep.asked(torch, "xpu.device_count") or 0):
        found = deep.asked(torch, "xpu.get_device_properties", index)
        memory = getattr(found, "total_memory", None)
        name = getattr(found, "name", None)
        yield {"kind": "xpu", "name": name, "memory_total_bytes": memory, **_tried(torch, f"xpu:{index}")}


def _tried(torch: Any, device: str) -> dict[str, Any]:
    return deep.tried(lambda: (torch.ones(1024, device=device) + 1).sum().item())


def _cuda_error(torch: Any) -> str | None:
    try:
        torch.cuda.init()
    except Exception as error:  # noqa: BLE001 - its text is the answer
        return deep.last_line(error)
    return None


def _code_runs_on(torch_cuda: Any, cuda: Sequence[int]) -> dict[str, list[str]] | None:
    """Code to the devices it runs on, by the table that PyTorch ships since 2.11; None where it has none."""
    requirement: Any = getattr(torch_cuda, "DEVICE_REQUIREMENT", None)
    if list(cuda) >= [13, 2]:  # Jetson's exceptions are gone
        requirement = getattr(torch_cuda, "DEVICE_REQUIREMENT_POST_JETSON_SBSA_UNIFICATION", requirement)
    try:
        return {
            f"sm_{code}": [f"{device // 10}.{device % 10}" for device in DEVICES if device in fitting]
            for code, fitting in sorted(requirement.items())
        }
    except (AttributeError, TypeError):
        return None


def _code_by_cuda(torch_cuda: Any) -> dict[str, list[str]] | None:
    """CUDA to the code in this release's wheels for it, by the table that PyTorch ships since 2.11.

    Up to 2.12 it is one set for all processors, since then one for each.
    """
    processor = "aarch64" if platform.machine() == "aarch64" else "x86_64"
    try:
        table = {
            cuda: codes[processor] if hasattr(codes, "keys") else codes
            for cuda, codes in torch_cuda.PYTORCH_RELEASES_CODE_CC.items()
        }
        return {cuda: [f"sm_{code}" for code in sorted(codes)] for cuda, codes in table.items()}
    except (AttributeError, KeyError, TypeError):
        return None


def _pin(pins: dict[str, str], *prefixes: str) -> str | None:
    return next((version for name, version in pins.items() if name.startswith(prefixes)), None)
