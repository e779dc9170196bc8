"""A session or one-liners that ask Python: "torch.cuda.is_available()" and what was answered; python -V."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from envkit.facts import Facts, Section, ok
from envkit.facts.software import Package, TorchDeep
from envkit.readers import _installed, _platforms
from envkit.readers._lines import MOST, first, starts

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
    for question, answer in _answers(text):
        answers.setdefault(question, answer)
    python = first(_PYTHON, text, " -V", " --version") or first(_BANNER, text, "Python ")
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


def _answers(text: str) -> Iterator[tuple[str, str]]:
    """Questions that end their line, with the answer on the next."""
    asking = starts(text, ".__version__", "torch.version.", "torch.cuda.is_available()")
    for start in islice(asking, MOST):
        asked = text.find("\n", start)
        answered = text.find("\n", asked + 1) if asked >= 0 else -1
        if match := _QUESTION.search(text, start, answered + 1 if answered >= 0 else len(text)):
            yield match[1], match[2]


def _version(answer: str | None) -> str | None:
    return answer if answer and answer[:1].isdigit() else None
