"""Which CUDA code the installed PyTorch has, and which build of it has code for the GPUs of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks._compat import driver_of
from envkit.checks._gpus import capability_of
from envkit.checks._packages import COMPANIONS, install, installed, keeps_torch, torch_for_gpus
from envkit.findings import Remedy
from envkit.knowledge.wheels import CudaCode, code_of, variant_of
from envkit.versions import local, release

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.software import Torch
    from envkit.knowledge import Knowledge


def torch_code(torch: Torch, facts: Facts, knowledge: Knowledge) -> tuple[CudaCode | None, str]:
    """The CUDA code of the installed PyTorch, and where that is known from; None and why it is not."""
    deep = facts.torch_deep.facts
    if deep and deep.arch_list:
        return code_of(deep.arch_list), "as PyTorch says"
    if why := _unofficial(torch, facts):
        return None, why
    code = knowledge.torch.code(torch.version, torch.cuda or "", architecture(facts))
    return code, f"table of wheels, CUDA {torch.cuda}"


def _unofficial(torch: Torch, facts: Facts) -> str | None:
    """Why the table of PyTorch's wheels for Linux does not tell of this one."""
    build, system = local(torch.version), facts.system.facts
    package = installed(facts.python.facts).get("torch")
    if build and not build.removeprefix("cu").isdecimal():
        return f"+{build} is no official build"
    if release(torch.version) is None:
        return f"{torch.version} is no release"
    if system and system.os not in {None, "linux"}:
        return f"the tables know no wheels for {system.os}"
    if package and package.installer == "conda":
        return "it is a build of conda's"
    if package and package.tags and not build and not any("manylinux" in tag for tag in package.tags):
        return f"{package.tags[0]} is no official wheel"
    return None


def architecture(facts: Facts) -> str:
    system = facts.system.facts
    return (system.architecture if system else None) or "x86_64"


def other_torch(facts: Facts, torch: Torch, knowledge: Knowledge) -> Remedy:
    """How to get a PyTorch with code for these GPUs: by the table that PyTorch ships, else by ours."""
    commands = _same_release(facts, torch, knowledge) or torch_for_gpus(facts, knowledge)
    if commands:
        safe = keeps_torch(commands, torch.version)
        return Remedy(text="install a build with code for this GPU", commands=commands, safe=safe)
    return Remedy(text="no PyTorch that envkit knows has code for this GPU and runs on this driver and Python")


def _same_release(facts: Facts, torch: Torch, knowledge: Knowledge) -> list[list[str]]:
    """Another build of the installed release, by the table in it; PyTorch 2.15 lists one that the index has not."""
    deep, nvidia, python = facts.torch_deep.facts, facts.nvidia.facts, facts.python.facts
    base = torch.version.partition("+")[0]
    if not deep or not deep.code_by_cuda or not nvidia or release(base) is None:
        return []
    numbers = [number for gpu in nvidia.gpus or [] if (number := capability_of(gpu, knowledge))]
    implemented = release(driver_of(nvidia, knowledge).cuda or "")
    for cuda in sorted(deep.code_by_cuda, key=lambda c: release(c) or (), reverse=True):
        old = implemented and (release(cuda) or ())[:1] > implemented[:1]
        if old or knowledge.torch.offers(base, cuda, architecture(facts)) is False:
            continue
        code = code_of(deep.code_by_cuda[cuda])
        if all(knowledge.torch.runs_on(code, number, cuda, deep.code_runs_on) == "binary" for number in numbers):
            packages = {name: p for name, p in installed(python).items() if name in COMPANIONS and p.version}
            beside = [f"{name}=={(p.version or '').partition('+')[0]}" for name, p in packages.items()]
            return [install(python, f"--torch-backend={variant_of(cuda)}", f"torch=={base}", *beside, reinstall=True)]
    return []
