"""What an administrator is told to do, in the words of the distribution that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.findings import Remedy
    from envkit.knowledge import Knowledge


class Packages(NamedTuple):
    """How something is installed by the system's package manager."""

    commands: list[list[str]]
    """Empty where no table tells, or where it belongs to the host of this container."""
    origin: str
    """To put behind the text of a remedy: " (from NVIDIA's repository)", or ""."""


def system_package(what: str, facts: Facts, knowledge: Knowledge, *, branch: str = "") -> Packages:
    """How `what` (a row of knowledge/distributions.yaml) is installed on the distribution of these facts.

    Args:
        what: "compiler", "nvidia-driver", ...
        facts: name the distribution, or a container.
        knowledge: the tables.
        branch: of the driver, "580"; "" where that is not known: rows that need it then tell nothing.
    """
    system = facts.system.facts
    if system is None or (facts.container.facts and knowledge.distributions.packages[what].on_host):
        return Packages([], "")
    row = knowledge.distributions.find(what, system.distribution_id, system.distribution_like)
    if row is None or (not branch and any("{branch}" in word for command in row.commands for word in command)):
        return Packages([], "")
    commands = [["sudo", *(word.replace("{branch}", branch) for word in command)] for command in row.commands]
    return Packages(commands, f" (from {row.origin})" if row.origin else "")


def driver_branch(nvidia: Nvidia) -> str:
    """The branch of the driver that is there: "580"; "" where it is not known."""
    version = nvidia.module_version or nvidia.driver_version or ""
    return version.partition(".")[0]


def for_this_user(remedy: Remedy | None, facts: Facts) -> Remedy | None:
    """The remedy without sudo where envkit is run by root: containers have none."""
    system = facts.system.facts
    if remedy is None or system is None or not system.superuser:
        return remedy
    return replace(remedy, commands=[command[command[:1] == ["sudo"] :] for command in remedy.commands])
