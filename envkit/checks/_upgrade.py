"""Which driver to install where there is none or one that is too old, or what makes a newer CUDA run on that one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from envkit.checks._admin import driver_version, system_package
from envkit.checks._compat import package_for, servers
from envkit.checks._gpus import capability_of
from envkit.findings import Remedy
from envkit.knowledge.drivers import branch_of
from envkit.versions import release, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.knowledge import Knowledge
    from envkit.knowledge.distributions import Cloud, Generation
    from envkit.knowledge.drivers import Branch
    from envkit.profile import Profile

_GUIDE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"
_VGPU = "https://docs.nvidia.com/vgpu/"
_HEADLESS = "0302"  # class of PCI devices: 3D controllers, which GPUs for data centres are


def upgrade(at_least: str | None, knowledge: Knowledge, facts: Facts, *, needed_by: str = "") -> Remedy:
    """How to get a driver that is at least this new, or any; for a GPU that none so new supports, that there is none.

    needed_by: what needs it, "CUDA 13.0".
    """
    system, container = facts.system.facts, facts.container.facts
    if system and system.wsl:
        newer = f" to {at_least} or newer" if at_least else ""
        text = f"update the NVIDIA driver in Windows{newer} and run wsl --shutdown there (never install one inside WSL)"
        return Remedy(text=text)
    last = _last_branch(facts, knowledge)
    if last and branch_of(at_least or "") > int(last):
        return Remedy(text=_unsupported(last, knowledge))
    name, branch = _recommended(at_least, last, knowledge)
    what = f"a driver of branch {name}{'' if last else ' or newer'}" if name else f"driver {at_least} or newer"
    because = _because(at_least, needed_by, name, branch, last)
    cloud, url = cloud_of(facts, knowledge), _GUIDE
    commands: list[list[str]] = []
    if container:
        where = " on the host"
        if container.runtime == "kubernetes":
            where = " on the node (the GPU operator, or the image of its cloud, brings it)"
    elif _vgpu(facts):
        where, url = ": the GRID driver for guests that fits the vGPU manager of the host; ask who runs it", _VGPU
    else:
        commands, where = _packages(name, facts, knowledge)
        if _has_fabric(facts):
            where += ", the fabric manager of the same version,"
            commands += system_package("nvidia-fabric-manager", facts, knowledge, branch=name).commands
    aside = f"; {cloud.note}" if cloud and not container else ""
    text = f"install {what}{where}{'' if container else ' and reboot'}{because}{aside}"
    return Remedy(text=text, commands=commands, who="admin", url=cloud.url if cloud else url)


def first_driver(profile: Profile, knowledge: Knowledge, facts: Facts) -> Remedy:
    """How to get a driver where there is none, one that the profile's CUDA runs on; and whether the GPU will do."""
    remedy = upgrade(least_of(profile.requires.driver), knowledge, facts, needed_by=needs(profile))
    wanted = profile.requires.compute_capability
    least = release(least_of(wanted) or "")
    seen = [generation.below for generation in _generations(facts, knowledge) if generation and generation.below]
    if remedy.commands and least and any((release(below) or ()) <= least for below in seen):
        text = (
            f"profile {profile.name} needs compute capability {wanted}, which this GPU does not have; for another one"
        )
        return replace(remedy, text=f"{text} {remedy.text}")
    return remedy


def least_of(specifiers: str | None) -> str | None:
    """The oldest version that is allowed: ">=580.65.06" -> "580.65.06"."""
    return (specifiers or "").lstrip("><=~! ").partition(",")[0] or None


def needs(profile: Profile) -> str:
    """Who needs a driver: "profile cuda13 (CUDA 13.0)"."""
    cuda = f" (CUDA {profile.requires.cuda})" if profile.requires.cuda else ""
    return f"profile {profile.name}{cuda}" if profile.name else ""


