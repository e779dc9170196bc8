"""Whether there is code for each GPU: in the profile's range, in the wheels of PyTorch, TensorFlow and JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import capability_of, judged, label, usable
from envkit.checks._packages import torch_for_gpus
from envkit.checks.driver_version import cuda_major
from envkit.findings import Findings, Remedy, fail, unsure, warn
from envkit.knowledge.tables import CudaCode
from envkit.versions import local, minor, release, satisfies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia, NvidiaGpu
    from envkit.facts.software import Jax, Tensorflow, Torch
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile


def _capable(nvidia: Nvidia, profile: Profile, knowledge: Knowledge) -> Iterator[tuple[NvidiaGpu, str]]:
    for gpu in usable(nvidia) if judged(profile) else []:
        if number := capability_of(gpu, knowledge):
            yield gpu, number


@check(area="accelerators")
def gpu_arch_below_profile(nvidia: Nvidia, profile: Profile, knowledge: Knowledge) -> Findings:
    """A GPU's compute capability is outside what the profile's packages support."""
    wanted = profile.requires.compute_capability
    for gpu, capability in _capable(nvidia, profile, knowledge) if wanted else []:
        if satisfies(capability, wanted) is False:
            yield fail(
                f"compute capability {capability}, profile {profile.name} needs {wanted}",
                subject=label(gpu),
                evidence=[f"compute capability {capability}"],
                remedy=Remedy(text="use another GPU, or a profile whose packages have code for this one"),
            )


@check(area="frameworks", after="gpu-arch-below-profile")
def gpu_arch_not_in_torch(
    nvidia: Nvidia, torch: Torch, facts: Facts, profile: Profile, knowledge: Knowledge
) -> Findings:
    """PyTorch's wheel has no code for a GPU: kernels fail with "no kernel image is available".

    The architectures come from the imported PyTorch (with --deep), else from the table of official wheels. Code sm_XY
    runs on X.Z with Z >= Y; PTX for an older architecture is compiled by the driver at first use.
    """
    gpus = list(_capable(nvidia, profile, knowledge))
    if not torch.cuda or not gpus:
        return
    code, source = _torch_code(torch, facts, knowledge)
    if code is None:
        newest = knowledge.newest("torch")
        yield unsure(
            f"which GPUs PyTorch {torch.version} has code for is unknown",
            evidence=[source, f"the newest PyTorch in the tables is {newest}; --deep asks PyTorch itself"],
        )
        return
    evidence = [f"code for {_names(code)} ({source})"]
    for gpu, capability in gpus:
        runs = knowledge.runs_on(code, capability, torch.cuda)
        stale = runs == "ptx" and _driver_older(nvidia, torch.cuda)
        if runs == "no" or stale:
            yield fail(
                f"PyTorch {torch.version} has no code for compute capability {capability}",
                subject=label(gpu),
                evidence=evidence + (["the driver is too old to compile its PTX"] if stale else []),
                remedy=_other_torch(facts, knowledge),
            )
        elif runs == "ptx":
            yield warn(
                f"PyTorch {torch.version} has only PTX for compute capability {capability}: a slow first start",
                subject=label(gpu),
                evidence=evidence,
                remedy=Remedy(text="install a newer build with code for this GPU"),
            )


def _other_torch(facts: Facts, knowledge: Knowledge) -> Remedy:
    commands = torch_for_gpus(facts, knowledge)
    if commands:
        return Remedy(text="install a build with code for this GPU", commands=commands)
    return Remedy(text="no PyTorch that envkit knows has code for this GPU and runs on this driver and Python")


def _torch_code(torch: Torch, facts: Facts, knowledge: Knowledge) -> tuple[CudaCode | None, str]:
    """The CUDA code of the installed PyTorch, and where that is known from."""
    deep, system = facts.torch_deep.facts, facts.system.facts
    if deep and deep.arch_list:
        numbers = {kind: [_number(a) for a in deep.arch_list if a.startswith(kind)] for kind in ("sm_", "compute_")}
        return CudaCode(sm=numbers["sm_"], ptx=numbers["compute_"]), "as PyTorch says"
    build = local(torch.version)
    if build and not build.removeprefix("cu").isdecimal():
        return None, f"+{build} is no official build"
    code = knowledge.torch_code(torch.version, torch.cuda or "", (system.architecture if system else None) or "x86_64")
    return code, f"table of wheels, CUDA {torch.cuda}"


def _number(architecture: str) -> int:
    """A number for "sm_90", "sm_90a" or "compute_120"."""
    return int("".join(c for c in architecture if c.isdecimal()))


def _names(code: CudaCode) -> str:
    return " ".join([*(f"sm_{n}" for n in code.sm), *(f"compute_{n}" for n in code.ptx)])


def _driver_older(nvidia: Nvidia, cuda: str) -> bool:
    built, driver = release(minor(cuda)), release(minor(nvidia.cuda_driver_version or ""))
    return bool(built and driver and driver < built)


@check(area="frameworks", after="gpu-arch-below-profile")
def gpu_arch_not_in_tensorflow(
    nvidia: Nvidia, tensorflow: Tensorflow, profile: Profile, knowledge: Knowledge
) -> Findings:
    """TensorFlow's wheel has no code that works on a GPU.

    From PyPI its wheels have sm_60, sm_70, sm_80, sm_89 and PTX for 9.0; up to 2.21 that PTX does not run on Blackwell.
    """
    gpus = list(_capable(nvidia, profile, knowledge))
    if not gpus or not tensorflow.cuda_build or local(tensorflow.version):
        return
    version = tensorflow.version
    code = knowledge.tensorflow_code(version)
    for gpu, capability in gpus:
        if knowledge.tensorflow_unsupported(version, capability):
            evidence = ["its PTX for compute capability 9.0 does not run there"]
        elif code and knowledge.runs_on(code, capability, tensorflow.cuda or "") == "no":
            evidence = [f"code for {_names(code)} (table of wheels)"]
        elif code is None:
            yield unsure(
                f"whether TensorFlow {version} has code for compute capability {capability} is unknown",
                subject=label(gpu),
                evidence=[f"the newest TensorFlow in the tables is {knowledge.newest('tensorflow')}"],
            )
            continue
        else:
            continue
        yield fail(
            f"TensorFlow {version} does not run on compute capability {capability}",
            subject=label(gpu),
            evidence=evidence,
            remedy=Remedy(text="train with PyTorch or JAX on this GPU, or use NVIDIA's TensorFlow container"),
        )


@check(area="frameworks", after="gpu-arch-below-profile")
def gpu_arch_not_in_jax(nvidia: Nvidia, jax: Jax, profile: Profile, knowledge: Knowledge) -> Findings:
    """JAX's CUDA plugin does not support a GPU."""
    gpus, major = list(_capable(nvidia, profile, knowledge)), cuda_major(jax)
    row = knowledge.jax.plugins.get(str(major)) if gpus and major else None
    for gpu, capability in gpus if row else []:
        if row and satisfies(capability, row.capability) is False:
            yield fail(
                f"JAX for CUDA {major} does not run on compute capability {capability}",
                subject=label(gpu),
                evidence=[f"it needs {row.capability} ({row.source})"],
                remedy=Remedy(text="install the plugin for CUDA 12, which runs on 5.2 and newer"),
            )
