"""Whether there is code for each GPU: in the profile's range, in the wheels of PyTorch, TensorFlow and JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._compat import driver_of
from envkit.checks._gpus import capability_of, judged, label, usable
from envkit.checks._torch_code import other_torch, torch_code
from envkit.checks.driver_version import cuda_major
from envkit.findings import Findings, Remedy, fail, unsure, warn
from envkit.knowledge.wheels import code_of
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

    With --deep PyTorch itself says which code it has, which devices run it (torch.cuda.DEVICE_REQUIREMENT) and what its
    other builds have; else the table of official wheels does. Code sm_XY runs on X.Z with Z >= Y; PTX for an older
    architecture is compiled by the driver at first use.
    """
    gpus = list(_capable(nvidia, profile, knowledge))
    if not torch.cuda or not gpus:
        return
    code, source = torch_code(torch, facts, knowledge)
    if code is None:
        newest = knowledge.newest("torch")
        yield unsure(
            f"which GPUs PyTorch {torch.version} has code for is unknown",
            evidence=[source, f"the newest PyTorch in the tables is {newest}; --deep asks PyTorch itself"],
        )
        return
    deep = facts.torch_deep.facts
    evidence = [f"code for {code.names} ({source})"]
    for gpu, capability in gpus:
        runs = knowledge.torch.runs_on(code, capability, torch.cuda, deep.code_runs_on if deep else None)
        stale = runs == "ptx" and _driver_older(nvidia, torch.cuda, knowledge)
        if runs == "no" or stale:
            yield fail(
                f"PyTorch {torch.version} has no code for compute capability {capability}",
                subject=label(gpu),
                evidence=evidence + (["the driver is too old to compile its PTX"] if stale else []),
                remedy=other_torch(facts, torch, knowledge),
            )
        elif runs == "ptx":
            yield warn(
                f"PyTorch {torch.version} has only PTX for compute capability {capability}: a slow first start",
                subject=label(gpu),
                evidence=evidence,
                remedy=Remedy(text="install a newer build with code for this GPU"),
            )


def _driver_older(nvidia: Nvidia, cuda: str, knowledge: Knowledge) -> bool:
    """Whether the driver is older than the CUDA of a build, so that it cannot compile that build's PTX."""
    built, driver = release(minor(cuda)), release(minor(driver_of(nvidia, knowledge).cuda or ""))
    return bool(built and driver and driver < built)


@check(area="frameworks", after="gpu-arch-below-profile")
def gpu_arch_not_in_tensorflow(
    nvidia: Nvidia, tensorflow: Tensorflow, profile: Profile, knowledge: Knowledge
) -> Findings:
    """TensorFlow's wheel has no code that works on a GPU.

    Its build_info.py says which code it has, else the table of wheels does. From PyPI they have sm_60, sm_70, sm_80,
    sm_89 and PTX for 9.0; up to 2.21 that PTX does not run on Blackwell. A driver that is older than the CUDA of the
    build cannot compile PTX (error 222; onnxruntime issue 22212).
    """
    gpus, version = list(_capable(nvidia, profile, knowledge)), tensorflow.version
    code = code_of(tensorflow.architectures) if tensorflow.architectures else None
    source = "build_info.py" if code else "table of wheels"
    if not gpus or not tensorflow.cuda_build or (code is None and local(version)):
        return
    code = code or knowledge.tensorflow.code(version)
    for gpu, capability in gpus:
        if code is None:
            yield unsure(
                f"whether TensorFlow {version} has code for compute capability {capability} is unknown",
                subject=label(gpu),
                evidence=[f"the newest TensorFlow in the tables is {knowledge.newest('tensorflow')}"],
            )
            continue
        runs = knowledge.torch.runs_on(code, capability, tensorflow.cuda or "")
        evidence = [f"code for {code.names} ({source})"]
        if runs == "no" or (runs == "ptx" and knowledge.tensorflow.lacks(version, capability)):
            yield fail(
                f"TensorFlow {version} does not run on compute capability {capability}",
                subject=label(gpu),
                evidence=evidence + ([f"its PTX does not run on {capability}"] if runs == "ptx" else []),
                remedy=Remedy(text="train with PyTorch or JAX on this GPU, or use NVIDIA's TensorFlow container"),
            )
        elif runs == "ptx" and _driver_older(nvidia, tensorflow.cuda or "", knowledge):
            yield warn(
                f"TensorFlow {version} has only PTX for compute capability {capability}, newer than the driver",
                subject=label(gpu),
                evidence=[*evidence, f"built for CUDA {tensorflow.cuda}, the driver has {nvidia.cuda_driver_version}"],
                remedy=Remedy(text="update the driver: this one cannot compile that PTX", who="admin"),
            )


@check(area="frameworks", after="gpu-arch-below-profile")
def gpu_arch_not_in_jax(nvidia: Nvidia, jax: Jax, profile: Profile, knowledge: Knowledge) -> Findings:
    """JAX's CUDA plugin does not support a GPU."""
    gpus, major = list(_capable(nvidia, profile, knowledge)), cuda_major(jax)
    row = knowledge.jax.plugins.get(str(major)) if gpus and major else None
    for gpu, capability in gpus if row and major else []:
        if row and major and satisfies(capability, row.capability) is False:
            yield fail(
                f"JAX for CUDA {major} does not run on compute capability {capability}",
                subject=label(gpu),
                evidence=[f"it needs {row.capability} ({row.source})"],
                remedy=Remedy(
                    text="install the plugin for CUDA 12, which runs on 5.2 and newer"
                    if major > 12
                    else "train with an older PyTorch: no JAX that envkit knows runs on this GPU"
                ),
            )
