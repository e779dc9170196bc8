"""The tables of NVIDIA's drivers, and what follows from them. What they do not tell is None."""

from __future__ import annotations

from envkit.knowledge.tables import Row, Table
from envkit.versions import minor, release, satisfies


class Driver(Row, frozen=True, kw_only=True):
    """The oldest driver that something runs on, for Linux and for Windows (and WSL)."""

    driver: str
    windows: str | None = None


class Branch(Row, frozen=True, kw_only=True):
    long_term: bool
    end_of_life: str


class ForwardCompatibility(Row, frozen=True, kw_only=True):
    """The branches of drivers that a package cuda-compat works in front of."""

    bases: list[str]


class LastBranch(Row, frozen=True, kw_only=True):
    """The last branch for GPUs of these compute capabilities."""

    capability: str
    branch: str


class Drivers(Table, frozen=True, kw_only=True):
    minor_version_floor: dict[str, Driver]
    toolkit_driver: dict[str, Driver]
    forward_compatibility: dict[str, ForwardCompatibility]
    last_branches: dict[str, LastBranch]
    branches: dict[str, Branch]

    def floor(self, cuda: str, *, windows: bool = False) -> str | None:
        """The oldest driver that runs programs built with this CUDA: "12.8" -> "525.60.13"."""
        return _of(self.minor_version_floor.get(cuda.partition(".")[0]), windows=windows)

    def of_toolkit(self, cuda: str, *, windows: bool = False) -> str | None:
        """The driver released with this CUDA, which runs all of it: "12.8" -> "570.26"."""
        return _of(self.toolkit_driver.get(minor(cuda)), windows=windows)

    def cuda_of(self, driver: str) -> str | None:
        """The newest CUDA that a Linux driver is known to implement: "570.133.20" -> "12.8"."""
        have = branch_of(driver)
        known = [cuda for cuda, row in self.toolkit_driver.items() if have and branch_of(row.driver) <= have]
        return max(known, key=lambda cuda: release(cuda) or (), default=None)

    def works_in_front_of(self, cuda: str, driver: str) -> bool | None:
        """Whether the package cuda-compat of this CUDA makes an older Linux driver run it; None: no table tells."""
        row, base = self.forward_compatibility.get(minor(cuda)), branch_of(driver)
        own = self.of_toolkit(cuda)
        if own and base > branch_of(own):
            return False
        return True if row and str(base) in row.bases else None

    def to_install(self, at_least: str) -> tuple[str, Branch] | None:
        """The branch to install for a driver that is at least this new: a long-term one where there is one."""
        fitting = [(name, b) for name, b in self.branches.items() if int(name) >= branch_of(at_least)]
        return min(fitting, key=lambda item: (not item[1].long_term, int(item[0])), default=None)

    def last_branch(self, capability: str) -> str | None:
        """The last branch of drivers for a GPU: "7.0" -> "580"; None while there are newer ones."""
        ended = [row.branch for row in self.last_branches.values() if satisfies(capability, row.capability)]
        return min(ended, key=int, default=None)


def branch_of(driver: str) -> int:
    """The branch of a driver: "570.133.20" -> 570; 0 for what is no version."""
    return (release(driver) or (0,))[0]


def _of(row: Driver | None, *, windows: bool) -> str | None:
    if row is None:
        return None
    return row.windows if windows else row.driver
