"""Forward compatibility: a newer libcuda of a package cuda-compat in front of an older NVIDIA driver.

Source: NVIDIA "CUDA Compatibility", Forward Compatibility.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from envkit.checks._gpus import usable
from envkit.versions import release, satisfies

if TYPE_CHECKING:
    from envkit.facts.accelerators import CompatPackage, Nvidia
    from envkit.knowledge import Knowledge


class CudaDriver(NamedTuple):
    """What programs get to see of the driver."""

    version: str | None
    cuda: str | None
    certain: bool = True
    """False: a compatibility package is in use, and no table tells whether it works here."""


def in_use(nvidia: Nvidia) -> str | None:
    """The version of the compatibility package whose libcuda programs load."""
    return nvidia.libcuda_version if "compat" in (nvidia.libcuda_path or "") else None


def driver_of(nvidia: Nvidia, knowledge: Knowledge) -> CudaDriver:
    """The driver that programs see: the compatibility package's where one works in front of it.

    NVML tells the CUDA of whichever libcuda it finds, so that of a package may be told where it does not work.
    """
    version = in_use(nvidia)
    if version is None:
        return CudaDriver(nvidia.driver_version, nvidia.cuda_driver_version)
    cuda = knowledge.drivers.cuda_of(version)
    if obstacle(version, nvidia):
        own = knowledge.drivers.cuda_of(nvidia.driver_version) if nvidia.driver_version else None
        return CudaDriver(nvidia.driver_version, own or nvidia.cuda_driver_version)
    if works(version, nvidia, knowledge):
        newest = max(filter(None, (cuda, nvidia.cuda_driver_version)), key=lambda c: release(c) or (), default=None)
        return CudaDriver(version, newest)
    return CudaDriver(nvidia.driver_version, nvidia.cuda_driver_version, certain=False)


def obstacle(version: str, nvidia: Nvidia) -> str | None:
    """Why a compatibility package cannot work on this machine."""
    driver = nvidia.module_version or nvidia.driver_version
    if driver and satisfies(version, f"<{driver}"):
        return f"it is older than the driver {driver}"
    desktop = next((g.name for g in usable(nvidia) if g.name and "geforce" in g.name.lower()), None)
    if desktop and driver != version:
        return f"{desktop} does not support it"
    return None


def works(version: str, nvidia: Nvidia, knowledge: Knowledge) -> bool:
    """Whether a compatibility package is known to work: for this driver, and for every GPU."""
    cuda = knowledge.drivers.cuda_of(version)
    return bool(
        cuda
        and nvidia.driver_version
        and not obstacle(version, nvidia)
        and servers(nvidia, knowledge)
        and knowledge.drivers.works_in_front_of(cuda, nvidia.driver_version)
    )


def servers(nvidia: Nvidia, knowledge: Knowledge) -> bool:
    """Whether every GPU is known to be one for data centres."""
    models = [knowledge.gpu_model(gpu.name) for gpu in usable(nvidia)]
    return bool(models) and all(model and model.server for model in models)


def package_for(cuda: str, nvidia: Nvidia, knowledge: Knowledge) -> CompatPackage | None:
    """A compatibility package on this machine that is not in use and would make the driver run this CUDA."""
    wanted = release(cuda.partition(".")[0])
    for package in nvidia.cuda_compat:
        newest = release(knowledge.drivers.cuda_of(package.version or "") or "")
        enough = newest and wanted and newest[:1] >= wanted
        if enough and package.path != nvidia.libcuda_path and works(package.version or "", nvidia, knowledge):
            return package
    return None
