"""Compiled packages beside the frameworks: for this PyTorch, Python and processor; and the tools to compile more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._admin import system_package
from envkit.checks._gpus import usable
from envkit.checks._packages import FRAMEWORKS, installed, listed, repair
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import local, minor

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.machine import System
    from envkit.facts.software import Package, Python, Torch
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

# In local versions such as those of flash-attn 2.8.3+cu12torch2.7cxx11abiTRUE and torch-scatter 2.1.2+pt25cu124.
_BUILT_FOR = re.compile(r"(?:torch|pt)(\d)\.?(\d{1,2})(?:\D|$)")
# Its wheels for one PyTorch are run with later ones: SGLang's image had torch2.4's beside PyTorch 2.5.1.
_TOLERANT = "flashinfer"
_TOOLKIT = re.compile(r"cuda-(\d{1,2})(?:\.(\d{1,2}))?")
_INTERPRETER = re.compile(r"cp(\d)(\d{1,2})")


@check(area="frameworks")
def abi_symbol_mismatch(python: Python, torch: Torch) -> Findings:
    """A compiled extension was built for another version of PyTorch: its import fails with an undefined symbol.

    By the local version of its wheel, which names the PyTorch it was built with; or by the CUDA that it says it was
    built with, where CUDA's runtime is not that of PyTorch.
    """
    for name, package in installed(python).items():
        if package.built_for_cuda and torch.cuda and not _one_runtime(package.built_for_cuda, torch.cuda):
            yield fail(
                f"{name} was built with CUDA {package.built_for_cuda}, PyTorch {torch.version} with {torch.cuda}",
                subject=name,
                evidence=[f"{name} {package.version}, CUDA compiler {package.built_for_cuda}"],
                remedy=Remedy(text=f"install the {name} made for CUDA {torch.cuda}, or build it with that toolkit"),
            )
        built = _BUILT_FOR.search(local(package.version or ""))
        if built and name not in FRAMEWORKS and f"{built[1]}.{built[2]}" != minor(torch.version):
            yield (warn if name.startswith(_TOLERANT) else fail)(
                f"{name} {package.version} was built for PyTorch {built[1]}.{built[2]}, {torch.version} is installed",
                subject=name,
                evidence=[f"{name} {package.version}"],
                remedy=Remedy(text=f"install the {name} built for PyTorch {minor(torch.version)}, or build it here"),
            )


def _one_runtime(one: str, other: str) -> bool:
    """Whether two versions of CUDA have one libcudart: since 11 it is that of the major version."""
    major = int(one.partition(".")[0])
    return major == int(other.partition(".")[0]) and (major >= 11 or minor(one) == minor(other))


@check(area="python")
def wheel_tag_mismatch(python: Python, facts: Facts) -> Findings:
    """An installed package was built for another Python or another processor: its compiled part cannot be loaded."""
    system = facts.system.facts
    wrong = [
        f"{name}: {package.tags[0]}"
        for name, package in installed(python).items()
        if package.tags and not any(_fits(tag, python, system) for tag in package.tags)
    ]
    if wrong:
        yield fail(
            f"packages built for another Python or processor: {listed(text.partition(':')[0] for text in wrong)}",
            evidence=[f"this is Python {python.version} on {system.architecture if system else 'unknown'}", *wrong[:6]],
            remedy=Remedy(text="make a new environment; do not copy site-packages between Pythons or machines"),
        )


def _fits(tag: str, python: Python, system: System | None) -> bool:
    """Whether a wheel tag ("cp311-cp311-manylinux_2_28_x86_64") can be of this Python and machine; in doubt it can."""
    parts = tag.split("-")
    if len(parts) != 3:
        return True
    interpreter, abi, platform = parts
    built = _INTERPRETER.fullmatch(interpreter)
    own = _INTERPRETER.match(abi) and python.implementation == "cpython"
    if built and own and minor(python.version) != f"{built[1]}.{built[2]}":
        return False
    architecture = (system.architecture if system else None) or ""
    if system is None or system.os != "linux" or platform == "any":
        return True
    return platform.startswith("linux_") or architecture == "" or platform.endswith(architecture)


@check(area="frameworks")
def compiler_or_toolchain_missing(python: Python, torch: Torch, facts: Facts, knowledge: Knowledge) -> Findings:
    """There is no C compiler, or no Python.h, which Triton needs at run time: torch.compile fails on a GPU."""
    if not usable(facts.nvidia.facts) or not torch.cuda or "triton" not in installed(python) or python.headers is None:
        return
    lacking = [*([] if python.compiler else ["a C compiler"]), *([] if python.headers else ["Python.h"])]
    if lacking:
        yield warn(
            f"{' and '.join(lacking)} is missing: torch.compile and Triton kernels fail",
            evidence=[f"compiler: {python.compiler or 'none on PATH'}", f"Python.h: {python.headers}"],
            remedy=Remedy(
                text="install a compiler and Python's headers" + (" into the image" if facts.container.facts else ""),
                commands=system_package("compiler", facts, knowledge).commands,
                who="user" if facts.container.facts else "admin",
            ),
        )


@check(area="frameworks")
def cuda_toolkit_mismatch(python: Python, torch: Torch) -> Findings:
    """CUDA_HOME names a toolkit of another major version than PyTorch's CUDA: extensions do not build."""
    if not torch.cuda:
        return
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        found = _TOOLKIT.search(python.environment.get(variable, ""))
        if found and found[1] != torch.cuda.partition(".")[0]:
            yield warn(
                f"{variable} is CUDA {found[1]}, PyTorch is built for CUDA {torch.cuda}: extensions will not build",
                evidence=[f"{variable}={python.environment[variable]}"],
                remedy=Remedy(text=f"set {variable} to a toolkit of CUDA {torch.cuda}, or unset it"),
            )
            return


