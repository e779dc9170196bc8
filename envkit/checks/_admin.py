"""What an administrator is told to do, in the words of the distribution that was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from envkit.knowledge.distributions import Machine

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.machine import System
    from envkit.findings import Remedy
    from envkit.knowledge import Knowledge

_NVIDIA_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "sbsa"}  # as the paths of its repositories name them


class Packages(NamedTuple):
    """How something is installed by the system's package manager."""

    commands: list[list[str]]
    """Empty where no table tells, or where it belongs to the host of this container."""
    origin: str
    """To put behind the text of a remedy: " (from NVIDIA's repository)", or ""."""


def system_package(
    what: str, facts: Facts, knowledge: Knowledge, *, branch: str = "", servers: bool = False
) -> Packages:
    """How `what` (a row of knowledge/distributions.yaml) is installed on the distribution of these facts.

    Args:
        what: "compiler", "nvidia-driver-open", ...
        facts: name the distribution, or a container.
        knowledge: the tables.
        branch: of the driver, "580", or its whole version; "": not known, and rows that need it tell nothing.
        servers: whether all GPUs are for data centres.
    """
    system, table = facts.system.facts, knowledge.distributions
    if system is None or (facts.container.facts and table.packages[what].on_host):
        return Packages([], "")
    words = _words(system, branch)
    machine = Machine(
        table.similar(system.distribution_id, system.distribution_like),
        words.get("version", ""),
        system.kernel or "",
        words.get("branch", ""),
        servers,
    )
    row = table.find(what, machine)
    commands = _filled(row.commands, words) if row else None
    added = [table.repository(name, machine) for name in row.repositories] if row else []
    none_for_this_version = machine.version and None in added
    if row is None or commands is None or none_for_this_version:
        return Packages([], "")
    before = [command for repository in added if repository for command in _filled(repository.commands, words) or []]
    origin = row.origin
    if row.dkms and facts.kernel.facts and facts.kernel.facts.secure_boot:
        commands = [*commands, ["sudo", "mokutil", "--import", "/var/lib/dkms/mok.pub"]]
        origin += "; Secure Boot is on: the next start asks for the password given to mokutil"
    return Packages([*before, *commands], f" (from {_fill(origin, words)})" if origin else "")


def _words(system: System, driver: str) -> dict[str, str]:
    """What stands for the {words} of a row, without those that are not known."""
    version = re.search(r"\d+(\.\d+)*", system.distribution or "")
    known = {
        "version": version and version[0],
        "major": version and version[0].partition(".")[0],
        "kernel": system.kernel,
        "flavour": system.kernel and system.kernel.rpartition("-")[2],
        "machine": system.architecture,
        "arch": _NVIDIA_ARCHITECTURES.get(system.architecture or ""),
        "branch": driver.partition(".")[0],
        "driver": driver if "." in driver else None,
    }
    return {word: value for word, value in known.items() if value}


def _filled(commands: list[list[str]], words: dict[str, str]) -> list[list[str]] | None:
    """The commands for an administrator; None where a word is not known."""
    filled = [["sudo", *(_fill(argument, words) for argument in command)] for command in commands]
    return None if any(re.search(r"\{[a-z]+\}", argument) for command in filled for argument in command) else filled


def _fill(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"{{{word}}}", value)
    return text


def driver_branch(nvidia: Nvidia) -> str:
    """The branch of the driver that is there: "580"; "" where it is not known."""
    return driver_version(nvidia).partition(".")[0]


def driver_version(nvidia: Nvidia) -> str:
    """The driver that is there: "580.65.06"; "" where it is not known."""
    return nvidia.module_version or nvidia.driver_version or ""


def for_this_user(remedy: Remedy | None, facts: Facts) -> Remedy | None:
    """The remedy without sudo where envkit is run by root: containers have none."""
    system = facts.system.facts
    if remedy is None or system is None or not system.superuser:
        return remedy
    return replace(remedy, commands=[command[command[:1] == ["sudo"] :] for command in remedy.commands])
