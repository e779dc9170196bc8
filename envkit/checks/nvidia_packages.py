"""NVIDIA's libraries from PyPI: of one CUDA, in the versions that the framework was built with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import (
    FRAMEWORKS,
    install,
    installed,
    listed,
    marker_environment,
    pinned,
    repair,
    requiring,
    setup,
    uninstall,
)
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import Requirement, marker_holds, parse_requirement, satisfies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.facts import Facts
    from envkit.facts.software import Package, Python
    from envkit.profile import Profile

_EXTRAS = ("", "and-cuda", "with-cuda")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w-]+)["']""")


@check(area="python")
def mixed_cuda_majors(python: Python, profile: Profile) -> Findings:
    """NVIDIA's libraries of two CUDA versions are installed together.

    The wheels of cuDNN, NCCL, NVSHMEM and cuSPARSELt for CUDA 12 and for CUDA 13 write the same files, so that each
    library belongs to whichever came last. Happens with PyTorch 2.11 or newer beside tensorflow[and-cuda]. The others,
    which for CUDA 13 are named without it (nvidia-cublas), lie apart: a warning.
    """
    families: dict[str, list[str]] = {}
    for name in installed(python):
        if name.startswith("nvidia-") and (cut := name.rpartition("-cu"))[2].isdecimal():
            families.setdefault(cut[0], []).append(name)
    names = set(installed(python))
    twice = {c: [*found, *([c] if c in names else [])] for c, found in families.items()}
    twice = {c: sorted(found) for c, found in twice.items() if len(found) > 1}
    if twice:
        collisions = [c for c in python.collisions if all(name.startswith("nvidia-") for name in c.packages)]
        needless = [n for found in twice.values() for n in found if not requiring(n, python)]
        needed = [installed(python)[n] for found in twice.values() for n in found if n not in needless]
        overwritten = bool(collisions) or any(len(found) > 1 for found in families.values())
        yield (fail if overwritten else warn)(
            f"libraries of two CUDA versions are installed: {listed(c.removeprefix('nvidia-') for c in twice)}",
            evidence=[listed(found) for found in twice.values()]
            + [f"{listed(c.packages)} both own {c.example}" for c in collisions],
            remedy=Remedy(
                text="remove those that nothing requires, and install again the others, whose files they overwrote",
                commands=[uninstall(python, *needless), install(python, *map(pinned, needed), reinstall=True)],
                safe=True,
            )
            if len(needless) == len(needed)
            else Remedy(
                text="keep the frameworks of one CUDA version in one environment"
                if profile.name
                else "make one environment for each CUDA version",
                commands=[setup(profile, python)] if profile.name else [["uv", "venv"]],
            ),
        )


@check(area="python", after="mixed-cuda-majors")
def nvidia_pin_mismatch(python: Python, facts: Facts, profile: Profile) -> Findings:
    """An NVIDIA library is missing, or of another version than the framework requires.

    Also what it requires by way of cuda-toolkit, as PyTorch does from 2.11 on. Those of the extras of TensorFlow
    (and-cuda) and of JAX's plugin (with-cuda) may be missing, but not be of another version.
    """
    packages, environment = installed(python), marker_environment(facts)
    plugins = [name for name in packages if name.startswith("jax-cuda")]
    for name in (*FRAMEWORKS, *plugins):
        wrong: dict[str, str | None] = {}
        for r in _libraries_of(packages[name], packages, environment) if name in packages else ():
            have = packages[r.name].version if r.name in packages else None
            met = have is not None and satisfies(have, r.specifiers) is not False
            extras = _EXTRAS[:1] if have is None else _EXTRAS
            if not met and any(marker_holds(r.marker, {**environment, "extra": extra}) for extra in extras):
                wrong[str(r)] = have
        if wrong:
            yield fail(
                f"NVIDIA libraries are not those it requires: {listed(wrong)}",
                subject=f"{name} {packages[name].version or ''}".rstrip(),
                evidence=[f"{r}: {have or 'not'} installed" for r, have in wrong.items()],
                remedy=Remedy(
                    text="install what it requires",
                    commands=repair(python, profile, *wrong),
                    safe=True,
                ),
            )


def _libraries_of(package: Package, packages: dict[str, Package], environment: dict[str, str]) -> Iterator[Requirement]:
    """What a package requires of NVIDIA's libraries, and by which versions; markers still to be looked at."""
    for r in filter(None, map(parse_requirement, package.requires)):
        if r.name.startswith("nvidia-") and r.specifiers:
            yield r
        elif r.name == "cuda-toolkit" and r.name in packages and marker_holds(r.marker, environment):
            for line in packages[r.name].requires:
                extra, library = _EXTRA.search(line), parse_requirement(line)
                if extra and library and extra[1] in r.extras and library.specifiers:
                    holds = marker_holds(library.marker, {**environment, "extra": extra[1]})
                    yield from [library._replace(marker="")] if holds else []
