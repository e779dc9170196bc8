"""Installed packages that a text names, and the sections of Python and the frameworks that follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from envkit.facts import Section, absent, ok
from envkit.facts.software import Jax, Package, Python, Tensorflow, Torch

# In this order the inspected interpreter's own payload looks for TensorFlow too.
_TENSORFLOWS = (
    *("tensorflow-rocm", "tensorflow-intel", "tensorflow-macos", "tensorflow-cpu-aws", "tensorflow-aarch64"),
    *("tensorflow-gpu", "tf-nightly", "tf-nightly-cpu", "tensorflow", "tensorflow-cpu"),
)
_WITHOUT_CUDA = frozenset(
    (
        *("tensorflow-rocm", "tensorflow-intel", "tensorflow-macos", "tensorflow-cpu-aws", "tensorflow-cpu"),
        "tf-nightly-cpu",
    )
)
_CONDA_NAMES = {"pytorch": "torch", "tensorflow-base": "tensorflow", "nccl": "", "cudnn": "", "python": ""}
_LOCAL_CUDA = re.compile(r"cu(\d{1,2})(\d)(?!\d)")
_LOCAL_HIP = re.compile(r"rocm(\d+(?:\.\d+)*)")
_BUILD_CUDA = re.compile(r"cuda_?(?:(\d+)\.(\d+)|(\d{1,2})(\d))(?!\d)")
_BUILD_CPU = re.compile(r"(?:^|_)(?:cpu|cuda0|mkl|eigen)", re.IGNORECASE)


class Build(NamedTuple):
    """What a version or a build string tells of the accelerator that a framework was built for."""

    known: bool = False
    cuda: str | None = None
    hip: str | None = None


def normalise(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def build_of_version(version: str) -> Build:
    """From the local version: +cu121 is CUDA 12.1, +rocm6.2 is ROCm 6.2, +cpu is neither; else unknown."""
    local = version.partition("+")[2]
    if cuda := _LOCAL_CUDA.match(local):
        return Build(True, cuda=f"{cuda[1]}.{cuda[2]}")
    if hip := _LOCAL_HIP.match(local):
        return Build(True, hip=hip[1])
    return Build(known=local == "cpu" or local.startswith("cpu."))


def build_of_conda(build: str) -> Build:
    """From conda's build string: "py3.10_cuda12.1_cudnn8.9.2_0", "cuda118py310h...", "py3.8_cpu_0"."""
    if cuda := _BUILD_CUDA.search(build):
        major, minor = cuda[1] or cuda[3], cuda[2] or cuda[4]
        return Build(known=True) if major == "0" else Build(True, cuda=f"{major}.{minor}")
    return Build(known=bool(_BUILD_CPU.search(build)))


def conda_name(name: str) -> str:
    """The distribution that a conda package installs: pytorch is torch."""
    return _CONDA_NAMES.get(name, name)


def sections(
    packages: Iterable[Package],
    *,
    complete: bool = False,
    builds: Mapping[str, Build] | None = None,
    **fields: Any,
) -> dict[str, Section[Any]]:
    """The sections python, torch, tensorflow and jax, as far as the packages tell them.

    Args:
        packages: the first of each name counts for the frameworks.
        complete: whether these are all packages; then what is not among them is absent.
        builds: by package name, where something better than the version tells the build.
        fields: of `Python`.
    """
    listed = list(packages)
    first: dict[str, Package] = {}
    for package in listed:
        first.setdefault(package.name, package)
    known = {"executable": "", "version": "", "packages": listed, "packages_complete": complete, **fields}
    found = {
        "torch": _torch(first.get("torch"), (builds or {}).get("torch")),
        "tensorflow": _tensorflow(first, builds or {}, complete=complete),
        "jax": _jax(first, complete=complete),
    }
    gone = {name: absent(f"{name} is not in the list of packages") for name in found if complete}
    return {"python": ok(Python(**known)), **gone, **{name: ok(facts) for name, facts in found.items() if facts}}


def _torch(package: Package | None, build: Build | None) -> Torch | None:
    if package is None or package.version is None:
        return None
    of_version = build_of_version(package.version)
    build = build if build and build.known else of_version
    return Torch(
        version=package.version,
        location=package.location,
        cuda=build.cuda,
        hip=build.hip,
        build_known=build.known,
    )


def _tensorflow(first: Mapping[str, Package], builds: Mapping[str, Build], *, complete: bool) -> Tensorflow | None:
    package = next((first[name] for name in _TENSORFLOWS if name in first), None)
    if package is None or package.version is None:
        return None
    build = builds.get(package.name, Build())
    cuda_build = bool(build.cuda) if build.known else None
    if package.name in _WITHOUT_CUDA:
        cuda_build = False
    elif package.name == "tensorflow-gpu":
        cuda_build = True
    libraries = {name.split("-")[1] for name in first if name.startswith(("nvidia-cudnn-cu", "nvidia-cublas"))}
    keras = first.get("keras") or first.get("keras-nightly")
    return Tensorflow(
        version=package.version,
        distribution=package.name,
        location=package.location,
        cuda_build=cuda_build,
        cuda=build.cuda,
        rocm_build=True if package.name == "tensorflow-rocm" else None,
        keras=keras.version if keras else None,
        and_cuda=True if len(libraries) == 2 else False if complete else None,
    )


def _jax(first: Mapping[str, Package], *, complete: bool) -> Jax | None:
    """None too where jaxlib may be installed without being named: a missing jaxlib would be a fault."""
    package, jaxlib = first.get("jax"), first.get("jaxlib")
    if package is None or package.version is None or (jaxlib is None and not complete):
        return None
    libtpu = first.get("libtpu") or first.get("libtpu-nightly")
    plugins = ("jax-cuda", "jax-rocm", "jax-metal")
    return Jax(
        version=package.version,
        location=package.location,
        jaxlib=jaxlib.version if jaxlib else None,
        plugins={name: p.version or "" for name, p in first.items() if name.startswith(plugins)},
        libtpu=libtpu.version if libtpu else None,
    )
