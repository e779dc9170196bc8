"""What of the facts belongs to the image, and what to the machine and the start of the container. Pure."""

from __future__ import annotations

from collections.abc import Collection

from envkit.checks import Check
from envkit.facts import SECTIONS
from envkit.profile import Profile
from envkit.target import modules

DEEP = "_deep"
ACCELERATORS = {"nvidia", "amd", "tpu", "intel", "apple"}
# What a builder can tell of the machine's sections: operating system, architecture and C library are the image's own.
OF_THE_BUILDER = ("system",)
# The field of the section python that each start of a container sets anew.
ENVIRONMENT = "environment"


def of_the_image() -> list[str]:
    """The sections that the inspected Python tells of itself, without an import of a framework."""
    payload = modules()
    return [name for name in SECTIONS if name in payload]


def of_the_start() -> list[str]:
    """The sections that are told by probes, of the machine and the container."""
    image = of_the_image()
    return [name for name in SECTIONS if name not in image and not name.endswith(DEEP)]


def others(profile: Profile) -> set[str]:
    """The accelerators that a profile does not ask for: nothing of them is looked for."""
    return ACCELERATORS - {profile.requires.accelerator} if profile.name else set()


def matters(check: Check, profile: Profile) -> bool:
    """Whether a check has a bearing on a profile: one of accelerators that it does not ask for has none."""
    return not others(profile) & set(check.needs)


def chosen(checks: Collection[Check], profile: Profile, ignore: Collection[str]) -> list[Check]:
    """The checks to judge by: those that matter, without those ignored by id or area."""
    return [c for c in checks if matters(c, profile) and not {c.id, c.area} & set(ignore)]
