"""Environment variables that change how Python, the frameworks and containers work: env, export, vLLM's list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from envkit.facts import Facts, Section, ok
from envkit.facts.machine import Container
from envkit.readers import _installed
from envkit.readers._lines import MOST, lines

NAME = "environment variables"

_FAMILIES = (
    *(
        "CUDA",
        "NVIDIA",
        "HIP",
        "ROCR",
        "HSA",
        "NCCL",
        "GLOO",
        "TF",
        "XLA",
        "JAX",
        "TORCH",
        "PYTORCH",
        "OMP",
        "MKL",
        "KMP",
    ),
    *("VLLM", "KERAS"),
)
_SINGLE = (
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "VIRTUAL_ENV", "CONDA_PREFIX"),
    "CONDA_DEFAULT_ENV",
)
_LINE = re.compile(
    r"[ \t]*(?:export[ \t]+|declare -x[ \t]+|ENV[ \t]+)?"
    rf"((?:{'|'.join(_FAMILIES)})_[A-Z0-9_]{{2,60}}|{'|'.join(_SINGLE)})=(.*)$"
)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|TF_VAR|CREDENTIAL")
_WITH_BLANKS = frozenset(("NVIDIA_REQUIRE_CUDA", "XLA_FLAGS", "TF_XLA_FLAGS", "TORCH_CUDA_ARCH_LIST", "KMP_AFFINITY"))


def read(text: str) -> Facts | None:
    """Python's environment, and what the container runtime was asked to pass in."""
    found: dict[str, str] = {}
    for name, value in _assignments(text):
        found.setdefault(name, value)
    if not found:
        return None
    sections: dict[str, Section[Any]] = {"python": _installed.sections([], environment=found)["python"]}
    if "NVIDIA_VISIBLE_DEVICES" in found:  # images and container runtimes set it, nobody else does
        sections["container"] = ok(
            Container(
                evidence="NVIDIA_VISIBLE_DEVICES is set",
                nvidia_visible_devices=found["NVIDIA_VISIBLE_DEVICES"],
                nvidia_driver_capabilities=found.get("NVIDIA_DRIVER_CAPABILITIES"),
                nvidia_require=found.get("NVIDIA_REQUIRE_CUDA"),
            )
        )
    return msgspec.structs.replace(Facts(), **sections)


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Not a variable before a command ("CUDA_VISIBLE_DEVICES=0 python train.py"), and nothing secret."""
    told = (match for line in lines(text) if "=" in line and (match := _LINE.match(line)))
    for name, words in (match.groups() for match in islice(told, MOST)):
        value = words.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        if not _SECRET.search(name) and (quoted or " " not in value or name in _WITH_BLANKS):
            yield name, value[1:-1] if quoted else value
