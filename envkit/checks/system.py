"""Operating system, architecture and C library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import listed
from envkit.findings import Findings, Remedy, fail
from envkit.versions import satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.machine import System
    from envkit.profile import Profile

_SAME = {"arm64": "aarch64", "amd64": "x86_64"}


@check(area="machine")
def os_unsupported(system: System, profile: Profile) -> Findings:
    """The profile is not for this operating system."""
    wanted = profile.requires.os
    if wanted and system.os and system.os not in wanted:
        yield fail(
            f"profile {profile.name} is for {listed(wanted)}, this is {system.os}",
            evidence=[system.distribution or system.os],
            remedy=Remedy(
                text="use a profile for this system, or WSL on Windows", commands=[["envkit", "profiles", "list"]]
            ),
        )


@check(area="machine", after="os-unsupported")
def architecture_unsupported(system: System, profile: Profile) -> Findings:
    """The profile's packages are not built for this machine architecture."""
    wanted = {_plain(name) for name in profile.requires.architecture}
    if wanted and system.architecture and _plain(system.architecture) not in wanted:
        yield fail(
            f"profile {profile.name} is for {listed(profile.requires.architecture)}, this is {system.architecture}",
            evidence=[f"architecture {system.architecture}"],
            remedy=Remedy(text="use a profile for this architecture", commands=[["envkit", "profiles", "list"]]),
        )


def _plain(architecture: str) -> str:
    return _SAME.get(architecture.lower(), architecture.lower())


@check(area="machine", after="os-unsupported")
def glibc_too_old(system: System, facts: Facts, profile: Profile) -> Findings:
    """The C library is older than the frameworks' wheels need, or is none that they run with.

    Wheels are tagged with the oldest glibc they run on (manylinux_2_28); for musl (Alpine) there are none.
    """
    wanted = profile.requires.glibc
    installed = facts.torch.facts or facts.tensorflow.facts or facts.jax.facts
    if system.libc == "musl" and (wanted or not installed):
        yield fail(
            "this system has musl, and the frameworks are built for glibc",
            evidence=[f"{system.distribution or 'this system'}, musl {system.libc_version or ''}".rstrip()],
            remedy=Remedy(text="use a distribution with glibc (Debian, Ubuntu, Red Hat)"),
        )
    elif wanted and system.libc_version and system.libc == "glibc" and satisfies(system.libc_version, wanted) is False:
        yield fail(
            f"glibc {system.libc_version} is too old: profile {profile.name} needs {wanted}",
            evidence=[f"{system.distribution or 'this system'}, glibc {system.libc_version}"],
            remedy=Remedy(text="use a newer distribution or base image, or older framework versions"),
        )
