"""The reports of MMEngine, of Detectron2, which lays them out as a table, and of SGLang."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from envkit.facts import Facts, Section, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode, Nvidia, NvidiaGpu
from envkit.facts.machine import System
from envkit.facts.software import FrameworkDevice, Package, TorchDeep
from envkit.readers import _installed, _platforms
from envkit.readers._fields import given, groups
from envkit.readers._lines import first

NAME = "mmengine, detectron2 or sglang environment"

_LINE = re.compile(r"^[ \t]*([A-Za-z][\w.]*(?: [\w.,]+){0,4})(?::[ \t]+|[ \t]{2,})([^\n]*)$", re.MULTILINE)
_MARKS = ("CUDA available", "GPU available", "ROCM available", "sys.platform")
_VERSION = re.compile(r"\d{1,2}\.\d")
_AVAILABLE = ("CUDA available", "GPU available", "ROCM available")
_GPUS = re.compile(r"GPU ([\d,]{1,100})$")
_CAPABILITY = re.compile(r"GPU ([\d,]{1,100}) Compute Capability$")
_ARCH = re.compile(r"(.*?) \(arch=(\d+\.\d+)\)")
_RUNTIME = re.compile(r"^[ \t]*-[ \t]*CUDA Runtime (\d+\.\d+)", re.MULTILINE)
_FLAGS = re.compile(r"^[ \t]*-[ \t]*NVCC architecture flags: ([^\n]*)", re.MULTILINE)
_CODE = re.compile(r"code=((?:sm|compute)_\d{2,3}[af]?)")
_TOOLKIT = re.compile(r"\bV(\d+\.\d+(?:\.\d+)?)")
_PACKAGES = {"pytorch": "torch", "cv2": "opencv-python", "opencv": "opencv-python", "pil": "pillow", "zmq": "pyzmq"}
_COMPILERS = {"CUDA compiler": "detectron2", "Detectron2 CUDA Compiler": "detectron2", "MMCV CUDA Compiler": "mmcv"}
_NO_PACKAGES = frozenset(("python", "gcc", "cuda_home", "nvcc", "compiler", "msvc", "cudnn"))


def read(text: str) -> Facts | None:
    """Python, PyTorch, the packages beside it, GPUs and driver."""
    if not any(mark in text for mark in _MARKS) or "PyTorch" not in text:
        return None
    fields: dict[str, str] = {}
    for name, value in groups(_LINE, text, ":", "  "):
        fields.setdefault(name, value.strip())
    available = next((fields[name] for name in _AVAILABLE if name in fields), "")
    torch = fields.get("PyTorch", "")
    if not available.startswith(("True", "False")) or not torch[:1].isdigit():
        return None
    version = torch.split()[0]
    packages = {"torch": Package(name="torch", version=version, location=_folder(torch))}
    for name, value in fields.items():
        if " " not in name and value[:1].isdigit() and name.lower() not in _NO_PACKAGES:
            package = _installed.normalise(_PACKAGES.get(name.lower(), name))
            packages.setdefault(package, Package(name=package, version=value.split()[0]))
    for label, package in _COMPILERS.items():
        if package in packages and (cuda := _VERSION.search(fields.get(label, ""))):
            packages[package] = msgspec.structs.replace(packages[package], built_for_cuda=cuda[0])
    builds = {}
    if runtime := first(_RUNTIME, text, "CUDA Runtime "):
        builds["torch"] = _installed.Build(True, cuda=runtime[1])
    found = _installed.sections(packages.values(), builds=builds, **_platforms.python(fields.get("Python", "")))
    if toolkit := _TOOLKIT.search(fields.get("NVCC", "")):
        found["system"] = ok(System(cuda_toolkit_version=toolkit[1]))
    flags = first(_FLAGS, text, "NVCC architecture flags: ")
    deep = TorchDeep(
        imported=True,
        version=version,
        cuda_available=available.startswith("True"),
        arch_list=list(dict.fromkeys(_CODE.findall(flags[1]))) or None if flags else None,
    )
    return msgspec.structs.replace(Facts(), **found, **_accelerators(fields, deep))


def _folder(words: str) -> str:
    """Of "1.4.0+cu100 @/usr/lib/python3/dist-packages/torch"."""
    return words.partition("@")[2].removesuffix("/torch")


def _accelerators(fields: dict[str, str], deep: TorchDeep) -> dict[str, Section[Any]]:
    names, capabilities = _by_index(fields, _GPUS), _by_index(fields, _CAPABILITY)
    if "ROCM available" in fields:
        return _of_amd(fields, deep, names)
    driver = given(fields.get("CUDA Driver Version") or fields.get("Driver version"))
    gpus = []
    for index, name in sorted(names.items()):
        arch = _ARCH.match(name)
        capability = arch[2] if arch else capabilities.get(index, "")
        gpus.append(
            NvidiaGpu(
                index=index,
                name=arch[1] if arch else name,
                compute_capability=capability if _VERSION.fullmatch(capability) else None,
            )
        )
    devices = [FrameworkDevice(kind="cuda", name=gpu.name, compute_capability=gpu.compute_capability) for gpu in gpus]
    seen = [FrameworkDevice(kind="cpu"), *(devices if deep.cuda_available else [])]
    found: dict[str, Section[Any]] = {"torch_deep": ok(msgspec.structs.replace(deep, devices=seen))}
    if gpus or driver:
        found["nvidia"] = ok(Nvidia(driver_version=driver, gpus=gpus or None))
    return found


def _of_amd(fields: dict[str, str], deep: TorchDeep, names: dict[int, str]) -> dict[str, Section[Any]]:
    seen = [FrameworkDevice(kind="rocm", name=name) for _, name in sorted(names.items()) if deep.cuda_available]
    devices = [FrameworkDevice(kind="cpu"), *seen]
    found: dict[str, Section[Any]] = {"torch_deep": ok(msgspec.structs.replace(deep, devices=devices))}
    if names:
        gpus = [AmdGpu(name=name) for _, name in sorted(names.items())]
        kfd = DeviceNode(path="/dev/kfd")  # PyTorch has named its GPUs, so it is there
        driver = given(fields.get("ROCM Driver Version"))
        found["amd"] = ok(Amd(gpus=gpus, driver_version=driver, device_nodes=[kfd]))
    return found


def _by_index(fields: dict[str, str], label: re.Pattern[str]) -> dict[int, str]:
    """The value of "GPU 0,1: ..." by index."""
    return {
        int(index): value
        for name, value in fields.items()
        if (match := label.match(name)) and given(value)
        for index in match[1].split(",")
        if index and len(index) < 4
    }
