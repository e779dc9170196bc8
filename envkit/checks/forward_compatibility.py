"""Forward-compatibility packages (cuda-compat): used where they work, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._compat import in_use, obstacle
from envkit.checks._gpus import judged
from envkit.findings import Findings, Remedy, fail

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.profile import Profile

_REFUSED = "forward compatibility was attempted on non supported HW"


@check(area="accelerators", after="driver-library-mismatch")
def cuda_compat_unsupported(nvidia: Nvidia, facts: Facts, profile: Profile) -> Findings:
    """The libcuda of a forward-compatibility package is used where it does not fit: a newer driver, or a desktop GPU.

    Such packages are for the GPUs of servers, and only in front of an older driver; else CUDA stops with error 803 or
    804. Source: NVIDIA "CUDA Compatibility", Forward Compatibility.
    """
    version, deep = in_use(nvidia), facts.torch_deep.facts
    if not judged(profile) or version is None:
        return
    refused = bool(deep and _REFUSED in (deep.cuda_error or ""))
    reason = obstacle(version, nvidia) or ("CUDA says that it does not work on this GPU" if refused else None)
    if reason:
        yield fail(
            f"libcuda {version} is that of a compatibility package, and {reason}",
            evidence=[nvidia.libcuda_path or "", *([deep.cuda_error or ""] if deep and refused else [])],
            remedy=Remedy(
                text="take the compat folder out of LD_LIBRARY_PATH and of /etc/ld.so.conf.d (then run ldconfig), "
                "or remove the cuda-compat package"
            ),
        )
