"""AMD GPUs: whether this user may open them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import shut
from envkit.findings import Findings, Remedy, fail

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Amd
    from envkit.profile import Profile


@check(area="accelerators")
def amd_kfd_unusable(amd: Amd, profile: Profile, facts: Facts) -> Findings:
    """ROCm cannot reach the AMD GPU: /dev/kfd or the render nodes are missing or closed to this user.

    Only where the profile wants an AMD GPU: many processors have one inside that nobody trains on.
    """
    if profile.requires.accelerator != "amd" or not (
        amd.gpus or any(node.path == "/dev/kfd" for node in amd.device_nodes)
    ):
        return
    closed = shut(amd.device_nodes)
    kfd = any(node.path == "/dev/kfd" for node in amd.device_nodes)
    if kfd and not closed:
        return
    if facts.container.facts:
        remedy = Remedy(text="start the container with --device=/dev/kfd --device=/dev/dri --group-add=render")
    else:
        join = 'sudo usermod -aG render,video "$USER"'
        remedy = Remedy(
            text="join the groups render and video and log in again" if kfd else "install the amdgpu driver with ROCm",
            commands=[["sh", "-c", join]] if kfd else [],
            who="admin",
        )
    yield fail(
        "this user may not use the AMD GPU" if kfd else "/dev/kfd is missing, so ROCm cannot reach the AMD GPU",
        evidence=closed or ["no /dev/kfd"],
        remedy=remedy,
    )
