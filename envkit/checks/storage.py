"""Disks and file systems that are damaged, or that are far away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks.disk import subject_of
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.machine import Disk

_NETWORK = ("nfs", "cifs", "smb", "fuse.sshfs", "lustre", "gpfs", "beegfs", "ceph", "fuse.ceph", "afs")
_CHECK = Remedy(
    text="save the data, look into the kernel's log (dmesg), check the disk (smartctl) and the file system (fsck)",
    who="admin",
)


@check(area="machine", after="disk-failing")
def file_system_damaged(disk: Disk) -> Findings:
    """The kernel has made a file system read-only, as it does when it finds it damaged.

    The mount says it is to be written to, the file system says it is not.
    """
    for volume in disk.volumes:
        if volume.read_only_after_error:
            yield fail(
                "the kernel has made the file system read-only, as it does when it finds it damaged",
                subject=subject_of(volume),
                evidence=[f"{volume.filesystem} at {volume.mount_point}: mounted rw, now ro"],
                remedy=_CHECK,
            )


@check(area="machine", after="file-system-damaged")
def file_system_errors(disk: Disk, facts: Facts) -> Findings:
    """ext4 has counted errors in a file system; the count stays until fsck clears it."""
    if disk.errors and facts.container.outcome == "absent":
        yield warn(
            "errors have been recorded in file systems",
            evidence=[f"{device}: {number} errors since the last fsck" for device, number in disk.errors.items()],
            remedy=_CHECK,
        )


@check(area="machine")
def raid_degraded(disk: Disk, facts: Facts) -> Findings:
    """A RAID array lacks a disk: one more failure loses the data."""
    if disk.degraded_arrays and facts.container.outcome == "absent":
        yield warn(
            f"RAID without a disk: {', '.join(disk.degraded_arrays)}",
            evidence=["/proc/mdstat"],
            remedy=Remedy(
                text="replace the failed disk, and add it to the array",
                commands=[["sudo", "mdadm", "--detail", f"/dev/{name}"] for name in disk.degraded_arrays],
                who="admin",
            ),
        )


@check(area="machine")
def tmp_on_network(disk: Disk) -> Findings:
    """Temporary files lie on a network file system: data loaders' sockets and locks fail on it, compilation is slow.

    Python then says "Device or resource busy: '.nfs...'" when workers end.
    """
    for volume in disk.volumes:
        if volume.purpose == "tmp" and (volume.filesystem or "").startswith(_NETWORK):
            yield warn(
                f"temporary files lie on {volume.filesystem}, a network file system",
                subject=subject_of(volume),
                evidence=[f"{volume.filesystem} at {volume.mount_point or volume.path}"],
                remedy=Remedy(text="use a folder on a local disk", commands=[["export", "TMPDIR=/tmp"]]),
            )
