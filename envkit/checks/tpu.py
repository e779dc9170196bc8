"""Google TPU: whether the chips can be opened, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, shut
from envkit.findings import Findings, Remedy, fail

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Tpu
    from envkit.facts.software import Jax
    from envkit.profile import Profile


@check(area="accelerators")
def tpu_devices_unusable(tpu: Tpu, profile: Profile, facts: Facts) -> Findings:
    """TPU chips are on the PCI bus, but their device nodes are missing or closed to this user."""
    closed = shut(tpu.device_nodes)
    if not judged(profile, "tpu") or not tpu.pci_devices or (tpu.device_nodes and not closed):
        return
    if facts.container.facts:
        remedy = Remedy(text="pass the devices in: start the container with --privileged, or --device for each node")
    else:
        remedy = Remedy(text="allow this user to open them (root, or the group of the nodes)", who="admin")
    yield fail(
        "this user may not use the TPU's device nodes" if closed else "the TPU's device nodes are missing",
        evidence=closed or ["no /dev/accel* and no /dev/vfio/N"],
        remedy=remedy,
    )


@check(area="frameworks", after="tpu-missing")
def libtpu_missing(tpu: Tpu, jax: Jax, profile: Profile) -> Findings:
    """JAX is installed on a TPU machine without libtpu."""
    if (
        judged(profile, "tpu")
        and (tpu.pci_devices or tpu.device_nodes)
        and not (jax.libtpu or tpu.libtpu_path or tpu.libtpu_version)
    ):
        yield fail(
            "libtpu is not installed, so JAX cannot use the TPU",
            evidence=[f"jax {jax.version}"],
            remedy=Remedy(text="set up the TPU profile", commands=[["envkit", "setup", "--profile", "tpu"]]),
        )
