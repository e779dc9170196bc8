"""Installed distributions: whole, once each, not overwriting each other, with what they require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import (
    FRAMEWORKS,
    install,
    installed,
    listed,
    marker_environment,
    pinned,
    provider,
    repair,
    requiring,
    uninstall,
)
from envkit.findings import Findings, Remedy, count, fail, warn
from envkit.versions import marker_holds, parse_requirement, release, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.software import Python
    from envkit.profile import Profile

# What other checks say in better words.
_ELSEWHERE = {("torchvision", "torch"), ("torchaudio", "torch"), ("jax", "jaxlib")}


@check(area="python", after="python-unsupported")
def broken_requirements(python: Python, facts: Facts, profile: Profile) -> Findings:
    """A package lacks what it requires, or has it in another version.

    Requires-Dist of every installed distribution, markers evaluated for the inspected Python, extras left out:
    what `uv pip check` says.
    """
    packages, environment = installed(python), marker_environment(facts)
    for name, package in packages.items():
        broken = []
        for line in package.requires:
            r = parse_requirement(line)
            if not r or r.name.startswith("nvidia-") or (name, r.name) in _ELSEWHERE:
                continue
            have = provider(r.name, packages)
            version = have.version if have else None
            if have and (version is None or not r.specifiers or satisfies(version, r.specifiers) is not False):
                continue
            if marker_holds(r.marker, environment):
                broken.append((str(r), version))
        if broken:
            found = fail if name in FRAMEWORKS else warn
            yield found(
                f"requirements are not met: {listed(r for r, _ in broken)}",
                subject=f"{name} {package.version or ''}".rstrip(),
                evidence=[f"{r}: {f'{version} is installed' if version else 'not installed'}" for r, version in broken],
                remedy=Remedy(
                    text="install what is required",
                    commands=repair(python, profile, *(r for r, _ in broken)),
                    safe=True,
                ),
            )


@check(area="python")
def duplicate_distributions(python: Python, profile: Profile) -> Findings:
    """A package is installed twice in one folder: its files are a mixture."""
    for name, versions in python.duplicates.items():
        package = installed(python).get(name)
        kept = _kept(name, versions, python)
        yield fail(
            f"it is installed {len(versions)} times: {listed(versions)}",
            subject=name,
            evidence=[f"{len(versions)} .dist-info folders in {package.location}"] if package else [],
            remedy=Remedy(
                text="uninstall it until it is gone, then install it once",
                commands=[
                    *[uninstall(python, name)] * len(versions),
                    *repair(python, profile, f"{name}=={kept}" if kept else name),
                ],
                safe=True,
            ),
        )


def _kept(name: str, versions: list[str], python: Python) -> str:
    """Of the versions of a package the newest that every other takes, as far as they say it without a condition."""
    wanted = [
        r.specifiers
        for package in python.packages
        for r in map(parse_requirement, package.requires)
        if r and r.name == name and not r.marker
    ]
    known = sorted((v for v in versions if release(v)), key=lambda v: release(v) or (), reverse=True)
    taken = [v for v in known if all(satisfies(v, specifiers) is not False for specifiers in wanted if specifiers)]
    return next(iter(taken or known), "")


@check(area="python", after="duplicate-distributions")
def files_missing(python: Python) -> Findings:
    """A package lacks files that it installed: an interrupted or damaged installation."""
    everything = installed(python)
    nameless = [name for name, p in everything.items() if p.version is None]
    if nameless:
        yield fail(
            f"the metadata of {listed(nameless)} is missing",
            evidence=[f"{everything[name].location}: no METADATA of {name}" for name in nameless],
            remedy=Remedy(
                text="install again what is damaged",
                commands=[install(python, *(pinned(everything[name]) for name in nameless), reinstall=True)],
                safe=True,
            ),
        )
    torn = {name: p for name, p in everything.items() if p.files_missing_count or p.files_missing}
    if torn:
        counts = {name: p.files_missing_count or len(p.files_missing or []) for name, p in torn.items()}
        yield fail(
            f"files are missing from {listed(torn)}",
            evidence=[
                f"{name}: {count(counts[name], 'file')} gone, for example {(p.files_missing or ['?'])[0]}"
                for name, p in torn.items()
            ],
            remedy=Remedy(
                text="install again what is damaged",
                commands=[install(python, *map(pinned, torn.values()), reinstall=True)],
                safe=True,
            ),
        )


@check(area="python", after="mixed-cuda-majors")
def files_overwritten(python: Python, profile: Profile) -> Findings:
    """Two packages own the same files: the one installed last has overwritten the other.

    For example tensorflow and tensorflow-cpu. The libraries of two CUDA versions are the business of mixed-cuda-majors.
    """
    for collision in python.collisions:
        if all(name.startswith("nvidia-") for name in collision.packages):
            continue
        needed = [name for name in collision.packages if requiring(name, python)]
        keep = needed[0] if needed else collision.packages[0]
        yield fail(
            f"{listed(collision.packages)} own the same {collision.count} files",
            evidence=[f"both own {collision.example}"],
            remedy=Remedy(
                text="uninstall them all, then install the one you want",
                commands=[
                    uninstall(python, *collision.packages),
                    *repair(python, profile, pinned(installed(python)[keep]) if keep in installed(python) else keep),
                ],
                safe=len(needed) == 1,
            ),
        )
