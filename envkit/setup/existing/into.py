"""A profile into an environment that exists: only what must change changes, in a copy that then takes its place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from envkit.checks._packages import marker_environment
from envkit.errors import InputError, SetupError
from envkit.facts import Facts
from envkit.facts.software import Package as Installed
from envkit.facts.software import Python
from envkit.profile import Profile
from envkit.setup.mending import clash, mend
from envkit.setup.mending.align import Resolver, resolve_beside
from envkit.setup.mending.mend import Changes
from envkit.setup.mending.plan import mending_plan
from envkit.setup.plan import Plan
from envkit.setup.sources.configured import Sources
from envkit.setup.target import check_target
from envkit.setup.uv import find_uv
from envkit.versions import normalise, parse_requirement, satisfies

NEW_ONE = "A new environment: envkit setup --venv DIR"
_METADATA = re.compile(r"site-packages/([^/]+)\.(?:dist|egg)-info(?:/|$)")


class CondaRecord(msgspec.Struct, frozen=True):
    """What conda-meta/NAME-VERSION-BUILD.json tells of one package."""

    name: str = ""
    files: list[str] = []


def interpreter_in(path: str) -> Path:
    """The absolute path of the Python of an existing environment.

    Args:
        path: the folder of the environment, or its Python.

    Raises:
        InputError: there is none.
    """
    place = Path(path).expanduser().absolute()
    if place.is_file():
        return place
    if not place.is_dir():
        raise InputError(f"--into {path}: there is no such environment", hint=f"{NEW_ONE[:-3]}{path}")
    if (place / "Scripts/python.exe").exists() or (place / "python.exe").exists():
        raise InputError(f"--into {path}: this is an environment of Windows", hint=NEW_ONE)
    python = place / "bin/python"
    if python.is_symlink() and not python.exists():
        gone = python.resolve()
        raise InputError(f"--into {path}: the Python that it was made from is gone: {gone}", hint=NEW_ONE)
    if not python.exists():
        raise InputError(f"--into {path}: this folder is no environment: it has no bin/python", hint=NEW_ONE)
    return python


def environment_of(python: Python) -> Path:
    """The folder of the environment of an inspected Python, which may be changed.

    Raises:
        InputError: it is no environment, or one that is not for envkit to change.
    """
    if not (python.virtual_environment or python.conda):
        whose = (
            "the system's Python, which its distribution manages" if python.externally_managed else "a Python itself"
        )
        raise InputError(
            f"{python.executable} is {whose}, and no environment",
            hint=f"{NEW_ONE}; in a container also: envkit setup --system --python {python.executable}",
        )
    prefix = Path(python.prefix)
    if python.conda and not python.virtual_environment and _is_base(prefix):
        raise InputError(
            f"{prefix} is conda's own environment (base), which is left alone",
            hint="Make another one: conda create --name NAME python=3.12",
        )
    target, replaces = check_target(prefix, conda=python.conda)
    if not replaces:
        raise InputError(f"{prefix} is no environment", hint=NEW_ONE)
    return target


def into_plan(
    profile: Profile,
    facts: Facts,
    *,
    target: Path,
    folder: Path,
    sources: Sources,
    environ: Mapping[str, str],
    on_idle: Callable[[int], None],
    judge: bool = True,
    prove: bool = True,
    running: int = 0,
) -> Plan | None:
    """What must change for an environment to have what the profile names; None where nothing must.

    Args:
        profile: what is asked for.
        facts: with the sections system and python, of the environment.
        target: its folder, from environment_of.
        folder: where the lock is written, kept until the plan was applied.
        sources: where packages come from.
        environ: the environment variables.
        on_idle: called with uv's pid now and then.
        judge: let doctor judge the copy before it is put in place.
        prove: let it train (smoke), too.
        running: how many programs run from it.

    Raises:
        InputError: what would have to change is not envkit's to change; the profile names no packages.
        SetupError: no source offers it, or it cannot live beside something that is installed.
    """
    inspected = facts.python.facts
    if inspected is None:
        raise SetupError(f"the Python of {target} cannot be looked into: {facts.python.why}")
    if not profile.packages:
        raise InputError(f"profile {profile.name} names no packages: nothing to install")
    python = replace(inspected, packages=[p for p in inspected.packages if _inside(p, inspected)])
    conda = conda_names(target)
    there = mend.installed(python)
    install = [line for line in profile.packages if not _suits(line, there, conda)]
    changes = clash.prepared(Changes(install=install, torch_backend=profile.torch_backend), python)
    if why := mend.out_of_reach(changes, python):
        raise InputError(f"{why}: envkit does not replace it", hint=NEW_ONE)
    resolved = None
    if install:
        resolver = Resolver(python, folder, sources, environ, on_idle)
        resolved = resolve_beside(changes, python, resolver, marker_environment(facts), steady=set(conda))
        changes = clash.cleared(changes, resolved.packages, python)
    moves = mend.moves(changes, resolved.packages if resolved else [], python)
    _refuse_conda([(move.name, move.after) for move in moves if move.before], conda, there, target)
    if not moves:
        return None
    plan = mending_plan(
        changes,
        python,
        uv=find_uv(),
        target=target,
        resolved=resolved,
        sources=sources,
        profile=profile.path or profile.name,
        judge=judge,
        prove=prove,
        running=running,
    )
    notes = ["conda knows nothing of what is installed here: it may undo it later"] if conda else []
    # All of the resolution, not only what is fetched: the environment is recorded as having it.
    packages = resolved.packages if resolved else []
    return replace(plan, profile=profile.name, packages=packages, notes=[*plan.notes, *notes])


def conda_names(prefix: Path) -> dict[str, str]:
    """Name of each distribution that conda installed, to what conda calls it: {"torch": "pytorch"}."""
    names = {}
    for file in prefix.glob("conda-meta/*.json"):
        try:
            record = msgspec.json.decode(file.read_bytes(), type=CondaRecord)
        except (OSError, msgspec.DecodeError):
            continue
        found = (_METADATA.search(path) for path in record.files)
        names.update({normalise(match[1].partition("-")[0]): record.name for match in found if match})
    return names


def _is_base(prefix: Path) -> bool:
    """Whether conda itself is at home there."""
    return any((prefix / name).is_dir() for name in ("condabin", "envs")) or any(prefix.glob("conda-meta/conda-[0-9]*"))


def _inside(package: Installed, python: Python) -> bool:
    """What lies outside (the system's packages, ~/.local) uv does not see, and installs once more where needed."""
    return Path(package.location).is_relative_to(python.prefix)


def _suits(line: str, there: Mapping[str, Installed], conda: Mapping[str, str]) -> bool:
    """Whether a requirement is met by what conda has installed, or somebody from a folder or a URL: that is held."""
    requirement = parse_requirement(line)
    package = there.get(requirement.name) if requirement else None
    if requirement is None or package is None or requirement.extras:
        return False
    held = package.direct or package.name in conda
    return held and satisfies(package.version or "", requirement.specifiers) is True


def _refuse_conda(
    moves: list[tuple[str, str]], conda: Mapping[str, str], there: Mapping[str, Installed], target: Path
) -> None:
    theirs = [(name, after) for name, after in moves if name in conda]
    if not theirs:
        return
    words = [f"{name} {there[name].version} → {after or 'removed'}" for name, after in theirs]
    wanted = [f"{conda[name]}={after.partition('+')[0]}" for name, after in theirs if after]
    gone = [conda[name] for name, after in theirs if not after]
    commands = {"remove": gone, "install": wanted}
    told = [shlex.join(["conda", verb, "--prefix", str(target), *what]) for verb, what in commands.items() if what]
    raise InputError(
        f"conda installed what would have to change: {', '.join(words)}",
        hint=f"Have conda do it, then run again: {' && '.join(told)}",
    )
