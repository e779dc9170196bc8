"""The line that Ultralytics prints before it works: "Ultralytics 8.3.0 Python-3.11.10 torch-2.5.1+cpu CPU (...)"."""

from __future__ import annotations

import re

import msgspec

from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.software import FrameworkDevice, Package, TorchDeep
from envkit.readers import _installed
from envkit.readers._fields import amount

NAME = "ultralytics"

_LINE = re.compile(r"Python-(\d[\w.]*)[ \t]+torch-(\d\S*)[ \t]*(.*)")
_TOOL = re.compile(r"YOLO|Ultralytics(?:[^\d\n]{0,20}(\d+\.\d+\.\d+))?")
_GPU = re.compile(r"CUDA:(\d{1,3}) \(([^,()\n]+), ([\d.]+)Mi?B\)")


def read(text: str) -> Facts | None:
    """Python, PyTorch, and the device that it is to train on."""
    match = _LINE.search(text) if " torch-" in text and "Python-" in text else None
    tool = _TOOL.search(text[max(0, match.start() - 120) : match.start()]) if match else None
    if match is None or tool is None:
        return None
    python, torch, device = match.groups()
    packages = [Package(name="torch", version=torch)]
    if tool[1]:
        packages.append(Package(name="ultralytics", version=tool[1]))
    found = _installed.sections(packages, version=python)
    gpus = [
        NvidiaGpu(index=int(index), name=name, memory_total_bytes=amount(f"{memory} MiB"))
        for index, name, memory in _GPU.findall(text[match.start() : match.end() + 4000])
    ]
    if gpus:
        found["nvidia"] = ok(Nvidia(gpus=gpus))
    devices = [FrameworkDevice(kind="cuda", name=gpu.name, memory_total_bytes=gpu.memory_total_bytes) for gpu in gpus]
    available = True if gpus else None  # "CPU" may be what the user asked for
    deep = TorchDeep(
        imported=True, version=torch, cuda_available=available, devices=[FrameworkDevice(kind="cpu"), *devices]
    )
    if gpus or device:
        found["torch_deep"] = ok(deep)
    return msgspec.structs.replace(Facts(), **found)
