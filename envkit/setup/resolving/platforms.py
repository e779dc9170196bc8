"""Which Pythons and platforms a profile can be locked for, and how uv is told of one that this machine is not."""

from __future__ import annotations

import platform as this_machine
import re
import sys
from typing import NamedTuple

from envkit.profile import Profile
from envkit.versions import marker_holds, parse_requirement, release, satisfies

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
UV_GLIBC = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv has a platform for: `uv pip compile --help`, --python-platform."""
LINUX_GLIBC = 28
"""Where a profile names no glibc: uv's own choice for Linux."""


class Platform(NamedTuple):
    """An operating system and architecture, by the names that markers know them by."""

    system: str
    machine: str
    name: str
    """platform_system of markers."""
    architectures: tuple[str, ...]
    """How profiles call the machine."""


PLATFORMS = {
    "linux-x86_64": Platform("linux", "x86_64", "Linux", ("x86_64", "AMD64")),
    "linux-aarch64": Platform("linux", "aarch64", "Linux", ("aarch64",)),
    "darwin-arm64": Platform("darwin", "arm64", "Darwin", ("arm64",)),
}
"""What locks are made for."""


def own_platform() -> str:
    """The word for this machine: "linux-x86_64"; one for which no locks are made is "windows-x86_64"."""
    machine = this_machine.machine().lower()
    if sys.platform == "darwin":
        return f"darwin-{machine}"
    return f"{this_machine.system().lower()}-{ARCHITECTURES.get(machine, machine)}"


def allowed_platforms(profile: Profile) -> list[str]:
    """The platforms that the profile's requirements leave."""
    needs = profile.requires
    return [
        word
        for word, platform in PLATFORMS.items()
        if (not needs.os or platform.system in needs.os)
        and (not needs.architecture or set(needs.architecture) & set(platform.architectures))
    ]


def allowed_pythons(profile: Profile) -> list[str]:
    """The Pythons that the profile allows: ["3.10", "3.11"]; where it names no newest one, only that of envkit."""
    needs = profile.requires.python
    if satisfies("3.99", needs) is not False:
        return [f"{sys.version_info[0]}.{sys.version_info[1]}"]
    return [f"3.{n}" for n in range(8, 99) if satisfies(f"3.{n}", needs)]


def markers(python: str, platform: str) -> dict[str, str]:
    """The variables of PEP 508 markers on CPython 3.11 ("3.11") and a platform ("linux-x86_64")."""
    there = PLATFORMS[platform]
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": there.system,
        "platform_machine": there.machine,
        "platform_system": there.name,
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def pins(profile: Profile, python: str, platform: str) -> dict[str, str]:
    """What the profile asks for there, by name: {"torch": "==2.10.0"}."""
    environment = markers(python, platform)
    asked = filter(None, map(parse_requirement, profile.packages))
    return {r.name: r.specifiers for r in asked if marker_holds(r.marker, environment) is not False}


def torch_backend(profile: Profile, platform: str) -> str:
    """Segment of PyTorch's index that the profile's build comes from there; on macOS there is one build, everywhere."""
    return "" if platform.startswith("darwin") else profile.torch_backend


def uv_target(profile: Profile, python: str, platform: str) -> tuple[list[str], dict[str, str]]:
    """Options and environment variables that make uv resolve for a Python and platform, by wheels alone.

    The oldest system that the profile allows is meant, so that what is locked runs on all that it allows.
    """
    options = ["--python-version", python, "--only-binary", ":all:", "--python-platform"]
    if PLATFORMS[platform].system == "darwin":
        macos = _oldest_macos(pins(profile, python, platform).get("torch", ""))
        return [*options, "aarch64-apple-darwin"], {"MACOSX_DEPLOYMENT_TARGET": macos} if macos else {}
    floor = re.search(r"(?:>=|==|~=)\s*(2\.\d+)", profile.requires.glibc)
    wanted = (release(floor[1]) or (2, 0))[1] if floor else LINUX_GLIBC
    minor = max((known for known in UV_GLIBC if known <= wanted), default=UV_GLIBC[0])
    return [*options, f"{PLATFORMS[platform].machine}-manylinux_2_{minor}"], {}


def _oldest_macos(torch: str) -> str | None:
    """The oldest macOS that PyTorch trains on: uv's own choice is older than its wheels."""
    from envkit import knowledge  # noqa: PLC0415 - for Macs only

    return knowledge.load().accelerators.mps_macos(torch.removeprefix("=="))
