"""What to do about a driver that is too old: a newer one, or what makes a newer CUDA run on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks._admin import system_package
from envkit.checks._compat import package_for, servers
from envkit.checks._gpus import capability_of
from envkit.findings import Remedy
from envkit.knowledge.drivers import branch_of
from envkit.versions import satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.knowledge import Knowledge

_GUIDE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


def upgrade(at_least: str | None, knowledge: Knowledge, facts: Facts) -> Remedy:
    """How to get a driver that is at least this new; for a GPU that no such driver supports, that there is none."""
    if facts.system.facts and facts.system.facts.wsl:
        newer = f" to {at_least} or newer" if at_least else ""
        return Remedy(text=f"update the NVIDIA driver in Windows{newer} (never install one inside WSL)")
    found = knowledge.drivers.to_install(at_least) if at_least else None
    last = _last_branch(facts, knowledge)
    if at_least and last and branch_of(at_least) > int(last):
        text = f"no driver that new supports this GPU, branch {last} was its last: install a build for an older CUDA"
        return Remedy(text=text)
    text = f"install driver {at_least or 'of a later branch'} or newer" + (" on the host" * bool(facts.container.facts))
    commands: list[list[str]] = []
    if found and last and int(found[0]) > int(last):
        text += f", from branch {last}, the last for this GPU"
    elif found:
        name, branch = found
        kind = "nvidia-driver-branch-open" if _open_modules(facts, knowledge) else "nvidia-driver-branch"
        commands, origin = system_package(kind, facts, knowledge, branch=name)
        text += f"{origin}; branch {name} gets fixes until {branch.end_of_life}"
    return Remedy(text=text, commands=commands, who="admin", url=_GUIDE)


def compatibility_package(cuda: str, nvidia: Nvidia, knowledge: Knowledge, facts: Facts) -> str:
    """The other way for GPUs in data centres, to be put behind a remedy's text; "" where it is not known to work."""
    if package := package_for(cuda, nvidia, knowledge):
        folder = package.path.rpartition("/")[0]
        return f"; or put {folder} first in LD_LIBRARY_PATH: its libcuda {package.version} works on this driver"
    name, driver = f"{cuda.partition('.')[0]}.0", nvidia.driver_version
    linux = not (facts.system.facts and facts.system.facts.wsl)
    if linux and driver and servers(nvidia, knowledge) and knowledge.drivers.works_in_front_of(name, driver):
        return f"; or install cuda-compat-{name.replace('.', '-')}, which works on this driver and these GPUs"
    return ""


def _capabilities(facts: Facts, knowledge: Knowledge) -> list[str | None]:
    nvidia = facts.nvidia.facts
    return [capability_of(gpu, knowledge) for gpu in (nvidia.gpus or [] if nvidia else [])]


def _last_branch(facts: Facts, knowledge: Knowledge) -> str | None:
    """The last branch of drivers that supports every GPU; None while there are newer ones."""
    ended = [knowledge.drivers.last_branch(number) for number in _capabilities(facts, knowledge) if number]
    return min(filter(None, ended), key=int, default=None)


def _open_modules(facts: Facts, knowledge: Knowledge) -> bool:
    """Whether NVIDIA's open kernel modules drive every GPU: they do from Turing (7.5) on."""
    known = _capabilities(facts, knowledge)
    return bool(known) and all(number and satisfies(number, ">=7.5") for number in known)
