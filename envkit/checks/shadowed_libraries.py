"""CUDA libraries that the loader takes from elsewhere instead of those that the wheels bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import installed
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.software import Python

WHEELS = {
    "libcudart": "nvidia-cuda-runtime",
    "libcudnn": "nvidia-cudnn",
    "libcublas": "nvidia-cublas",
    "libcufft": "nvidia-cufft",
    "libcurand": "nvidia-curand",
    "libcusolver": "nvidia-cusolver",
    "libcusparse": "nvidia-cusparse",
    "libcupti": "nvidia-cuda-cupti",
    "libnccl": "nvidia-nccl",
    "libnvrtc": "nvidia-cuda-nvrtc",
    "libnvJitLink": "nvidia-nvjitlink",
    "libnvshmem": "nvidia-nvshmem",
}
"""Library to the wheel that brings it."""
_CUDA_WORDS = ("cuda", "cudnn", "nccl")


@check(area="frameworks")
def framework_libraries_shadowed(python: Python, facts: Facts) -> Findings:
    """Other CUDA libraries than those of the wheels are loaded, or would be (LD_LIBRARY_PATH).

    Folders of LD_LIBRARY_PATH come before the wheels' own. With --deep the libraries really mapped are looked at. The
    libcuda of a compatibility package is the driver's business: no wheel brings one.
    Source: JAX documentation, "Installation"; pytorch issue 119989.
    """
    torch, tensorflow, jax = facts.torch.facts, facts.tensorflow.facts, facts.jax.facts
    built_for_cuda = (torch and torch.cuda) or (tensorflow and tensorflow.cuda_build) or (jax and jax.plugins)
    if not built_for_cuda:
        return
    path = python.environment.get("LD_LIBRARY_PATH", "")
    remedy = Remedy(text="unset it: the wheels bring their own", commands=[["unset", "LD_LIBRARY_PATH"]])
    deep = (facts.torch_deep.facts, facts.tensorflow_deep.facts, facts.jax_deep.facts)
    mapped = dict.fromkeys(library for framework in deep if framework for library in framework.libraries)
    loaded = [library for library in mapped if _wheels_of(library)]
    own = tuple(f"{folder.rstrip('/')}/" for folder in (*python.site_packages, python.prefix) if folder)
    foreign = [library for library in loaded if not library.startswith(own) and _brought(library, python)]
    entries = _entries(python, path)
    if foreign:
        yield fail(
            "CUDA libraries from outside the environment are loaded",
            evidence=[*foreign, *([f"LD_LIBRARY_PATH={path}"] if path else [])],
            remedy=remedy,
        )
    elif entries and not loaded:
        yield warn(
            "LD_LIBRARY_PATH puts other CUDA libraries before those of the wheels",
            evidence=[f"LD_LIBRARY_PATH: {entry}" for entry in entries],
            remedy=remedy,
        )


def _wheels_of(library: str) -> tuple[str, ...]:
    """How the wheels that may bring a library are named; () for what is no library of CUDA."""
    name = library.rpartition("/")[2]
    return tuple(wheel for stem, wheel in WHEELS.items() if name.startswith(stem))


def _brought(library: str, python: Python) -> bool:
    """Whether an installed wheel brings a library of this name."""
    return any(package.startswith(_wheels_of(library)) for package in installed(python))


def _entries(python: Python, path: str) -> list[str]:
    """Folders of LD_LIBRARY_PATH that hold what wheels bring too; by their names, where nobody looked into them."""
    if python.library_path is not None:
        return [f"{folder} ({', '.join(names[:4])})" for folder, names in python.library_path.items()]
    elsewhere = ("compat", "site-packages", "dist-packages")  # the last two hold the wheels' own
    folders = [folder for folder in path.split(":") if not any(word in folder for word in elsewhere)]
    return [folder for folder in folders if any(word in folder.lower() for word in _CUDA_WORDS)]
