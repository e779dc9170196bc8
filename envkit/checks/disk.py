"""The file systems that an environment lies on, is downloaded to, and makes temporary files in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks.memory import GIB, MIB, size
from envkit.findings import Finding, Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.facts import Facts
    from envkit.facts.machine import Disk, Volume
    from envkit.profile import Profile

_WHAT = {"target": "the environment", "cache": "uv's cache", "tmp": "temporary files"}
_ELSEWHERE = {
    "target": "put the environment elsewhere (envkit setup --venv DIR)",
    "cache": "move the cache (UV_CACHE_DIR=DIR)",
    "tmp": "use another folder (TMPDIR=DIR)",
}


def _equipped(facts: Facts) -> bool:
    """Whether a framework is installed already, so that nothing big remains to be downloaded."""
    return any(s.facts is not None for s in (facts.torch, facts.tensorflow, facts.jax))


def _places(disk: Disk) -> list[tuple[str, Volume]]:
    """Each writable file system once, by its mount point; that of the environment counts as the environment's."""
    found: dict[str, Volume] = {}
    for volume in sorted(disk.volumes, key=lambda volume: volume.purpose != "target"):
        if not volume.read_only:
            found.setdefault(volume.mount_point or volume.path, volume)
    return list(found.items())


def subject_of(volume: Volume) -> str:
    """How findings call it: "/tmp (temporary files)"."""
    return f"{volume.path} ({_WHAT[volume.purpose]})"


@check(area="machine")
def disk_low(
    disk: Disk, facts: Facts, profile: Profile, *, warn_bytes: int = 2 * GIB, fail_bytes: int = 100 * MIB
) -> Findings:
    """A file system that matters is nearly full, or cannot hold what the profile installs."""
    for place, volume in _places(disk):
        if volume.free_bytes is None:
            continue
        to_come = profile.requires.disk if volume.purpose == "target" and not _equipped(facts) else 0
        if volume.free_bytes >= max(to_come, warn_bytes):
            continue
        lacking = volume.free_bytes < max(to_come, fail_bytes)
        found = fail if lacking else warn
        needs = f", profile {profile.name} needs {size(to_come)}" if to_come > volume.free_bytes else ""
        yield found(
            f"{size(volume.free_bytes)} are free{needs}",
            subject=subject_of(volume),
            evidence=[f"{volume.filesystem or 'file system'} at {place}"],
            remedy=Remedy(
                text=f"free some space, or {_ELSEWHERE[volume.purpose]}", commands=[["uv", "cache", "prune"]]
            ),
        )


@check(area="machine")
def inodes_low(disk: Disk, facts: Facts, *, minimum: int = 100_000, fail_below: int = 1_000) -> Findings:
    """A file system has few inodes left: no files can be made on it, though there is space.

    minimum: files that an environment with several frameworks consists of, with room to spare; once one is installed
    only fail_below counts.
    """
    for place, volume in _places(disk):
        if volume.inodes_free is None or not volume.inodes_total:
            continue
        needed = minimum if volume.purpose == "target" and not _equipped(facts) else fail_below
        if volume.inodes_free < needed:
            found = fail if volume.inodes_free < fail_below else warn
            yield found(
                f"{volume.inodes_free} inodes are free",
                subject=subject_of(volume),
                evidence=[f"{volume.inodes_free} of {volume.inodes_total} inodes at {place}"],
                remedy=Remedy(text=f"delete small files, or {_ELSEWHERE[volume.purpose]}"),
            )


@check(area="machine", after="file-system-damaged")
def disk_not_writable(disk: Disk, facts: Facts) -> Findings:
    """This user cannot write where the environment, the cache or temporary files go."""
    for volume in disk.volumes:
        if not volume.read_only and volume.writable is not False:
            continue
        # An environment that is complete may lie on a read-only image; a cache can be done without.
        harmless = volume.purpose == "cache" or (volume.purpose == "target" and _equipped(facts))
        found: Callable[..., Finding] = warn if harmless else fail
        why = "the file system is mounted read-only" if volume.read_only else "this user may not write there"
        yield found(
            f"cannot write: {why}",
            subject=subject_of(volume),
            evidence=[f"{volume.filesystem or 'file system'} at {volume.mount_point or volume.path}"],
            remedy=Remedy(text=f"make it writable, or {_ELSEWHERE[volume.purpose]}"),
        )


@check(area="machine")
def target_noexec(disk: Disk) -> Findings:
    """The environment lies on a file system mounted noexec: its libraries cannot be loaded."""
    for volume in disk.volumes:
        if volume.purpose == "target" and volume.noexec:
            yield fail(
                "nothing can be executed there (noexec)",
                subject=subject_of(volume),
                evidence=[f"{volume.filesystem or 'file system'} at {volume.mount_point or volume.path}: noexec"],
                remedy=Remedy(text=_ELSEWHERE["target"]),
            )


@check(area="machine")
def tmp_noexec(disk: Disk) -> Findings:
    """Temporary files lie on a file system mounted noexec: torch.compile and source builds fail.

    torch.compile writes libraries under TMPDIR and loads them.
    """
    for volume in disk.volumes:
        if volume.purpose == "tmp" and volume.noexec:
            yield warn(
                "nothing can be executed there (noexec), so torch.compile and source builds fail",
                subject=subject_of(volume),
                evidence=[f"{volume.filesystem or 'file system'} at {volume.mount_point or volume.path}: noexec"],
                remedy=Remedy(text=f"{_ELSEWHERE['tmp']}, or TORCHINDUCTOR_CACHE_DIR=DIR for torch.compile alone"),
            )