def cloud_of(facts: Facts, knowledge: Knowledge) -> Cloud | None:
    """The cloud that this machine is rented from, as far as its hypervisor tells."""
    system = facts.system.facts
    return knowledge.distributions.clouds.get(system.virtual_machine or "") if system else None


def _recommended(at_least: str | None, last: str | None, knowledge: Knowledge) -> tuple[str, Branch | None]:
    """The branch to install: long-term if it is new enough, the GPU's last if it has one; "" where no table tells."""
    found = knowledge.drivers.to_install(at_least or "0")
    if found and last and int(found[0]) > int(last):
        return last, knowledge.drivers.branches.get(last)
    return found or ("", None)


def _because(at_least: str | None, needed_by: str, name: str, branch: Branch | None, last: str | None) -> str:
    reasons = [f"{needed_by or 'it'} needs {at_least} or newer"] if at_least else []
    roles = ["NVIDIA's long-term branch"] * bool(branch and branch.long_term) + ["the last for this GPU"] * bool(last)
    if branch:
        reasons.append(
            f"{name}{', ' + ' and '.join(roles) + ',' if roles else ''} gets fixes until {branch.end_of_life}"
        )
    elif last:
        reasons.append(f"{name}, the last for this GPU, gets fixes no more")
    return f": {', and '.join(reasons)}" if reasons else ""


def _packages(name: str, facts: Facts, knowledge: Knowledge) -> tuple[list[list[str]], str]:
    known = [number for number in _capabilities(facts, knowledge) if number]
    there = driver_version(facts.nvidia.facts) if facts.nvidia.facts else ""
    # NVIDIA's own modules run whatever an older driver runs, be the GPU known or not.
    is_open = all(satisfies(number, ">=7.5") for number in known) if known else not there
    kind = "nvidia-driver-open" if is_open else "nvidia-driver-proprietary"
    return system_package(kind, facts, knowledge, branch=name, servers=_for_data_centres(facts, knowledge))


def _unsupported(last: str, knowledge: Knowledge) -> str:
    cuda = knowledge.drivers.cuda_of(f"{last}.999")
    has = f", with CUDA {cuda}" if cuda else ""
    return (
        f"no driver that new supports this GPU: branch {last} was its last{has}; install a build for an older CUDA, "
        "or use another GPU"
    )


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
    """Of each GPU: as the driver or its name tells, where there is no driver the least that its PCI id means."""
    nvidia = facts.nvidia.facts
    if nvidia and nvidia.gpus:
        return [capability_of(gpu, knowledge) for gpu in nvidia.gpus]
    return [found.capability if found else None for found in _generations(facts, knowledge)]


def _generations(facts: Facts, knowledge: Knowledge) -> list[Generation | None]:
    nvidia = facts.nvidia.facts
    devices = (nvidia.pci_devices if nvidia else None) or []
    return [knowledge.distributions.generation(device.device_id) for device in devices]


def _last_branch(facts: Facts, knowledge: Knowledge) -> str | None:
    """The last branch of drivers that supports every GPU; None while there are newer ones."""
    ended = [knowledge.drivers.last_branch(number) for number in _capabilities(facts, knowledge) if number]
    return min(filter(None, ended), key=int, default=None)


def _for_data_centres(facts: Facts, knowledge: Knowledge) -> bool:
    nvidia = facts.nvidia.facts
    if nvidia is None or nvidia.gpus:
        return nvidia is not None and servers(nvidia, knowledge)
    devices = nvidia.pci_devices or []
    return bool(devices) and all((device.class_id or "").startswith(_HEADLESS) for device in devices)


def _has_fabric(facts: Facts) -> bool:
    nvidia = facts.nvidia.facts
    states = {gpu.fabric_state for gpu in (nvidia.gpus or [] if nvidia else [])} - {None, "not-supported"}
    return bool(states or (nvidia and nvidia.nvswitches))


def _vgpu(facts: Facts) -> bool:
    nvidia = facts.nvidia.facts
    return any(gpu.virtualization_mode == "vgpu" for gpu in (nvidia.gpus or [] if nvidia else []))
