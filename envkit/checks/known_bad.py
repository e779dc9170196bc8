"""Combinations of packages, and of packages and GPUs, that are known not to work: by the table of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import capability_of, judged, label, usable
from envkit.checks._packages import TENSORFLOWS, install, installed, listed, uninstall
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import NvidiaGpu
    from envkit.facts.software import Package, Python
    from envkit.knowledge import Knowledge
    from envkit.knowledge.hardware import KnownBad
    from envkit.profile import Profile


@check(area="frameworks", after=("numpy-abi", "mixed-cuda-majors", "files-overwritten"))
def known_bad_combination(python: Python, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """Installed packages are known not to work together, or not on a GPU of this machine.

    What the packages' own metadata says is left to broken-requirements, where that metadata was read.
    """
    packages = installed(python)
    whole = any(package.requires for package in python.packages)
    for row in knowledge.known_bad.combinations.values():
        if (row.metadata and whole) or not _all_there(row, packages):
            continue
        gpus = _gpus(row, facts, profile, knowledge)
        if row.capability and not gpus:
            continue
        found = sorted(row.packages)
        yield (fail if row.severity == "fail" else warn)(
            row.effect,
            subject=label(gpus[0]) if len(gpus) == 1 else listed(found),
            evidence=[f"{name} {packages[name].version} is installed" for name in found]
            + [f"{label(gpu)}: compute capability {capability_of(gpu, knowledge)}" for gpu in gpus[:4]]
            + [row.source],
            remedy=Remedy(
                text=row.remedy,
                commands=[
                    *([uninstall(python, *row.uninstall)] if row.uninstall else []),
                    *([install(python, *row.install)] if row.install else []),
                ],
                safe=bool(row.install or row.uninstall),
            ),
        )


def _all_there(row: KnownBad, packages: dict[str, Package]) -> bool:
    for name, specifiers in row.packages.items():
        version = packages[name].version if name in packages else None
        if version is None or (specifiers and satisfies(version, specifiers) is not True):
            return False
    return True


def _gpus(row: KnownBad, facts: Facts, profile: Profile, knowledge: Knowledge) -> list[NvidiaGpu]:
    """The GPUs that a row is about."""
    if not row.capability or not judged(profile):
        return []
    known = [(gpu, capability_of(gpu, knowledge)) for gpu in usable(facts.nvidia.facts)]
    return [gpu for gpu, number in known if number and satisfies(number, row.capability)]


@check(area="frameworks", after="known-bad-combination")
def keras_mismatch(python: Python) -> Findings:
    """tf-keras or tensorflow-text is made for another minor version of TensorFlow than the installed one."""
    packages = installed(python)
    tensorflow = next((packages[name] for name in TENSORFLOWS if name in packages), None)
    for name in ("tf-keras", "tensorflow-text") if tensorflow and tensorflow.version else ():
        companion = packages.get(name)
        wanted = f"=={'.'.join((tensorflow.version or '').split('.')[:2])}.*" if tensorflow else ""
        if companion and companion.version and satisfies(companion.version, wanted) is False:
            yield fail(
                f"{name} {companion.version} is made for another TensorFlow",
                evidence=[f"TensorFlow {tensorflow.version if tensorflow else ''} is installed"],
                remedy=Remedy(text=f"install {name}{wanted}", commands=[install(python, f"{name}{wanted}")], safe=True),
            )


@check(area="frameworks")
def keras_backend_missing(python: Python) -> Findings:
    """KERAS_BACKEND names a framework that is not installed."""
    wanted = python.environment.get("KERAS_BACKEND", "").strip().lower()
    packages = installed(python)
    names = {"tensorflow": TENSORFLOWS, "torch": ("torch",), "jax": ("jax",)}.get(wanted, ())
    if "keras" in packages and names and not any(name in packages for name in names):
        yield fail(
            f"KERAS_BACKEND is {wanted}, which is not installed",
            evidence=[f"KERAS_BACKEND={wanted}"],
            remedy=Remedy(text="unset it, or install that framework", commands=[["unset", "KERAS_BACKEND"]]),
        )
