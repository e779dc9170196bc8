"""Operating systems and Pythons, as platform.platform(), sys.version and the like name them."""

from __future__ import annotations

import re
from typing import Any

from envkit.facts import Section, ok
from envkit.facts.accelerators import Apple
from envkit.facts.machine import System

# PRETTY_NAME of os-release begins so; the second word is ID of os-release.
_DISTRIBUTIONS = {
    "ubuntu": "ubuntu",
    "debian": "debian",
    "centos": "centos",
    "red hat": "rhel",
    "rocky": "rocky",
    "almalinux": "almalinux",
    "fedora": "fedora",
    "amazon linux": "amzn",
    "oracle linux": "ol",
    "suse linux enterprise": "sles",
    "opensuse": "opensuse",
    "arch": "arch",
    "manjaro": "manjaro",
    "linux mint": "linuxmint",
    "pop!_os": "pop",
    "alpine": "alpine",
    "gentoo": "gentoo",
    "nixos": "nixos",
}
_MACHINES = "x86_64|amd64|AMD64|aarch64|arm64|ARM64|ppc64le|s390x|riscv64|armv7l|armv6l|i686"
_LINUX = re.compile(
    rf"\bLinux-(\S{{1,120}}?)-({_MACHINES})(?=[-\s]|$)(?:\S{{0,200}}?-with-(glibc|musl)?-?(\d[\d.]*)?)?"
)
_ELSEWHERE = re.compile(rf"\b(macOS|Darwin|Windows)-(\d[\w.]*)(?:-([\d.]+))?(?:\S{{0,60}}?-({_MACHINES}))?")
_UNAME = re.compile(r"uname_result\(system='(\w*)', node='[^'\n]*', release='([^'\n]*)', .{0,300}?machine='(\w*)'")
_IN_BRACKETS = re.compile(r"\s*\(((?:\d[\w.]* )?(\S+))\)\s*$")
_VERSION = re.compile(r"\d+\.\d+[\w.+]*")


def sections(
    system: System | None, *, chip: str | None = None, memory_total_bytes: int | None = None
) -> dict[str, Section[Any]]:
    """The section `system`, and `apple` where the system says that this is Apple silicon."""
    if system is None or system == System():
        return {}
    found: dict[str, Section[Any]] = {"system": ok(system)}
    if system.os == "darwin" and (system.architecture == "arm64" or (chip or "").startswith("Apple ")):
        version = _VERSION.search(system.distribution or "")
        found["apple"] = ok(
            Apple(chip=chip, macos_version=version[0] if version else None, memory_total_bytes=memory_total_bytes)
        )
    return found


def from_platform(words: str) -> System | None:
    """Of platform.platform(): "Linux-5.15.0-84-generic-x86_64-with-glibc2.31", "macOS-14.1-arm64-arm-64bit"."""
    if linux := _LINUX.search(words):
        return linux_system(
            linux[1],
            architecture=linux[2],
            libc=linux[3],
            libc_version=linux[4] if linux[3] else None,
        )
    if other := _ELSEWHERE.search(words):
        name, version, build, machine = other.groups()
        if name == "Windows":
            return System(
                os="windows", kernel=build or version, architecture=machine, distribution=f"Windows {version}"
            )
        if name == "Darwin":
            return System(os="darwin", kernel=version, architecture=machine)
        return System(os="darwin", architecture=machine, distribution=f"macOS {version}")
    return None


def from_uname(words: str) -> System | None:
    """Of platform.uname() as Python prints it."""
    match = _UNAME.search(words)
    if not match:
        return None
    name, release, machine = match.groups()
    if name == "Linux":
        return linux_system(release, architecture=machine or None)
    known = {"Darwin": "darwin", "Windows": "windows"}.get(name)
    return System(os=known, kernel=release or None, architecture=machine or None) if known else None


def linux_system(kernel: str, **fields: Any) -> System:
    return System(os="linux", kernel=kernel, wsl="microsoft" in kernel.lower(), **fields)


def from_name(words: str) -> System | None:
    """Of what collect_env calls OS: "Ubuntu 22.04.3 LTS (x86_64)", "macOS 14.1 (arm64)", "Microsoft Windows 10 Pro"."""
    bracket = _IN_BRACKETS.search(words)
    machine = bracket[2] if bracket and re.fullmatch(f"{_MACHINES}|64-bit", bracket[2]) else None
    name = (words[: bracket.start()] if bracket and machine else words).strip()
    lower = name.lower()
    if not name:
        return None
    architecture = None if machine == "64-bit" else machine
    if lower.startswith(("mac", "os x")):
        return System(os="darwin", distribution=name, architecture=architecture)
    if "windows" in lower:
        return System(os="windows", distribution=name, architecture=architecture)
    identity = distribution_id(name)
    known = identity or "linux" in lower
    return System(os="linux", distribution=name, distribution_id=identity, architecture=architecture) if known else None


def distribution_id(name: str) -> str | None:
    lower = name.lower()
    return next((identity for start, identity in _DISTRIBUTIONS.items() if lower.startswith(start)), None)


def python(words: str) -> dict[str, Any]:
    """Fields of `Python` from sys.version: "3.10.12 | packaged by conda-forge | (main, ...) [GCC 12.3.0] (64-bit)"."""
    version = _VERSION.match(words)
    if not version:
        return {}
    fields: dict[str, Any] = {"version": version[0].rstrip("+.")}
    if "packaged by conda" in words or "Anaconda" in words:
        fields["conda"] = True
    if "32-bit" in words or "32 bit" in words:
        fields["bits"] = 32
    if "PyPy" in words:
        fields["implementation"] = "pypy"
    if "free-threading" in words:
        fields["free_threaded"] = True
    return fields
