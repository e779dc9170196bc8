"""Whether the inspected Python holds what the profile installs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import installed, listed, provider, setup, wanted
from envkit.findings import Findings, Remedy, fail, unsure, warn
from envkit.versions import minor, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.software import Python, Torch
    from envkit.profile import Profile


def _setup(profile: Profile, python: Python | None) -> Remedy:
    return Remedy(text="install what the profile asks for", commands=[setup(profile, python)])


# Where its accelerator is missing, setup installs no such profile: that its packages are not there follows.
@check(
    area="profile",
    after=("nvidia-gpu-missing", "amd-gpu-missing", "tpu-missing", "apple-silicon-missing", "python-unsupported"),
)
def frameworks_missing(python: Python | None, facts: Facts, profile: Profile) -> Findings:
    """Packages that the profile installs are not there; without a profile: no framework is.

    Any build of TensorFlow counts as TensorFlow.
    """
    if python and not (python.looked_into and python.packages_complete):
        if profile.name or not python.looked_into:
            yield unsure(f"what is installed in {python.executable or 'the inspected Python'} is not fully known")
        return
    where = f"{python.executable} (Python {python.version})" if python else facts.python.why
    if not profile.name:
        sections = (facts.torch, facts.tensorflow, facts.jax)
        if all(section.outcome == "absent" for section in sections) or python is None:
            yield fail(
                "neither PyTorch nor TensorFlow nor JAX is installed",
                evidence=[where],
                remedy=Remedy(
                    text="set up an environment for this machine (`envkit profiles list` shows others)",
                    commands=[["envkit", "setup", "--profile", "cpu"]],
                ),
            )
        return
    packages = installed(python)
    missing = [r for r in wanted(profile, facts) if provider(r.name, packages) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield fail(
            f"{listed(r.name for r in missing)} of profile {profile.name} {verb} not installed",
            evidence=[where, *([f"missing: {', '.join(map(str, missing))}"] if len(missing) > 6 else [])],
            remedy=_setup(profile, python),
        )


@check(area="profile", after=("torch-cpu-build-on-gpu-host", "profile-packages-differ"))
def profile_cuda_differs(torch: Torch, python: Python, profile: Profile) -> Findings:
    """PyTorch is built for another CUDA than the profile names: the same version, from another index."""
    wanted = profile.requires.cuda
    if wanted and torch.cuda and minor(torch.cuda) != minor(wanted):
        yield warn(
            f"PyTorch {torch.version} is built for CUDA {torch.cuda}, profile {profile.name} wants {wanted}",
            evidence=[f"torch/version.py: cuda {torch.cuda}"],
            remedy=_setup(profile, python),
        )


@check(area="profile", after="frameworks-missing")
def profile_packages_differ(python: Python, facts: Facts, profile: Profile) -> Findings:
    """Installed packages are of other versions than the profile's pins."""
    packages, differing = installed(python), []
    for r in wanted(profile, facts):
        have = provider(r.name, packages)
        if have and have.version and satisfies(have.version, r.specifiers) is False:
            differing.append((r.name, f"{have.name} {have.version} is installed, {r.specifiers} wanted"))
    if differing:
        yield warn(
            f"other versions than profile {profile.name} pins: {listed(name for name, _ in differing)}",
            evidence=[text for _, text in differing],
            remedy=_setup(profile, python),
        )
