"""How an administrator installs things from the system's package manager, by distribution."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from envkit.knowledge.tables import Row, Table
from envkit.versions import satisfies


class Machine(NamedTuple):
    """What decides which row tells: distributions from the machine's own to those it is like, the nearest first."""

    distributions: list[str]
    version: str = ""
    kernel: str = ""
    branch: str = ""
    """Of the driver: "580"."""
    servers: bool = False
    """Whether its GPUs are for data centres."""


class SystemPackage(Row, frozen=True, kw_only=True):
    """How one distribution installs something.

    commands may hold {words} of the machine: one that is not known makes the row tell nothing. origin: where the
    package comes from. repositories: their rows' commands come first. dkms: a module is built on the machine.
    distribution (else the row's key), versions, kernel (a pattern found in its release), branches (of the driver) and
    servers are conditions.
    """

    commands: list[list[str]]
    origin: str = msgspec.field(default="", name="from")
    repositories: tuple[str, ...] = ()
    dkms: bool = False
    distribution: str = ""
    versions: str = ""
    kernel: str = ""
    branches: str = ""
    servers: bool = False

    def fits(self, machine: Machine) -> bool:
        """Whether its conditions hold, the distribution's aside."""
        return (
            (not self.versions or satisfies(machine.version, self.versions) is True)
            and (not self.branches or satisfies(machine.branch, self.branches) is True)
            and re.search(self.kernel, machine.kernel) is not None
            and (machine.servers or not self.servers)
        )


class SystemPackages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one distribution the first row that fits tells. on_host: inside a container it is the host's business."""

    by_distribution: dict[str, SystemPackage]
    on_host: bool = True


class Generation(Row, frozen=True, kw_only=True):
    """GPUs of NVIDIA's PCI device ids from this one on, up to the next row's: their compute capability."""

    capability: str
    below: str | None = None


class Cloud(Row, frozen=True, kw_only=True):
    """What a cloud says of drivers. instances: its machines that have NVIDIA GPUs."""

    note: str
    instances: str
    url: str


class Distributions(Table, frozen=True, kw_only=True):
    likes_source: str
    likes: dict[str, list[str]]
    packages_source: str
    repositories_source: str
    repositories: dict[str, dict[str, SystemPackage]]
    packages: dict[str, SystemPackages]
    generations: dict[str, Generation]
    clouds: dict[str, Cloud]
    """By System.virtual_machine."""

    def similar(self, distribution: str | None, likes: list[str]) -> list[str]:
        """The distribution and those that it is like, the nearest first: by this table, then as it says itself."""
        return list(dict.fromkeys([distribution or "", *self.likes.get(distribution or "", []), *likes]))

    def find(self, what: str, machine: Machine) -> SystemPackage | None:
        """How a machine's distribution, or the nearest that it is like, installs something; None where no row tells."""
        return _nearest(self.packages[what].by_distribution, machine)

    def repository(self, name: str, machine: Machine) -> SystemPackage | None:
        """How the repository is added that a package comes from."""
        return _nearest(self.repositories[name], machine)

    def generation(self, device_id: str) -> Generation | None:
        """What a PCI device id of NVIDIA's tells of the GPU: "2330" -> at least 7.5."""
        older = [first for first in self.generations if len(device_id) == len(first) and first <= device_id.lower()]
        return self.generations[max(older)] if older else None


def _nearest(rows: dict[str, SystemPackage], machine: Machine) -> SystemPackage | None:
    return next(
        (
            row
            for name in machine.distributions
            for key, row in rows.items()
            if (row.distribution or key) == name and row.fits(machine)
        ),
        None,
    )
