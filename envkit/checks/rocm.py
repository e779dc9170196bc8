"""Frameworks on AMD GPUs: whether PyTorch has code for them and starts, whether JAX finds the ROCm it was built for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._amd import AMD_TROUBLE, sought
from envkit.checks._gpus import grave
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Amd
    from envkit.facts.software import Jax, Torch, TorchDeep
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile


@check(area="frameworks")
def rocm_gfx_unsupported(torch: Torch, amd: Amd, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """PyTorch's ROCm build has no code for an AMD GPU.

    The architectures come from the imported PyTorch (with --deep), else from a table of PyTorch's own wheels. Beside a
    GPU that it has code for it is a warning: the one inside a processor, mostly.
    """
    deep, python = facts.torch_deep.facts, facts.python.facts
    told = deep.arch_list if deep else None
    code = {arch.partition(":")[0] for arch in told or knowledge.accelerators.rocm_code(torch.version) or []}
    gpus = {gpu.gfx.partition(":")[0] for gpu in sought(amd, profile) if gpu.gfx}
    bare = sorted(gfx for gfx in gpus if not any(_runs_on(name, gfx) for name in code))
    if not torch.hip or not code or (python and "HSA_OVERRIDE_GFX_VERSION" in python.environment):
        return
    for gfx in bare:
        others = len(bare) < len(gpus)
        way = "hide it from ROCm (HIP_VISIBLE_DEVICES)" if others else "install a ROCm build that supports this GPU"
        yield (warn if others else fail)(
            f"PyTorch {torch.version} has no code for {gfx}",
            evidence=[f"code for {' '.join(sorted(code))}", "as PyTorch says" if told else "table of wheels"],
            remedy=Remedy(text=f"{way}; HSA_OVERRIDE_GFX_VERSION is a last resort"),
        )


def _runs_on(code: str, gfx: str) -> bool:
    """Whether code is for an architecture: its own, or its family's ("gfx11-generic")."""
    family = code.removesuffix("-generic").replace("-", "")
    return code == gfx or (code.endswith("-generic") and gfx.startswith(family))


@check(area="frameworks", after=(*AMD_TROUBLE, "amd-gfx-overridden", "rocm-gfx-unsupported"))
def torch_rocm_init_fails(torch: Torch, torch_deep: TorchDeep, amd: Amd, profile: Profile) -> Findings:
    """PyTorch is built for ROCm, there is an AMD GPU, and ROCm does not start."""
    if torch.hip and torch_deep.imported and torch_deep.cuda_available is False and sought(amd, profile):
        yield grave(profile)(
            "PyTorch cannot start ROCm",
            evidence=[torch_deep.cuda_error or "torch.cuda.is_available() is False"],
            remedy=Remedy(text="if nothing above explains it, look at what rocminfo says", commands=[["rocminfo"]]),
        )


@check(area="frameworks", after=AMD_TROUBLE)
def jax_rocm_missing(jax: Jax, amd: Amd, profile: Profile) -> Findings:
    """JAX's plugin finds no ROCm of its major version on this machine: PyTorch brings its own, JAX does not."""
    majors = {major for path in amd.hip_libraries or [] if (major := path.rpartition(".so.")[2].partition(".")[0])}
    for name, version in jax.plugins.items():
        wanted = re.match(r"jax-rocm(\d)", name)
        if wanted and amd.hip_libraries is not None and sought(amd, profile) and wanted[1] not in majors:
            yield grave(profile)(
                f"{name} needs ROCm {wanted[1]}, and this machine has {_having(amd.hip_libraries)}",
                evidence=[f"{name} {version}", f"ROCm in /opt: {', '.join(amd.rocm_versions) or 'none'}"],
                remedy=Remedy(
                    text=f"install ROCm {wanted[1]}, or JAX's plugin for the ROCm that is there", who="admin"
                ),
            )
            return


def _having(libraries: list[str]) -> str:
    return f"{', '.join(path.rpartition('/')[2] for path in libraries)}" if libraries else "no libamdhip64"
