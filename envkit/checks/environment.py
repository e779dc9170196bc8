"""Variables of the environment that slow CUDA down, switch transports off, or point at another Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, usable
from envkit.checks._packages import listed
from envkit.findings import Findings, Remedy, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.software import Python
    from envkit.profile import Profile

# Sources: DCGM diagnostics, deployment test; CUDA C++ Programming Guide, "CUDA Environment Variables".
_DEBUGGING = (
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_CACHE_DISABLE",
    "CUDA_INJECTION32_PATH",
    "CUDA_INJECTION64_PATH",
    "CUDA_ENABLE_COREDUMP_ON_EXCEPTION",
    "CUDA_DEVICE_WAITS_ON_EXCEPTION",
    "CUDA_PROFILE",
    "COMPUTE_PROFILE",
    "NSIGHT_CUDA_DEBUGGER",
)
_OFF = {"", "0", "false", "no", "off"}


@check(area="python")
def debugging_variables_set(python: Python, facts: Facts, profile: Profile) -> Findings:
    """Variables meant for debugging slow CUDA down or hook into it (CUDA_LAUNCH_BLOCKING, CUDA_INJECTION64_PATH)."""
    given = {n: python.environment[n] for n in _DEBUGGING if python.environment.get(n, "").lower() not in _OFF}
    if given and judged(profile) and usable(facts.nvidia.facts):
        yield warn(
            f"{listed(given)} {'is' if len(given) == 1 else 'are'} set: CUDA is slow, or watched by another program",
            evidence=[f"{name}={value}" for name, value in given.items()],
            remedy=Remedy(text="unset it when you do not debug", commands=[["unset", name] for name in given]),
        )


@check(area="python")
def nccl_transport_disabled(python: Python, facts: Facts, profile: Profile) -> Findings:
    """NCCL is told to do without peer-to-peer copies, shared memory or InfiniBand: training on several GPUs is slow."""
    names = ("NCCL_P2P_DISABLE", "NCCL_SHM_DISABLE", "NCCL_IB_DISABLE")
    given = {n: python.environment[n] for n in names if python.environment.get(n, "").lower() not in _OFF}
    if given and judged(profile) and len(usable(facts.nvidia.facts)) > 1:
        yield warn(
            f"{listed(given)} {'is' if len(given) == 1 else 'are'} set: GPUs exchange data more slowly",
            evidence=[f"{name}={value}" for name, value in given.items()],
            remedy=Remedy(
                text="unset it, unless this machine's peer-to-peer or network is broken",
                commands=[["unset", name] for name in given],
            ),
        )


@check(area="python")
def wrong_interpreter(python: Python) -> Findings:
    """The Python that was found belongs to another environment than the one that is activated."""
    active = python.environment.get("VIRTUAL_ENV", "") or python.environment.get("CONDA_PREFIX", "")
    other = active and python.prefix and active.rstrip("/") != python.prefix.rstrip("/")
    if other and python.found_by not in {"--python", None} and python.prefix != python.environment.get("CONDA_PREFIX"):
        yield warn(
            f"{active} is activated, but {python.executable} is what runs",
            evidence=[f"prefix {python.prefix}", f"found by {python.found_by}"],
            remedy=Remedy(text="activate the environment anew, or name its Python with --python"),
        )
