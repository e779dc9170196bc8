"""The reference models in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

VERSION: str = torch.__version__

KINDS = ("cpu", "cuda", "rocm", "mps", "xpu")


def open_device(kind: str) -> tuple[Any, str]:
    if kind not in KINDS:
        raise LookupError(f"PyTorch's adapter knows no device {kind!r}")
    hip = torch.version.hip is not None
    if kind == "cuda" and hip:
        raise LookupError(f"this PyTorch is built for ROCm {torch.version.hip}, not for CUDA")
    if kind == "rocm" and not hip:
        raise LookupError("this PyTorch is not built for ROCm")
    try:
        device = torch.device("cuda" if kind == "rocm" else kind, None if kind == "cpu" else 0)
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError) as error:  # what torch raises differs by device and version
        if out_of_memory(error):
            raise
        raise LookupError(str(error).partition("\n")[0]) from error
    if device.type == "cuda":
        return device, torch.cuda.get_device_name(device)
    return device, torch.xpu.get_device_name(device) if kind == "xpu" else kind


def build(model: str, reference: Any, device: Any) -> tuple[Callable[[int], float], Callable[[], list[Any]]]:
    network, loss_function = (_mlp if model == "mlp" else _cnn)()
    parameters = dict(network.named_parameters())
    initial = [_in_torch_layout(weight) for weight in reference.weights]
    with torch.no_grad():
        for parameter, value in zip(parameters.values(), initial):  # noqa: B905 - the inspected Python may be 3.9
            parameter.copy_(value)
    network.to(device)
    if reference.optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=reference.learning_rate)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=reference.learning_rate, momentum=reference.momentum)
    batches = [(_inputs(x).to(device), _labels(y).to(device)) for x, y in reference.batches]
    last: dict[str, Any] = {}

    def step(number: int) -> float:
        x, y = batches[number % len(batches)]
        optimizer.zero_grad()
        last["output"] = network(x)
        loss = loss_function(last["output"], y)
        loss.backward()
        optimizer.step()
        return float(
            loss.detach()
        )  # waits for everything queued on the device before it, the optimizer's step included

    def state() -> list[Any]:
        tensors = [
            (name, _kind(parameter), _dtype(parameter), not torch.equal(parameter.detach().cpu(), value))
            for (name, parameter), value in zip(parameters.items(), initial)  # noqa: B905 - as above
        ]
        return [*tensors, ("output", _kind(last["output"]), _dtype(last["output"]), None)]

    return step, state


def out_of_memory(error: BaseException) -> bool:
    """By what it says: PyTorch, cuBLAS, cuDNN and the CPU's allocator raise different types for it."""
    return any(words in str(error) for words in ("out of memory", "can't allocate memory", "_STATUS_ALLOC_FAILED"))


def peak_memory(device: Any) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return None


def _mlp() -> tuple[Any, Any]:
    return nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 1), nn.Sigmoid()), nn.BCELoss()


def _cnn() -> tuple[Any, Any]:
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    return network, nn.CrossEntropyLoss()


def _tensor(source: Any) -> Any:
    raw = torch.frombuffer(bytearray(source.data), dtype=torch.uint8).reshape(source.shape)
    return (raw.to(torch.float32) - source.zero) * source.scale


def _inputs(source: Any) -> Any:
    """Features as they are; images (N, H, W, C) as (N, C, H, W)."""
    x = _tensor(source)
    return x.permute(0, 3, 1, 2).contiguous() if x.dim() == 4 else x


def _labels(source: Any) -> Any:
    y = _tensor(source)
    return y.to(torch.int64) if y.dim() == 1 else y


def _in_torch_layout(source: Any) -> Any:
    """HWIO to OIHW, (in, out) to (out, in); the dense layer after Flatten counts its inputs as C, H, W."""
    weight = _tensor(source)
    if weight.dim() == 4:
        return weight.permute(3, 2, 0, 1)
    if tuple(weight.shape) == (9216, 128):
        weight = weight.reshape(12, 12, 64, 128).permute(2, 0, 1, 3).reshape(9216, 128)
    return weight.T if weight.dim() == 2 else weight


def _kind(tensor: Any) -> str:
    kind = str(tensor.device.type)
    return "rocm" if kind == "cuda" and torch.version.hip is not None else kind


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")
