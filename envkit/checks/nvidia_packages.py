"""NVIDIA's libraries from PyPI: of one CUDA, in the versions that the framework was built with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import FRAMEWORKS, installed, listed, marker_environment, repair, setup
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import marker_holds, parse_requirement, satisfies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.facts import Facts
    from envkit.facts.software import Python
    from envkit.profile import Profile

_LIBRARIES = ("libcudart", "libcudnn", "libcublas", "libnccl", "libnvrtc")
_CUDA_WORDS = ("cuda", "cudnn", "nccl")


@check(area="python")
def mixed_cuda_majors(python: Python, profile: Profile) -> Findings:
    """NVIDIA's libraries of two CUDA versions are installed together.

    The wheels of cuDNN, NCCL, NVSHMEM and cuSPARSELt for CUDA 12 and for CUDA 13 write the same files, so that each
    library belongs to whichever came last. Happens with PyTorch 2.11 or newer beside tensorflow[and-cuda].
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
        yield fail(
            f"libraries of two CUDA versions are installed: {listed(c.removeprefix('nvidia-') for c in twice)}",
            evidence=[listed(found) for found in twice.values()]
            + [f"{listed(c.packages)} both own {c.example}" for c in collisions],
            remedy=Remedy(
                text="keep the frameworks of one CUDA version in one environment"
                if profile.name
                else "make one environment for each CUDA version",
                commands=[setup(profile, python)] if profile.name else [["uv", "venv"]],
            ),
        )


@check(area="python", after="mixed-cuda-majors")
def nvidia_pin_mismatch(python: Python, facts: Facts, profile: Profile) -> Findings:
    """An NVIDIA library is missing, or of another version than the framework requires.

    Those of TensorFlow's and-cuda extra may be missing, but not be of another version.
    """
    packages, environment = installed(python), marker_environment(facts)
    with_extra = {**environment, "extra": "and-cuda"}
    for name in FRAMEWORKS:
        wrong = []
        for line in packages[name].requires if name in packages else []:
            r = parse_requirement(line)
            if not r or not r.name.startswith("nvidia-") or not r.specifiers:
                continue
            have = packages[r.name].version if r.name in packages else None
            met = have is not None and satisfies(have, r.specifiers) is not False
            if not met and marker_holds(r.marker, environment if have is None else with_extra):
                wrong.append((str(r), have))
        if wrong:
            yield fail(
                f"NVIDIA libraries are not those it requires: {listed(r for r, _ in wrong)}",
                subject=f"{name} {packages[name].version or ''}".rstrip(),
                evidence=[f"{r}: {have or 'not'} installed" for r, have in wrong],
                remedy=Remedy(
                    text="install what it requires", commands=repair(python, profile, *(r for r, _ in wrong))
                ),
            )


@check(area="frameworks")
def framework_libraries_shadowed(python: Python, facts: Facts) -> Findings:
    """Other CUDA libraries than those of the wheels are loaded, or would be (LD_LIBRARY_PATH).

    Folders of LD_LIBRARY_PATH come before the wheels' own. With --deep the libraries really mapped are looked at.
    Source: JAX documentation, "Installation"; pytorch issue 119989.
    """
    torch, tensorflow, jax = facts.torch.facts, facts.tensorflow.facts, facts.jax.facts
    torch_deep = facts.torch_deep.facts
    built_for_cuda = (torch and torch.cuda) or (tensorflow and tensorflow.cuda_build) or (jax and jax.plugins)
    if not built_for_cuda:
        return
    path = python.environment.get("LD_LIBRARY_PATH", "")
    remedy = Remedy(text="unset it: the wheels bring their own", commands=[["unset", "LD_LIBRARY_PATH"]])
    foreign = _outside(torch_deep.libraries if torch_deep else [], python)
    entries = [entry for entry in path.split(":") if any(word in entry.lower() for word in _CUDA_WORDS)]
    if foreign:
        yield fail(
            "CUDA libraries from outside the environment are loaded",
            evidence=[*foreign, *([f"LD_LIBRARY_PATH={path}"] if path else [])],
            remedy=remedy,
        )
    elif entries and not (torch_deep and torch_deep.libraries):
        yield warn(
            "LD_LIBRARY_PATH puts other CUDA libraries before those of the wheels",
            evidence=[f"LD_LIBRARY_PATH: {entry}" for entry in entries],
            remedy=remedy,
        )


def _outside(libraries: Iterable[str], python: Python) -> list[str]:
    """CUDA libraries that lie in none of the environment's folders; only where wheels bring them."""
    if not any(name.startswith("nvidia-") for name in installed(python)):
        return []
    own = (*python.site_packages, python.prefix)
    return [
        path
        for path in libraries
        if path.rpartition("/")[2].startswith(_LIBRARIES)
        and not any(path.startswith(folder) for folder in own if folder)
    ]
