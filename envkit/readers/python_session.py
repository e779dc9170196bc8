"""A session or one-liners that ask Python: "torch.cuda.is_available()" and what was answered; python -V."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from envkit.facts import Facts, Section, ok
from envkit.facts.software import Package, TorchDeep
from envkit.readers import _installed, _platforms
from envkit.readers._fields import groups

NAME = "python session"

_QUESTION = re.compile(
    r"(\b(?:torch|torchvision|torchaudio|tf|tensorflow|jax|jaxlib|np|numpy|triton)\.__version__"
    r"|\btorch\.version\.(?:cuda|hip)|\btorch\.cuda\.is_available\(\))[ \t]*[)]{0,2}[\"']?[ \t]*\n"
    r"[ \t]*(?:Out\[\d{1,5}\]:[ \t]*)?'?(\d+\.\d+[\w.+]*|True|False|None)'?[ \t]*(?=\n|$)"
)
_PYTHON = re.compile(
    r"^[^\n]{0,80}?\bpython[\d.]* (?:-V|--version)[ \t]*\n[ \t]*Python (\d+\.\d+[^\n]*)$", re.MULTILINE
)
_BANNER = re.compile(r"^[ \t]*Python (\d+\.\d+\.\d+[^\n]*) on (linux|win32|darwin)", re.MULTILINE)
_NAMES = {"tf": "tensorflow", "np": "numpy"}


def read(text: str) -> Facts | None:
    """Versions of Python and the frameworks, PyTorch's CUDA, and whether it could be used."""
    answers: dict[str, str] = {}
    for question, answer in groups(_QUESTION, text) if "__version__" in text or "torch." in text else ():
        answers.setdefault(question, answer)
    python = _PYTHON.search(text) or _BANNER.search(text) if "Python " in text else None
    if not answers and not python:
        return None
    versions = {
        _NAMES.get(name, name): answer
        for question, answer in answers.items()
        if (name := question.removesuffix(".__version__")) != question and answer[:1].isdigit()
    }
    cuda, hip = answers.get("torch.version.cuda"), answers.get("torch.version.hip")
    builds = {"torch": _installed.Build(bool(cuda or hip), cuda=_version(cuda), hip=_version(hip))}
    packages = [Package(name=name, version=version) for name, version in versions.items()]
    found: dict[str, Section[Any]] = _installed.sections(
        packages, builds=builds, **_platforms.python(python[1] if python else "")
    )
    available = answers.get("torch.cuda.is_available()")
    if available:
        found["torch_deep"] = ok(
            TorchDeep(imported=True, version=versions.get("torch"), cuda_available=available == "True")
        )
    return msgspec.structs.replace(Facts(), **found)


def _version(answer: str | None) -> str | None:
    return answer if answer and answer[:1].isdigit() else None
