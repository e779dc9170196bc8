"""The inspected Python: version, build, and what of its surroundings gets into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from envkit.checks import check
from envkit.checks._packages import FRAMEWORKS, TENSORFLOWS, installed, listed, setup, wants
from envkit.findings import Findings, Remedy, fail, unsure, warn
from envkit.versions import minor, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.software import Python
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_NAMES: dict[Literal["torch", "tensorflow", "jax"], str] = {
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "jax": "JAX",
}
# Libraries that are preloaded on purpose and change no results.
_ALLOCATORS = ("tcmalloc", "jemalloc", "mimalloc")
# Later than the newest Python any framework has wheels for, so that a specifier without an upper bound has candidates.
_MINORS = range(8, 20)


@check(area="python")
def python_unsupported(python: Python, profile: Profile, knowledge: Knowledge) -> Findings:
    """The Python version is not one that the profile, or the frameworks, support.

    By the profile's range; without a profile by the frameworks' own metadata, and where none is installed by the table
    of wheels.
    """
    evidence = [f"Python {python.version}: {python.executable}"]
    wanted = profile.requires.python
    if profile.name:
        if wanted and satisfies(python.version, wanted) is False:
            yield fail(
                f"Python {python.version} does not suit profile {profile.name}, which needs {wanted}",
                evidence=evidence,
                remedy=_another(wanted, profile, python),
            )
        return
    present = [package for name, package in installed(python).items() if name in FRAMEWORKS]
    for package in present:
        if package.requires_python and satisfies(python.version, package.requires_python) is False:
            yield fail(
                f"{package.name} {package.version} needs Python {package.requires_python}, this is {python.version}",
                evidence=evidence,
                remedy=_another(package.requires_python),
            )
    if not present:
        yield from _in_no_table(python, knowledge, evidence)


def _in_no_table(python: Python, knowledge: Knowledge, evidence: list[str]) -> Findings:
    """Nothing is installed: whether anything could be."""
    ranges = {name: knowledge.pythons(name, knowledge.newest(name)) or "" for name in _NAMES}
    if any(satisfies(python.version, wanted) is not False for wanted in ranges.values()):
        return
    evidence = evidence + [f"{_NAMES[name]} {knowledge.newest(name)}: Python {r}" for name, r in ranges.items()]
    if any(satisfies(python.version, r.partition(",")[0]) for r in ranges.values()):
        yield unsure(f"Python {python.version} is newer than the tables of wheels", evidence=evidence)
    else:
        text = f"Python {python.version} is too old for every current framework"
        yield fail(text, evidence=evidence, remedy=_another(ranges["torch"]))


def _another(wanted: str, profile: Profile | None = None, python: Python | None = None) -> Remedy:
    """A version from the middle of the range: neither about to be dropped nor too new for some package."""
    fitting = [f"3.{m}" for m in _MINORS if satisfies(f"3.{m}", wanted)]
    version = fitting[min(len(fitting) // 2, 3)] if fitting else ""
    if profile:
        return Remedy(
            text="let setup make an environment with a suitable Python",
            commands=[setup(profile, python)],
        )
    return Remedy(
        text=f"make an environment with Python {version or wanted}",
        commands=[["uv", "venv", "--python", version]] if version else [],
    )


@check(area="python")
def python_build_unsupported(python: Python, profile: Profile) -> Findings:
    """The Python is no ordinary 64-bit CPython: the frameworks have few or no wheels for it."""
    evidence = [python.executable]
    remedy = Remedy(
        text="use an ordinary CPython", commands=[["uv", "venv", "--python", f"cpython-{minor(python.version)}"]]
    )
    if python.implementation != "cpython":
        yield fail(
            f"this Python is {python.implementation}, and the frameworks need CPython", evidence=evidence, remedy=remedy
        )
    if python.bits == 32:
        yield fail("this Python is a 32-bit build, and the frameworks need 64 bits", evidence=evidence, remedy=remedy)
    if python.free_threaded:
        found = fail if wants(profile, TENSORFLOWS) else warn
        yield found(
            "this Python is free-threaded, for which few packages have wheels", evidence=evidence, remedy=remedy
        )
    if python.debug:
        yield warn("this Python is a debug build: slow, and without wheels", evidence=evidence, remedy=remedy)


@check(area="python")
def externally_managed(python: Python, facts: Facts, profile: Profile) -> Findings:
    """The Python belongs to the operating system, which forbids installing into it, and no framework is there.

    PEP 668: a file EXTERNALLY-MANAGED beside the standard library.
    """
    equipped = facts.torch.facts or facts.tensorflow.facts or facts.jax.facts
    if python.externally_managed and not python.virtual_environment and not equipped:
        commands = [setup(profile, None)] if profile.name else [["uv", "venv"]]
        yield warn(
            "this Python belongs to the operating system, so nothing can be installed into it",
            evidence=[f"{python.executable}: EXTERNALLY-MANAGED"],
            remedy=Remedy(text="make a virtual environment", commands=commands),
        )


@check(area="python")
def user_site_leak(python: Python) -> Findings:
    """Packages of the user's own site-packages (~/.local) get into this environment."""
    if python.user_site_packages and (python.virtual_environment or python.conda):
        yield warn(
            f"{len(python.user_site_packages)} packages come from ~/.local instead of the environment",
            evidence=[listed(python.user_site_packages, 12)],
            remedy=Remedy(text="keep them out", commands=[["export", "PYTHONNOUSERSITE=1"]]),
        )


@check(area="python")
def environment_variables_pollute(python: Python) -> Findings:
    """Environment variables change what every Python loads (PYTHONPATH, PYTHONHOME, LD_PRELOAD)."""
    said = {name: python.environment.get(name, "") for name in ("PYTHONPATH", "PYTHONHOME", "LD_PRELOAD")}
    if any(allocator in said["LD_PRELOAD"] for allocator in _ALLOCATORS):
        del said["LD_PRELOAD"]
    given = {name: value for name, value in said.items() if value}
    if given:
        yield warn(
            f"{listed(given)} {'changes' if len(given) == 1 else 'change'} what this Python loads",
            evidence=[f"{name}={value}" for name, value in given.items()],
            remedy=Remedy(text="unset it unless you need it", commands=[["unset", name] for name in given]),
        )


@check(area="python")
def module_shadowed(python: Python) -> Findings:
    """A file outside site-packages is imported instead of a framework."""
    for module, path in python.shadowed.items():
        yield fail(
            f"`import {module}` would take {path}",
            evidence=[f"{path} comes before the installed {module}"],
            remedy=Remedy(text="rename that file or folder, or take its folder out of PYTHONPATH"),
        )
