"""Checks of clock, processor clocks and damaged disks."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from envkit.checks import clock as clock_checks
from envkit.checks import cpu as cpu_checks
from envkit.checks import storage
from envkit.facts import Facts, absent, ok
from envkit.facts.host import Clock
from envkit.facts.machine import Container, Cpu, Disk, System, Volume
from envkit.findings import Finding

BARE, GUEST, UNTOLD = (System(virtual_machine=name) for name in ("none", "kvm", None))
HOST, IN_DOCKER = Facts(container=absent("none")), Facts(container=ok(Container(runtime="docker")))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_clock_wrong_fires() -> None:
    found = one(clock_checks.clock_wrong(Clock(behind=True), Facts(taken_at="2015-01-01T00:00:00+00:00")))
    assert (found.status, "2015" in found.evidence[0]) == ("warn", True)


@pytest.mark.parametrize("behind", [False, None])
def test_clock_wrong_near_miss(behind: bool | None) -> None:
    assert not list(clock_checks.clock_wrong(Clock(behind=behind, synchronised=False), HOST))


def test_clock_unsynchronised_fires() -> None:
    assert one(clock_checks.clock_unsynchronised(Clock(synchronised=False), BARE, HOST)).status == "warn"


@pytest.mark.parametrize(
    ("clock", "system", "facts"),
    [
        (Clock(synchronised=True), BARE, HOST),
        (Clock(synchronised=None), BARE, HOST),
        (Clock(synchronised=False, service="chrony"), BARE, HOST),  # just started, or without a network
        (Clock(synchronised=False), GUEST, HOST),
        (Clock(synchronised=False), UNTOLD, HOST),
        (Clock(synchronised=False), BARE, IN_DOCKER),
    ],
)
def test_clock_unsynchronised_near_miss(clock: Clock, system: System, facts: Facts) -> None:
    assert not list(clock_checks.clock_unsynchronised(clock, system, facts))


@pytest.mark.parametrize("driver", ["acpi-cpufreq", "cppc_cpufreq", "intel_cpufreq", "amd-pstate"])
def test_cpu_governor_powersave_fires(driver: str) -> None:
    cpu = Cpu(frequency_driver=driver, frequency_governors=["powersave"])
    assert one(cpu_checks.cpu_governor_powersave(cpu, BARE)).evidence == [f"driver {driver}, governor powersave"]


@pytest.mark.parametrize(
    ("driver", "governor", "system"),
    [
        ("intel_pstate", "powersave", BARE),  # the default of every Intel server, and fast
        ("amd-pstate-epp", "powersave", BARE),
        ("acpi-cpufreq", "schedutil", BARE),
        ("acpi-cpufreq", "powersave", GUEST),
        ("acpi-cpufreq", "powersave", UNTOLD),
        (None, "powersave", BARE),
    ],
)
def test_cpu_governor_powersave_near_miss(driver: str | None, governor: str, system: System) -> None:
    cpu = Cpu(frequency_driver=driver, frequency_governors=[governor])
    assert not list(cpu_checks.cpu_governor_powersave(cpu, system))


def volume(purpose: str = "target", **more: object) -> Disk:
    known = {"path": "/data", "mount_point": "/data", "filesystem": "ext4", **more}
    return Disk(volumes=[Volume(purpose=purpose, **known)])  # type: ignore[arg-type]


def test_file_system_damaged_fires() -> None:
    found = one(storage.file_system_damaged(volume(read_only=True, read_only_after_error=True)))
    assert (found.status, found.subject) == ("fail", "/data (the environment)")


@pytest.mark.parametrize("after_error", [False, None])
def test_file_system_damaged_near_miss(after_error: bool | None) -> None:
    assert not list(storage.file_system_damaged(volume(read_only=True, read_only_after_error=after_error)))


def test_file_system_errors_fires() -> None:
    assert one(storage.file_system_errors(Disk(errors={"sda1": 3}), HOST)).evidence[0].startswith("sda1: 3 errors")


@pytest.mark.parametrize(("errors", "facts"), [({}, HOST), (None, HOST), ({"sda1": 3}, IN_DOCKER)])
def test_file_system_errors_near_miss(errors: dict[str, int] | None, facts: Facts) -> None:
    assert not list(storage.file_system_errors(Disk(errors=errors), facts))


def test_raid_degraded_fires() -> None:
    found = one(storage.raid_degraded(Disk(degraded_arrays=["md0"]), HOST))
    assert found.remedy is not None
    assert found.remedy.commands == [["sudo", "mdadm", "--detail", "/dev/md0"]]


@pytest.mark.parametrize(("arrays", "facts"), [([], HOST), (None, HOST), (["md0"], IN_DOCKER)])
def test_raid_degraded_near_miss(arrays: list[str] | None, facts: Facts) -> None:
    assert not list(storage.raid_degraded(Disk(degraded_arrays=arrays), facts))


@pytest.mark.parametrize("filesystem", ["nfs4", "lustre", "fuse.sshfs", "cifs"])
def test_tmp_on_network_fires(filesystem: str) -> None:
    assert one(storage.tmp_on_network(volume("tmp", filesystem=filesystem))).status == "warn"


@pytest.mark.parametrize(
    ("purpose", "filesystem"), [("tmp", "tmpfs"), ("tmp", "overlay"), ("tmp", None), ("target", "nfs4"), ("tmp", "9p")]
)
def test_tmp_on_network_near_miss(purpose: str, filesystem: str | None) -> None:
    assert not list(storage.tmp_on_network(volume(purpose, filesystem=filesystem)))
