"""Google TPU: whether the chips are all there, can be opened, and are free."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, shut
from envkit.findings import Findings, Remedy, count, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Tpu
    from envkit.profile import Profile

_LOCK = "/tmp/libtpu_lockfile"  # noqa: S108 - libtpu's own; named in a remedy


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


@check(area="accelerators", after="tpu-devices-unusable")
def tpu_chips_missing(tpu: Tpu, profile: Profile, facts: Facts) -> Findings:
    """Fewer TPU chips than this host of the slice should have, or fewer device nodes than chips.

    A container may have been given some nodes only.
    """
    if not judged(profile, "tpu") or not tpu.pci_devices:
        return
    chips, nodes = len(tpu.pci_devices), len(tpu.device_nodes)
    bounds = (tpu.metadata or {}).get("CHIPS_PER_HOST_BOUNDS", "")
    numbers = bounds.split(",")
    expected = prod(map(int, numbers)) if all(number.isdecimal() for number in numbers) else 0
    if chips < expected:
        yield fail(
            f"this host should have {expected} TPU chips, {chips} are on the PCI bus",
            evidence=[f"metadata: CHIPS_PER_HOST_BOUNDS {bounds}"],
            remedy=Remedy(text="restart the TPU VM; if chips are still missing, make it anew", who="admin"),
        )
    elif 0 < nodes < chips and not facts.container.facts:
        yield fail(
            f"{count(chips, 'TPU chip')} and only {count(nodes, 'device node')}",
            evidence=[node.path for node in tpu.device_nodes],
            remedy=Remedy(
                text="look for messages of the TPU's driver in the kernel's log; restart the VM", who="admin"
            ),
        )


@check(area="accelerators", after="tpu-devices-unusable")
def tpu_held(tpu: Tpu, profile: Profile) -> Findings:
    """Another process holds the TPU: only one can, and the next one fails or waits.

    Without root rights the open files of other users' processes cannot be seen, but who has libtpu's lock can.
    """
    if not judged(profile, "tpu"):
        return
    said: dict[int, str] = {}
    for holder in tpu.holders or []:
        owner = "" if holder.own is None else ", this user's" if holder.own else ", another user's"
        said.setdefault(
            holder.pid, f"process {holder.pid} ({holder.command or 'name unknown'}{owner}): {holder.device}"
        )
    for chip in tpu.chips or []:
        if chip.pid:
            said.setdefault(chip.pid, f"process {chip.pid}: {chip.device}")
    if said:
        unseen = ["processes of other users, or outside of this container, could not be looked at"]
        yield warn(
            "another process holds the TPU" if len(said) == 1 else f"{len(said)} processes hold the TPU",
            evidence=[*said.values(), *(unseen if tpu.holders_complete is False else [])],
            remedy=Remedy(
                text="wait for its end, or stop it if nobody needs it",
                commands=[["ps", "-fp", ",".join(map(str, said))]],
            ),
        )


@check(area="accelerators", after="tpu-held")
def tpu_lockfile_foreign(tpu: Tpu, profile: Profile) -> Findings:
    """The lock of libtpu is another user's, who left it behind: libtpu cannot open it and refuses to start.

    While a process of that user has it the TPU is held, which tpu-held says.
    """
    if judged(profile, "tpu") and tpu.lockfile_usable is False and not tpu.holders:
        yield fail(
            "libtpu's lock belongs to another user",
            evidence=[f"{_LOCK} cannot be opened by this user"],
            remedy=Remedy(
                text="remove it when no process uses the TPU", commands=[["sudo", "rm", "-f", _LOCK]], who="admin"
            ),
        )


@check(area="accelerators", after=("tpu-devices-unusable", "tpu-held"))
def libtpu_unusable(tpu: Tpu, profile: Profile) -> Findings:
    """tpu-info could not use libtpu: it is missing, or the chips are not this process's to open."""
    if tpu.libtpu_error and judged(profile, "tpu"):
        yield fail(
            "tpu-info cannot use libtpu",
            evidence=[f"tpu-info: libtpu version N/A ({tpu.libtpu_error})"],
            remedy=Remedy(
                text="run it on the TPU VM itself, in the environment that has JAX or PyTorch/XLA for TPU (libtpu)",
            ),
        )
