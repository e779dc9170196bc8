"""What Hugging Face's tools print for a bug report: accelerate env, transformers env, diffusers-cli env, trl env."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from envkit.facts import Facts, Section, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.machine import Memory
from envkit.facts.software import FrameworkDevice, Package, TensorflowDeep, TorchDeep
from envkit.readers import _installed, _platforms
from envkit.readers._fields import amount, given, groups
from envkit.readers._lines import first

NAME = "accelerate env"

_LINE = re.compile(
    r"^[ \t]*([-*][ \t]+)?`?(?:🤗[ \t]?|[ \t])?([A-Za-z][\w.-]{0,40})`? version"
    r"(?:[ \t]*\(([^)\n]{0,40})\))?:[ \t]*([^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_PLATFORM = re.compile(r"^[ \t]*(?:[-*][ \t]+)?Platform:[ \t]*([^\n]+)$", re.MULTILINE)
_RAM = re.compile(r"^[ \t]*[-*][ \t]+System RAM:[ \t]*([\d.]+ [KMGT]i?B)", re.MULTILINE)
_GPU = re.compile(r"^[ \t]*(?:[-*][ \t]+)?(?:GPU type|Accelerator):[ \t]*([^\n]+)$", re.MULTILINE)
_VALUE = re.compile(r"(\d\S*)(?:[ \t]+\(([^)\n]*)\))?")
_NAMES = {"pytorch": "torch", "tf": "tensorflow"}
_UNMARKED = frozenset(  # what counts also where the marks of the list were lost
    (
        *("python", "pytorch", "tensorflow", "jax", "jaxlib", "flax", "numpy", "transformers", "huggingface_hub"),
        *("safetensors", "accelerate", "deepspeed", "diffusers", "peft", "bitsandbytes", "xformers", "datasets", "trl"),
    )
)
_TOOLS = ("accelerate", "transformers", "diffusers", "datasets", "huggingface", "peft", "trl")


def read(text: str) -> Facts | None:
    """Python, packages, and whether PyTorch and TensorFlow see an accelerator."""
    lines = [line for line in groups(_LINE, text, " version") if line[0] or line[1].lower() in _UNMARKED]
    if not any(name.lower().startswith(_TOOLS) for _, name, _, _ in lines):
        return None
    packages: dict[str, Package] = {}
    python = ""
    seen: dict[str, str] = {}
    for _, name, _, value in lines:
        match = _VALUE.match(value.strip())
        if name.lower() == "python":
            python = python or value
        elif match:
            package = _installed.normalise(_NAMES.get(name.lower(), name))
            packages.setdefault(package, Package(name=package, version=match[1]))
            seen.setdefault(package, (match[2] or "").lower())
    found = _installed.sections(packages.values(), **_platforms.python(python))
    platform = first(_PLATFORM, text, "Platform:")
    found |= _platforms.sections(_platforms.from_platform(platform[1]) if platform else None)
    if ram := first(_RAM, text, "System RAM:"):
        found["memory"] = ok(Memory(memory_total_bytes=amount(ram[1])))
    gpu = first(_GPU, text, "GPU type:", "Accelerator:")
    card = given(gpu[1]) if gpu else None
    found |= _deep(packages, seen, card)
    if card and any(word in card.lower() for word in ("nvidia", "tesla", "geforce", "quadro")):
        found["nvidia"] = ok(Nvidia(gpus=[NvidiaGpu(index=0, name=card)]))
    return msgspec.structs.replace(Facts(), **found)


def _deep(packages: dict[str, Package], seen: dict[str, str], name: str | None) -> dict[str, Section[Any]]:
    """The word in brackets: True and False of old, now CUDA, MPS, XPU, NA."""
    found: dict[str, Section[Any]] = {}
    word = seen.get("torch", "")
    if word in {"true", "false", "cuda", "na", "cpu"}:
        available = word in {"true", "cuda"}
        devices = [FrameworkDevice(kind="cpu"), *([FrameworkDevice(kind="cuda", name=name)] if available else [])]
        version = packages["torch"].version
        found["torch_deep"] = ok(TorchDeep(imported=True, version=version, cuda_available=available, devices=devices))
    if seen.get("tensorflow") in {"true", "false"}:
        gpu = [FrameworkDevice(kind="cuda")] if seen["tensorflow"] == "true" else []
        version = packages["tensorflow"].version
        found["tensorflow_deep"] = ok(
            TensorflowDeep(imported=True, version=version, devices=[FrameworkDevice(kind="cpu"), *gpu])
        )
    return found
