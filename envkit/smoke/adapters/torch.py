"""Smoke in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

VERSION: str = torch.__version__
FORM: str = "torch"
KINDS = ("cpu", "cuda", "rocm", "mps", "xpu")

CLASSES = {"cnn", "cnn-smooth", "transformer"}
"""Cases whose targets are numbers of classes."""
LOSS_SCALES = {"float16": 1024.0}
"""Of autocast: the gradients of small losses are 0 in float16 without it. Fixed, so that no step is left out."""


def open_device(kind: str, index: int = 0) -> tuple[Any, str]:
    if kind not in KINDS:
        raise LookupError(f"PyTorch's adapter knows no device {kind!r}")
    hip = torch.version.hip is not None
    if kind == "cuda" and hip:
        raise LookupError(f"this PyTorch is built for ROCm {torch.version.hip}, not for CUDA")
    if kind == "rocm" and not hip:
        raise LookupError("this PyTorch is not built for ROCm")
    driver = {"cuda": torch.cuda, "rocm": torch.cuda, "xpu": getattr(torch, "xpu", None)}.get(kind)
    if driver and 0 < driver.device_count() <= index:
        raise LookupError(f"there is no {kind}:{index}; PyTorch sees {driver.device_count()}")
    try:
        device = torch.device("cuda" if kind == "rocm" else kind, None if kind == "cpu" else index)
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError) as error:  # what torch raises differs by device and version
        if out_of_memory(error):
            raise
        raise LookupError(str(error).partition("\n")[0]) from error
    if device.type == "cuda":
        return device, torch.cuda.get_device_name(device)
    return device, torch.xpu.get_device_name(device) if kind == "xpu" else kind


class Network:
    """One model with its weights and its optimizer on a device."""

    def __init__(self, models: Any, case: Any, device: Any, dtype: str, variant: str) -> None:
        _allow_tf32(device, dtype)
        self.case, self.device, self.scale = case, device, LOSS_SCALES.get(dtype, 1.0)
        self.dtype = _float(dtype)
        self.low = getattr(torch, dtype) if dtype in {"bfloat16", "float16"} else None
        network, self.loss_function, layout = models.MODELS[case.name]()
        network.to(device, self.dtype)
        parameters = dict(network.named_parameters())
        self.tensors = {name: (parameters[own], view) for name, (own, view) in layout.items()}
        with torch.no_grad():
            for weight in case.weights:
                view = self._view(weight.name)
                view.copy_(_tensor(weight).reshape(view.shape))
        self.trained = [parameter for parameter in parameters.values() if parameter.requires_grad]
        self.optimizer = _optimizer(case.optimizer, self.trained)
        self.network = torch.compile(network, dynamic=False) if variant == "compiled" else network
        self.batches = [self._batch(*batch) for batch in case.batches]
        self.seen: list[tuple[str, str, str]] = []

    def gradient(self, x: Any, y: Any) -> tuple[float, dict[str, list[float]]]:
        loss, output = self._backward(*self._batch(x, y))
        gradients = {name: self._view(name, "grad") for name in self.tensors}
        self.seen = [_where(f"gradient of {name}", gradient) for name, gradient in gradients.items()]
        self.seen.append(_where("output", output))
        return loss, {name: _list(gradient) for name, gradient in gradients.items()}

    def step(self, number: int) -> float:
        loss, _ = self._backward(*self.batches[number % len(self.batches)], self.optimizer)
        return loss

    def parameters(self) -> dict[str, list[float]]:
        return {name: _list(self._view(name)) for name in self.tensors}

    def where(self) -> list[tuple[str, str, str]]:
        return [*(_where(name, parameter) for name, (parameter, _) in self.tensors.items()), *self.seen]

    def _backward(self, x: Any, y: Any, optimizer: Any = None) -> tuple[float, Any]:
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, self.low) if self.low else nullcontext():
            output = self.network(x)
            loss = self.loss_function(output, y)
        (loss * self.scale).backward()
        for parameter in self.trained if self.scale != 1 else ():
            parameter.grad.div_(self.scale)
        if optimizer:
            optimizer.step()
        return float(loss.detach()), output  # waits for all that is queued on the device, the optimizer's step included

    def _view(self, name: str, of: str = "data") -> Any:
        """A parameter, or its gradient, in the layout of the case; 0 where there is no gradient."""
        parameter, view = self.tensors[name]
        tensor = getattr(parameter, of)
        return view(torch.zeros_like(parameter) if tensor is None else tensor)

    def _batch(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Images (N, H, W, C) as (N, C, H, W); letters and classes as integers."""
        inputs, targets = _tensor(x), _tensor(y)
        if inputs.dim() == 4:
            # Not contiguous(): with one channel it would leave the strides of NHWC, for which there are other kernels.
            inputs = inputs.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
        inputs = inputs.to(self.device, torch.int64 if self.case.name == "transformer" else self.dtype)
        return inputs, targets.to(self.device, torch.int64 if self.case.name in CLASSES else self.dtype)