@check(area="frameworks")
def ptxas_libdevice_not_found(python: Python, facts: Facts, profile: Profile) -> Findings:
    """TensorFlow's CUDA libraries are installed without nvidia-cuda-nvcc: XLA finds neither ptxas nor libdevice."""
    tensorflow, packages = facts.tensorflow.facts, installed(python)
    if not tensorflow or not tensorflow.cuda_build or not tensorflow.and_cuda or not usable(facts.nvidia.facts):
        return
    elsewhere = any(python.environment.get(name) for name in ("CUDA_HOME", "CUDA_PATH", "XLA_FLAGS"))
    if not elsewhere and not any(name.startswith("nvidia-cuda-nvcc") for name in packages):
        yield warn(
            "nvidia-cuda-nvcc is not installed, so XLA (jit_compile=True) finds neither ptxas nor libdevice",
            evidence=["no nvidia-cuda-nvcc-cu12, no CUDA_HOME, no XLA_FLAGS"],
            remedy=Remedy(
                text="install the and-cuda extra",
                commands=repair(python, profile, f"tensorflow[and-cuda]=={tensorflow.version}"),
                safe=True,
            ),
        )


@check(area="python")
def conda_and_pip_copies(python: Python) -> Findings:
    """One package was installed by conda and by pip: which files are whose is a matter of chance."""
    copies: dict[str, list[Package]] = {}
    for package in python.packages:
        copies.setdefault(package.name, []).append(package)
    twice = {
        name: found
        for name, found in copies.items()
        if len(found) > 1 and "conda" in {p.installer for p in found} and {p.installer for p in found} - {"conda", None}
    }
    if twice:
        yield warn(
            f"conda and pip both installed {listed(twice)}",
            evidence=[f"{name} {p.version} by {p.installer}" for name, found in twice.items() for p in found],
            remedy=Remedy(text="remove pip's copy (pip uninstall), then conda's again, and keep to one of them"),
        )
