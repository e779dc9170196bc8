"""PyTorch: the right build for the machine, with companions of the same build, and able to start."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import (
    ACCELERATOR_TROUBLE,
    NVIDIA_TROUBLE,
    has_nvidia_gpu,
    judged,
    out_of_reach,
    usable,
    without_accelerator,
)
from envkit.checks._packages import (
    COMPANIONS,
    install,
    installed,
    keeps_torch,
    repair,
    setup,
    torch_backend,
    torch_for_gpus,
)
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import local, minor, parse_requirement, satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.software import Python, Torch, TorchDeep
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_COMMIT = re.compile(r"(?:git)?[0-9a-f]{7,40}(?:$|\.)")  # built from source, each for the other
_DEVICES = re.compile(r"cpu|cu\d|rocm|xpu")


@check(area="frameworks", after=ACCELERATOR_TROUBLE)
def torch_trains_on_cpu(torch: Torch, facts: Facts, profile: Profile) -> Findings:
    """PyTorch trains on the CPU, for there is no accelerator it could use."""
    if profile.requires.accelerator != "tpu" and out_of_reach(facts, profile):
        yield warn(f"PyTorch {torch.version} {without_accelerator(facts)}")


@check(area="frameworks")
def torch_cpu_build_on_gpu_host(torch: Torch, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """PyTorch is a build without support for the GPU of this machine, so it trains on the CPU without a word."""
    plain = torch.build_known and not (torch.cuda or torch.hip or torch.xpu)
    amd, wanted = facts.amd.facts, profile.requires.accelerator
    if wanted == "amd":
        wrong, present = not torch.hip and torch.build_known, bool(amd and amd.gpus)
    else:
        wrong, present = plain or bool(torch.hip), judged(profile) and has_nvidia_gpu(facts)
    if not wrong or not present or profile.torch_backend == "cpu":
        return
    found = fail if profile.wants_gpu else warn
    build = "ROCm" if torch.hip else "CUDA" if torch.cuda else "the CPU"
    other = torch_for_gpus(facts, knowledge)
    maker = "an AMD" if wanted == "amd" else "an NVIDIA"
    yield found(
        f"PyTorch {torch.version} is a build for {build}, and this machine has {maker} GPU",
        evidence=[f"torch/version.py: cuda {torch.cuda}, hip {torch.hip}"],
        remedy=Remedy(
            text="install the build for this GPU",
            commands=[setup(profile, facts.python.facts)] if profile.name else other,
            safe=keeps_torch(other, torch.version),
        ),
    )


@check(
    area="frameworks",
    after=(
        *NVIDIA_TROUBLE,
        "driver-too-old-for-torch",
        "gpu-arch-not-in-torch",
        "framework-libraries-shadowed",
        "nvidia-pin-mismatch",
        "driver-minor-compatibility",
    ),
)
def torch_cuda_init_fails(torch: Torch, torch_deep: TorchDeep, nvidia: Nvidia, profile: Profile) -> Findings:
    """PyTorch is built for CUDA, there is a GPU, and CUDA does not start."""
    if judged(profile) and torch.cuda and torch_deep.imported and torch_deep.cuda_available is False and usable(nvidia):
        yield fail(
            "PyTorch cannot start CUDA",
            evidence=[torch_deep.cuda_error or "torch.cuda.is_available() is False"],
            remedy=Remedy(text="if nothing above explains it, look for NVRM messages in the kernel's log and reboot"),
        )


@check(area="frameworks")
def torch_torchvision_mismatch(python: Python, knowledge: Knowledge, profile: Profile) -> Findings:
    """The installed torchvision or torchaudio belongs to another version of PyTorch.

    By what they require; where that says nothing, by the table of releases made together.
    """
    packages = installed(python)
    torch = packages.get("torch")
    for name in COMPANIONS if torch else ():
        companion = packages.get(name)
        if not torch or not torch.version or not companion or not companion.version:
            continue
        parsed = [parse_requirement(line) for line in companion.requires]
        wanted = next((r.specifiers for r in parsed if r and r.name == "torch" and r.specifiers), "")
        if satisfies(torch.version, wanted) is not False:
            row = None if wanted else knowledge.torch_release(torch.version)
            partner = getattr(row, name, "")
            # torchaudio 2.11 is the last and made for every later PyTorch.
            from_source = all(_COMMIT.match(local(version)) for version in (torch.version, companion.version))
            if not partner or minor(partner) == minor(companion.version) or name == "torchaudio" or from_source:
                continue
            wanted = f"({name} {partner} belongs to PyTorch {torch.version})"
        partner = getattr(knowledge.torch_release(torch.version), name, "")
        yield fail(
            f"{name} {companion.version} was not made for PyTorch {torch.version}",
            evidence=[f"{name} requires torch{wanted}"],
            remedy=Remedy(
                text="install versions that belong together",
                commands=_beside(torch.version, f"{name}=={partner}" if partner else name, python, profile),
                safe=True,
            ),
        )


def _beside(torch: str, requirement: str, python: Python, profile: Profile) -> list[list[str]]:
    """How a companion is installed beside this PyTorch: by the profile, or alone from the same index."""
    commands = repair(python, profile, requirement)
    if commands[0][:2] == ["envkit", "setup"]:
        return commands
    name = requirement.partition("=")[0]
    # uv takes 0.28.0+cu130 for 0.28.0: unless told to reinstall, it would leave the wrong build.
    return [install(python, *torch_backend(torch), "--reinstall-package", name, requirement)]


@check(area="frameworks", after="torch-torchvision-mismatch")
def torch_family_variant_mix(python: Python, profile: Profile) -> Findings:
    """PyTorch and torchvision or torchaudio are builds for different devices (+cpu, +cu128).

    Their native code then does not fit: "operator torchvision::nms does not exist".
    """
    packages = installed(python)
    torch = packages.get("torch")
    own = local(torch.version) if torch and torch.version else ""
    for name in COMPANIONS if own else ():
        companion = packages.get(name)
        if not companion or not companion.version or not torch:
            continue
        other = local(companion.version)
        # Without a local version it is PyPI's build, which for Linux on x86_64 is one for CUDA.
        from_pypi = not other and own == "cpu" and any("linux" in tag and "x86_64" in tag for tag in companion.tags)
        devices = _DEVICES.match(own) and _DEVICES.match(other)  # "+git354fc07" tells a commit, no device
        if (devices and other != own) or from_pypi:
            build = f"+{other}" if other else "the CUDA build of PyPI"
            public = companion.version.partition("+")[0]
            yield fail(
                f"PyTorch is a build for {own}, {name} is {build}",
                evidence=[f"torch {torch.version}", f"{name} {companion.version}"],
                remedy=Remedy(
                    text="install both from the same index",
                    commands=_beside(torch.version or "", f"{name}=={public}", python, profile),
                    safe=True,
                ),
            )