build = Network


def optimize(optimizer: Any, prescribed: Any, device: Any, dtype: str, variant: str) -> list[float]:
    number = _float(dtype)
    start, gradients = prescribed
    values = nn.Parameter(torch.tensor(start, dtype=number, device=device))
    steps = torch.tensor(gradients, dtype=number, device=device)
    values.grad = torch.zeros_like(values)
    update = _optimizer(optimizer, [values]).step
    update = torch.compile(update) if variant == "compiled" else update
    for gradient in steps:
        values.grad.copy_(gradient)  # compiled code is tied to the tensor
        update()
    return _list(values)


def out_of_memory(error: BaseException) -> bool:
    """By what it says: PyTorch, cuBLAS, cuDNN and the CPU's allocator raise different types for it."""
    return any(words in str(error) for words in ("out of memory", "can't allocate memory", "_STATUS_ALLOC_FAILED"))


def determinism(device: Any) -> Any:
    """On CUDA cuBLAS promises it only where CUBLAS_WORKSPACE_CONFIG said so before it was loaded."""
    return _deterministic() if device.type == "cpu" else None


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def memory(device: Any) -> tuple[int, int] | None:
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device)), int(torch.cuda.max_memory_allocated(device))
    return None


def _optimizer(wanted: Any, parameters: list[Any]) -> Any:
    if wanted.name == "sgd":
        return torch.optim.SGD(parameters, lr=wanted.learning_rate, momentum=wanted.momentum)
    kind = torch.optim.AdamW if wanted.name == "adamw" else torch.optim.Adam
    betas = (wanted.beta1, wanted.beta2)
    return kind(parameters, wanted.learning_rate, betas, wanted.epsilon, weight_decay=wanted.weight_decay)


def _allow_tf32(device: Any, dtype: str) -> None:
    if dtype == "tf32" and (device.type != "cuda" or torch.version.hip is not None):
        raise LookupError(f"{device.type} has no TF32 in PyTorch")
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = dtype == "tf32"


def _float(dtype: str) -> Any:
    return torch.float64 if dtype == "float64" else torch.float32


def _tensor(source: Any) -> Any:
    raw = torch.frombuffer(bytearray(source.data), dtype=torch.uint8).reshape(source.shape)
    return (raw.to(torch.float32) - source.zero) * source.scale


def _list(tensor: Any) -> list[float]:
    values: list[float] = tensor.detach().cpu().to(torch.float64).flatten().tolist()  # MPS has no float64
    return values


def _where(name: str, tensor: Any) -> tuple[str, str, str]:
    kind = str(tensor.device)
    if torch.version.hip is not None:
        kind = kind.replace("cuda", "rocm")
    return name, kind, str(tensor.dtype).removeprefix("torch.")
