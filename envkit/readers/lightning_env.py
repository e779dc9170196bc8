"""Lightning's environment details: "* CUDA:", "* Lightning:", "* Packages:", "* System:"."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import msgspec

from envkit.facts import Facts, Section, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.machine import System
from envkit.facts.software import FrameworkDevice, Package, TorchDeep
from envkit.readers import _installed, _platforms
from envkit.readers._fields import given, parts
from envkit.readers._lines import lines

NAME = "lightning environment details"

_LONGEST_GROUP = 20_000
_GROUP = re.compile(r"^[ \t]*\*[ \t]*(CUDA|Lightning|Packages|System):[ \t]*$", re.MULTILINE | re.IGNORECASE)
_ITEM = re.compile(r"^[ \t]*[-*][ \t]*([A-Za-z][\w.-]{0,60})[ \t]*:[ \t]*([^\n]*)$")
_BARE = re.compile(r"^[ \t]*-[ \t]*([^:\n]{2,80})$")
_OLD_NAMES = {"pytorch-version": "torch"}


def read(text: str) -> Facts | None:
    """System, Python, packages, PyTorch and its GPUs."""
    if "* CUDA:" not in text and "* Packages:" not in text and "* Lightning:" not in text:
        return None
    groups = _groups(text)
    if len(groups) < 2:
        return None
    cuda, cards = groups.get("cuda", ({}, []))
    system = groups.get("system", ({}, []))[0]
    packages: dict[str, Package] = {}
    for group in ("lightning", "packages"):
        for name, version in groups.get(group, ({}, []))[0].items():
            distribution = _OLD_NAMES.get(_installed.normalise(name), _installed.normalise(name))
            if version[:1].isdigit():
                packages.setdefault(distribution, Package(name=distribution, version=version))
    build = given(cuda.get("version"))
    builds = {"torch": _installed.Build("version" in cuda, cuda=build)}
    complete = len(packages) > 20
    found = _installed.sections(
        packages.values(), complete=complete, builds=builds, **_platforms.python(system.get("python", ""))
    )
    found |= _platforms.sections(_system(system))
    if cards:
        found["nvidia"] = ok(Nvidia(gpus=[NvidiaGpu(index=n, name=name) for n, name in enumerate(cards)]))
    return msgspec.structs.replace(Facts(), **found, **_deep(packages, cuda.get("available", ""), cards))


def _groups(text: str) -> dict[str, tuple[dict[str, str], list[str]]]:
    """By group: its "name: value" items, and its GPUs. The first of each group."""
    groups: dict[str, tuple[dict[str, str], list[str]]] = {}
    for heading, content in parts(text, _GROUP, "*"):
        items: dict[str, str] = {}
        cards: list[str] = []
        last = ""
        for line in islice(lines(content[1:]), _LONGEST_GROUP):
            if item := _ITEM.match(line):
                last = item[1]
                items.setdefault(last, item[2].strip())
            elif last == "GPU" and (bare := _BARE.match(line)):
                cards.append(bare[1].strip())
            elif not line.strip():
                break
        groups.setdefault(heading[1].lower(), (items, cards))
    return groups


def _system(items: dict[str, str]) -> System | None:
    machine = given(items.get("processor"))
    architecture = machine if machine and " " not in machine else None
    release = given(items.get("release"))
    if items.get("OS") == "Linux":
        return (
            _platforms.linux_system(release, architecture=architecture)
            if release
            else System(os="linux", architecture=architecture)
        )
    known = {"Darwin": "darwin", "Windows": "windows"}.get(items.get("OS", ""))
    return System(os=known, kernel=release) if known else None


def _deep(packages: dict[str, Package], available: str, cards: list[str]) -> dict[str, Section[Any]]:
    if "torch" not in packages or available not in {"True", "False"}:
        return {}
    devices = [FrameworkDevice(kind="cpu"), *(FrameworkDevice(kind="cuda", name=name) for name in cards)]
    return {
        "torch_deep": ok(
            TorchDeep(
                imported=True,
                version=packages["torch"].version,
                cuda_available=available == "True",
                devices=devices if available == "True" else devices[:1],
            )
        )
    }
