"""What new packages cannot live beside: others whose requirements they break, or whose files they overwrite. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from envkit.checks._packages import COMPANIONS, TENSORFLOWS
from envkit.errors import SetupError
from envkit.facts.software import Package as Installed
from envkit.facts.software import Python
from envkit.setup.mending import mend
from envkit.setup.mending.mend import Changes
from envkit.setup.resolving.pylock import Package
from envkit.versions import marker_holds, parse_requirement, satisfies

CUDA = re.compile(r"-cu(?:da)?\d+x?(?=-|$)")


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """A package that is to come, and one that stays and cannot live with it."""

    coming: str
    """"protobuf 6.31.1"."""
    staying: str
    """"onnx 1.14.0"."""
    needs: str
    """What the second requires: "protobuf<5"."""

    def __str__(self) -> str:
        return f"it takes {self.coming}, but {self.staying}, which is installed, needs {self.needs}"


def broken(
    locked: Iterable[Package], python: Python, environment: Mapping[str, str], *, remove: Collection[str] = ()
) -> list[Clash]:
    """The requirements of what stays that a resolution does not meet.

    Args:
        locked: what is to be installed.
        python: the environment as it is.
        environment: the variables of PEP 508 markers there.
        remove: names of packages that go.
    """
    coming = {package.name: package for package in locked}
    return [
        Clash(
            coming=f"{requirement.name} {coming[requirement.name].version}",
            staying=_named(package),
            needs=requirement.name + requirement.specifiers,
        )
        for package in _staying(python, [*coming, *remove])
        for requirement in filter(None, map(parse_requirement, package.requires))
        if requirement.name in coming
        and marker_holds(requirement.marker, environment) is not False
        and satisfies(coming[requirement.name].version, requirement.specifiers) is False
    ]


def prepared(changes: Changes, python: Python) -> Changes:
    """The changes with what belongs to them, known before anything is resolved.

    Of several TensorFlows, which all install one module, that which is asked for stays. PyTorch's companions are
    built for one build of it, and come along.
    """
    asked, there = set(changes.packages), mend.installed(python)
    going = [name for name in TENSORFLOWS if name in there and name not in asked and asked & set(TENSORFLOWS)]
    anew = [name for name in TENSORFLOWS if name in asked and name in there and going]
    along = [name for name in COMPANIONS if "torch" in asked and name in there and name not in asked]
    return replace(
        changes,
        install=[*changes.install, *along],
        remove=[*changes.remove, *going],
        anew=[*changes.anew, *anew],
    )


def cleared(changes: Changes, locked: list[Package], python: Python) -> Changes:
    """The changes with the removal of what a resolution leaves without a purpose, or whose files it would overwrite.

    That is: builds for another CUDA version of what is installed, and packages that own the same files. What they have
    overwritten is installed anew, and so is what is there twice.

    Raises:
        SetupError: something that stays needs what would have to go.
    """
    coming = {package.name for package in locked}
    staying = _staying(python, [*coming, *changes.remove])
    builds = {_family(name): name for name in sorted(coming)}
    same_files = {p.name: builds[_family(p.name)] for p in staying if CUDA.search(p.name) and _family(p.name) in builds}
    anew = [name for name in python.duplicates if name in coming]
    for collision in python.collisions:
        mine = [name for name in collision.packages if name in coming]
        others = [name for name in collision.packages if name not in coming]
        if mine and others:
            anew += mine
            same_files |= {name: mine[0] for name in others if name not in changes.remove}
    going = set(same_files)
    while needed := {
        name: user for name in going for user in staying if user.name not in going and name in _needs(user)
    }:
        for name, user in needed.items():
            other = same_files[name]
            if CUDA.search(other) or not CUDA.search(name):  # else they lie apart, as CUDA 13's do from CUDA 12's
                raise SetupError(
                    f"{Clash(coming=other, staying=_named(user), needs=name)}, and both own the same files"
                )
        going -= set(needed)
    return replace(
        changes,
        remove=[*changes.remove, *(name for name in same_files if name in going)],
        anew=list(dict.fromkeys([*changes.anew, *anew])),
    )


def _staying(python: Python, others: Collection[str]) -> list[Installed]:
    return [package for name, package in mend.installed(python).items() if name not in others]


def _needs(package: Installed) -> Iterator[str]:
    """Names of what a package requires, if only under some condition."""
    return (r.name for r in map(parse_requirement, package.requires) if r)


def _family(name: str) -> str:
    """What a library is called, whatever CUDA it is for: "nvidia-cudnn-cu12" -> "nvidia-cudnn"."""
    return CUDA.sub("", name)


def _named(package: Installed) -> str:
    return f"{package.name} {package.version or ''}".strip()
