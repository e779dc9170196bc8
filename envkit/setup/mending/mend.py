"""What safe remedies are to change in an environment, read from their commands. Pure, but for paths being joined.

The commands that a remedy prints are what is done, no more: packages installed and removed (`uv pip`), folders of the
environment removed (`rm -r`), its bytecode removed (`find ... __pycache__`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from envkit.checks._packages import remove_bytecode
from envkit.facts.software import Package as Installed
from envkit.facts.software import Python
from envkit.setup.plan import Move
from envkit.setup.resolving.pylock import Package
from envkit.versions import parse_requirement

STEADY = ("torch", "tensorflow", "tensorflow-cpu", "jax", "jaxlib", "keras")
"""Programs are written for their versions: only what a remedy names of them changes."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become different in an environment."""

    install: list[str] = []
    """Requirements."""
    anew: list[str] = []
    """Names of packages that are installed again, whatever their version is."""
    remove: list[str] = []
    """Names of packages."""
    clear: list[str] = []
    """Files and folders inside the environment."""
    bytecode: bool = False
    """Every __pycache__ of the environment is removed."""
    torch_backend: str = ""

    @property
    def packages(self) -> list[str]:
        """Names of all packages that are touched."""
        return list(dict.fromkeys([*_names(self.install), *self.anew, *self.remove]))


def read(commands: Iterable[list[str]], python: Python) -> Changes | None:
    """What a remedy's commands change in the environment of `python`; None where they do anything else too."""
    whole = Changes()
    for command in commands:
        change = _one(command, python)
        merged = together(whole, change) if change else None
        if merged is None:
            return None
        whole = merged
    return whole if whole != Changes() else None


def together(first: Changes, second: Changes) -> Changes | None:
    """Both; None where they want PyTorch from two indexes. What is removed and installed is installed anew."""
    if first.torch_backend and second.torch_backend and first.torch_backend != second.torch_backend:
        return None
    install = _unique(first.install, second.install)
    coming, going = set(_names(install)), _unique(first.remove, second.remove)
    return Changes(
        install=install,
        anew=_unique(first.anew, second.anew, (name for name in going if name in coming)),
        remove=[name for name in going if name not in coming],
        clear=_unique(first.clear, second.clear),
        bytecode=first.bytecode or second.bytecode,
        torch_backend=first.torch_backend or second.torch_backend,
    )


def _one(command: list[str], python: Python) -> Changes | None:
    """What one command changes; None for any that is not known here."""
    for verb in ("install", "uninstall"):
        start = ["uv", "pip", verb, "--python", python.executable]
        if python.executable and command[: len(start)] == start:
            words = command[len(start) :]
            return Changes(remove=words) if verb == "uninstall" and not _options(words) else _install(words)
    prefix = python.prefix
    if command[:2] == ["rm", "-r"] and all(_inside(path, prefix) for path in command[2:]):
        return Changes(clear=command[2:])
    if command == remove_bytecode(prefix):
        return Changes(bytecode=True)
    return None


def _install(words: list[str]) -> Changes | None:
    """What `--reinstall --reinstall-package NAME --torch-backend=cpu REQUIREMENT...` changes."""
    requirements, anew, backend, everything = [], [], "", False
    waiting = iter(words)
    for word in waiting:
        if word == "--reinstall":
            everything = True
        elif word == "--reinstall-package":
            anew.append(next(waiting, ""))
        elif word.startswith("--torch-backend="):
            backend = word.partition("=")[2]
        elif word.startswith("-") or parse_requirement(word) is None:
            return None
        else:
            requirements.append(word)
    return Changes(
        install=requirements, anew=anew or (list(_names(requirements)) if everything else []), torch_backend=backend
    )


def settled(changes: Changes, python: Python) -> Changes:
    """The changes without pins of the very version that is installed, where another requirement moves the package."""
    packages = installed(python)
    others = Counter(_names(line for line in changes.install if not _is_pin(line, packages)))
    install = [line for line in changes.install if not (_is_pin(line, packages) and others[next(_names([line]))])]
    return replace(changes, install=install)


def _is_pin(line: str, packages: Mapping[str, Installed]) -> bool:
    name, _, version = line.partition("==")
    return name in packages and packages[name].version == version


def untouchable(python: Python) -> str:
    """Why an environment is left alone, "" where it may be mended."""
    if python.conda:
        return "it is conda's"
    if python.externally_managed:
        return "it belongs to the operating system"
    return "" if python.virtual_environment else "it is no virtual environment"


def out_of_reach(changes: Changes, python: Python) -> str:
    """Why a package cannot be changed with the others, "" where all can."""
    packages = installed(python)
    for name in changes.packages:
        package = packages.get(name)
        if package and package.direct:
            return f"{name} is installed from a folder, a repository or a URL"
        if package and package.location and not _inside(package.location, python.prefix):
            return f"{name} lies outside the environment, in {package.location}"
    return ""


def kept(changes: Changes, python: Python) -> list[Installed]:
    """The packages that nobody asked to change."""
    touched = set(changes.packages)
    return [package for name, package in installed(python).items() if name not in touched]


def constraints(changes: Changes, python: Python) -> list[list[str]]:
    """What a resolution has to observe, the best first.

    All others stay as they are and get what they require; or only the frameworks stay as they are; or all do, whatever
    they require: somebody may live with a requirement that is not met, and judging the outcome tells new ones.
    """
    packages = kept(changes, python)
    pins = {p.name: f"{p.name}=={p.version}" for p in packages if p.version and not p.direct}
    needed = required(packages)
    of_others = [line for line in needed if next(_names([line]), "") not in pins]
    steady = [pin for name, pin in pins.items() if name in STEADY]
    return [[*pins.values(), *of_others], [*steady, *needed], [*pins.values()]]


def required(packages: Iterable[Installed]) -> list[str]:
    """What packages require, as constraints."""
    return _unique(line for package in packages for line in _plain(package.requires))


def moves(changes: Changes, locked: list[Package], python: Python) -> list[Move]:
    """What becomes of each package: those that a lock changes, those installed anew, those removed."""
    packages = installed(python)
    have = {name: package.version or "" for name, package in packages.items()}
    have |= {name: " and ".join(versions) for name, versions in python.duplicates.items()}
    fetched = [
        Move(name=p.name, before=have.get(p.name, ""), after=p.version, size_bytes=p.size_bytes)
        for p in locked
        if have.get(p.name) != p.version or p.name in changes.anew
    ]
    return fetched + [Move(name=name, before=have[name]) for name in changes.remove if name in have]


def installed(python: Python) -> dict[str, Installed]:
    """The packages by name; of two of one name the first on sys.path."""
    return {package.name: package for package in reversed(python.packages)}


def _plain(requires: Iterable[str]) -> Iterator[str]:
    """Requirements as constraints: with a version, without an address, and of no extra."""
    for line in requires:
        r = parse_requirement(line)
        if r and r.specifiers and "extra" not in r.marker:
            yield f"{r.name}{r.specifiers}" + (f" ; {r.marker}" if r.marker else "")


def _names(requirements: Iterable[str]) -> Iterator[str]:
    yield from (r.name for r in map(parse_requirement, requirements) if r)


def _options(words: list[str]) -> bool:
    return any(word.startswith("-") for word in words)


def _inside(path: str, folder: str) -> bool:
    return bool(folder) and os.path.normpath(path).startswith(os.path.normpath(folder) + os.sep)


def _unique(*lists: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(item for each in lists for item in each))
