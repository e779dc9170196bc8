"""The inspected interpreter: what it is, what is installed in it, what of the environment bends it."""

from __future__ import annotations

import json
import os
import sys

from . import distributions, libraries, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

SHADOWABLE = ("torch", "tensorflow", "jax", "numpy", "keras")
ENVIRONMENT = (
    "PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONSTARTUP", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV",
    "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH",
    "CUDA_LAUNCH_BLOCKING", "CUDA_CACHE_DISABLE", "CUDA_CACHE_PATH", "CUDA_INJECTION64_PATH",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_AFFINITY", "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH", "TF_XLA_FLAGS", "XLA_FLAGS", "XLA_PYTHON_CLIENT_PREALLOCATE",
    "XLA_PYTHON_CLIENT_MEM_FRACTION", "JAX_PLATFORMS", "KERAS_BACKEND", "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NVML_BASED_CUDA_CHECK", "TORCH_CUDA_ARCH_LIST", "NCCL_DEBUG", "NCCL_P2P_DISABLE", "NCCL_IB_DISABLE",
    "NCCL_SHM_DISABLE", "NCCL_IB_HCA", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "ONEAPI_DEVICE_SELECTOR",
    "ZE_AFFINITY_MASK", "CUDA_INJECTION32_PATH", "CUDA_ENABLE_COREDUMP_ON_EXCEPTION", "CUDA_DEVICE_WAITS_ON_EXCEPTION",
    "CUDA_PROFILE", "COMPUTE_PROFILE", "NSIGHT_CUDA_DEBUGGER",
)  # fmt: skip


def observe() -> dict[str, Any]:
    """The facts of the section `python`."""
    site = sys.modules.get("site")  # not there under -S
    user_site = getattr(site, "USER_SITE", None) if getattr(site, "ENABLE_USER_SITE", False) else None
    site_packages = [p for p in sys.path if os.path.basename(p) in {"site-packages", "dist-packages"}]
    everything = [(metadata, distributions.read(where, metadata)) for _, where, metadata in distributions.listing()]
    installed, hollow = _told_apart(everything)
    collisions = records.examine(installed)
    packages = [package for _, package in installed]
    virtual = sys.prefix != sys.base_prefix
    return {
        "executable": sys.executable,
        "version": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "free_threaded": "t" in getattr(sys, "abiflags", ""),
        "debug": hasattr(sys, "gettotalrefcount"),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "virtual_environment": virtual,
        "conda": os.path.isdir(f"{sys.prefix}/conda-meta"),
        "externally_managed": not virtual and os.path.exists(f"{os.path.dirname(os.__file__)}/EXTERNALLY-MANAGED"),
        "user_site_enabled": user_site is not None,
        "user_site_packages": sorted(_only_in(user_site, packages)),
        "site_packages": site_packages,
        "site_packages_writable": _writable(site_packages, user_site),
        "setup": _setup(),
        "environment": {name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        "packages": packages,
        "duplicates": _duplicates(packages),
        "collisions": collisions,
        "leftovers": distributions.leftovers() + hollow,
        "shadowed": _shadowed({package["location"] for package in packages}),
        "library_path": libraries.shadowing(),
        "compiler": _compiler(),
        "headers": _headers(),
    }


def _state_files() -> Iterable[str]:
    """Where `envkit setup` leaves it: in the environment, or with --system around the folder that it installs into."""
    paths = sys.path if sys.prefix == sys.base_prefix else []
    shared = [os.path.normpath(f"{path}/../../..") for path in paths if os.path.basename(path) == "dist-packages"]
    return (os.path.join(folder, "envkit.json") for folder in dict.fromkeys([sys.prefix, *shared]))


def _setup() -> dict[str, Any] | None:
    """What `envkit setup` left in the environment that it built; None where there is nothing that it wrote."""
    try:
        state = json.loads(next(filter(None, map(distributions.text, _state_files())), "{}"))
        if not state["schema"].startswith("envkit.environment/"):
            return None
        found: dict[str, Any] = {name: str(state[name]) for name in ("profile", "made_at", "verdict")}
        found.update({name: str(state.get(name, "")) for name in ("profile_path", "lock_sha256")})
        for name in ("added", "left_out", "deferred"):
            found[name] = [str(each) for each in state.get(name, [])]
        for name in ("assumptions", "packages"):
            found[name] = {key: str(value) for key, value in state.get(name, {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found


def _told_apart(
    everything: Sequence[tuple[str, dict[str, Any]]],
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The distributions, and the metadata folders that hold none: those without METADATA beside a whole one."""
    whole = {(package["location"], package["name"]) for _, package in everything if package["version"]}
    installed, hollow = [], []
    for metadata, package in everything:
        if package["version"] or (package["location"], package["name"]) not in whole:
            installed.append((metadata, package))
        else:
            hollow.append(os.path.join(package["location"], metadata))
    return installed, hollow


def _only_in(location: str | None, packages: Iterable[dict[str, Any]]) -> set[str]:
    here = {package["name"] for package in packages if package["location"] == location}
    return here - {package["name"] for package in packages if package["location"] != location}


def _writable(site_packages: Sequence[str], user_site: str | None) -> bool | None:
    """Whether an installer could write into the interpreter's own site-packages."""
    own = [p for p in site_packages if p != user_site and p.startswith(sys.prefix)]
    return os.access(own[0], os.W_OK) if own else None


def _duplicates(packages: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    versions: dict[tuple[str, str], list[str]] = {}
    for package in packages:
        versions.setdefault((package["location"], package["name"]), []).append(package["version"] or "?")
    return {name: found for (_, name), found in versions.items() if len(found) > 1}


def _shadowed(locations: set[str]) -> dict[str, str]:
    """Frameworks that a file in the working directory or on PYTHONPATH hides.

    A folder that also holds installed distributions (`pip install --target`) hides nothing: it provides.
    """
    try:
        entries = [os.getcwd()]
    except OSError:  # the working directory was removed
        entries = []
    entries += [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    found: dict[str, str] = {}
    for entry in map(os.path.abspath, entries):
        if entry in locations or os.path.basename(entry) in {"site-packages", "dist-packages"}:
            continue
        for name in SHADOWABLE:
            for path in (f"{entry}/{name}/__init__.py", f"{entry}/{name}.py"):
                if name not in found and os.path.exists(path):
                    found[name] = path
    return found


def _compiler() -> str | None:
    """The C compiler that torch.compile would use."""
    for command in (os.environ.get("CC", "").partition(" ")[0], "cc", "gcc", "clang"):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if command else ():
            path = os.path.join(folder, command)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def _headers() -> bool:
    """Python.h is there; sysconfig, which is slow, is asked only when it is not in the usual place."""
    usual = f"{sys.base_prefix}/include/python{sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
    if os.path.exists(f"{usual}/Python.h"):
        return True
    import sysconfig

    return os.path.exists(f"{sysconfig.get_path('include')}/Python.h")
