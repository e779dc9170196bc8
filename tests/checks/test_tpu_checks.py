"""Checks of Google TPUs, and of libtpu."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import libtpu, tpu
from envkit.facts import Facts, ok
from envkit.facts.accelerators import DeviceNode, PciDevice, Tpu, TpuChip, TpuHolder
from envkit.facts.machine import Container
from envkit.facts.software import FrameworkDevice, Jax, JaxDeep, Package, Python
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Accelerator, Profile, Requires

ANY, CPU, NO_FACTS, KNOWLEDGE = Profile(), Profile(name="cpu"), Facts(), Knowledge()
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))


def wanting(accelerator: Accelerator) -> Profile:
    return Profile(name="p", requires=Requires(accelerator=accelerator))


TPU = wanting("tpu")


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def chips(number: int) -> list[PciDevice]:
    return [PciDevice(address=f"0000:00:{4 + n:02x}.0", vendor_id="1ae0", device_id="0063") for n in range(number)]


def nodes(number: int, *, opened: bool = True) -> list[DeviceNode]:
    return [DeviceNode(path=f"/dev/vfio/{n}", readable=opened, writable=opened) for n in range(number)]


def host(number: int = 4, **changes: Any) -> Tpu:
    return Tpu(**{"pci_devices": chips(number), "device_nodes": nodes(number), **changes})


@pytest.mark.parametrize("machine", [host(device_nodes=[]), host(device_nodes=nodes(4, opened=False))])
def test_tpu_devices_unusable_fires(machine: Tpu) -> None:
    assert one(tpu.tpu_devices_unusable(machine, ANY, IN_DOCKER)).status == "fail"


def test_tpu_devices_unusable_near_miss() -> None:
    assert not list(tpu.tpu_devices_unusable(host(), TPU, NO_FACTS))
    assert not list(tpu.tpu_devices_unusable(host(device_nodes=[]), CPU, NO_FACTS))
    assert not list(tpu.tpu_devices_unusable(Tpu(device_nodes=nodes(1, opened=False)), TPU, NO_FACTS))


def test_tpu_chips_missing_fires() -> None:
    fewer = host(3, metadata={"CHIPS_PER_HOST_BOUNDS": "2,2,1"})
    assert one(tpu.tpu_chips_missing(fewer, ANY, IN_DOCKER)).message == (
        "this host should have 4 TPU chips, 3 are on the PCI bus"
    )
    shut = host(4, device_nodes=nodes(3))
    assert one(tpu.tpu_chips_missing(shut, ANY, NO_FACTS)).message == "4 TPU chips and only 3 device nodes"


@pytest.mark.parametrize(
    ("machine", "facts"),
    [
        (host(4, metadata={"CHIPS_PER_HOST_BOUNDS": "2,2,1"}), NO_FACTS),
        (host(4, metadata={"CHIPS_PER_HOST_BOUNDS": "two"}), NO_FACTS),
        (host(4, metadata={"TYPE": "V4"}), NO_FACTS),
        (host(4, device_nodes=nodes(1)), IN_DOCKER),
        (host(4, device_nodes=[]), NO_FACTS),
        (Tpu(device_nodes=nodes(1)), NO_FACTS),
    ],
)
def test_tpu_chips_missing_near_miss(machine: Tpu, facts: Facts) -> None:
    assert not list(tpu.tpu_chips_missing(machine, ANY, facts))


TRAINING = TpuHolder(pid=4242, device="/dev/vfio/0", command="python3", own=True)


def test_tpu_held_fires_with_what_could_be_seen() -> None:
    other = TpuHolder(pid=7, device="libtpu_lockfile", own=False)
    finding = one(tpu.tpu_held(host(holders=[TRAINING, TRAINING, other], holders_complete=False), ANY))
    assert (finding.status, finding.message) == ("warn", "2 processes hold the TPU")
    assert finding.evidence == [
        "process 4242 (python3, this user's): /dev/vfio/0",
        "process 7 (name unknown, another user's): libtpu_lockfile",
        "processes of other users, or outside of this container, could not be looked at",
    ]


def test_tpu_held_fires_for_what_tpu_info_said() -> None:
    finding = one(tpu.tpu_held(Tpu(chips=[TpuChip(device="/dev/vfio/0", pid=9), TpuChip(device="/dev/vfio/1")]), ANY))
    assert finding.evidence == ["process 9: /dev/vfio/0"]


@pytest.mark.parametrize("machine", [host(), host(holders=[], holders_complete=False), host(lockfile_present=True)])
def test_tpu_held_near_miss(machine: Tpu) -> None:
    assert not list(tpu.tpu_held(machine, ANY))
    assert not list(tpu.tpu_held(host(holders=[TRAINING]), CPU))


def test_tpu_lockfile_foreign_fires() -> None:
    foreign = host(lockfile_present=True, lockfile_usable=False)
    assert one(tpu.tpu_lockfile_foreign(foreign, ANY)).status == "fail"


@pytest.mark.parametrize("usable", [True, None])
def test_tpu_lockfile_foreign_near_miss(usable: bool | None) -> None:
    assert not list(tpu.tpu_lockfile_foreign(host(lockfile_present=True, lockfile_usable=usable), ANY))
    assert not list(tpu.tpu_lockfile_foreign(host(lockfile_usable=False, holders=[TRAINING]), ANY))


JAX = Jax(version="0.10.2", libtpu="0.0.42")


def test_libtpu_missing_fires() -> None:
    assert one(libtpu.libtpu_missing(host(), Jax(version="0.10.2"), TPU)).status == "fail"


def test_libtpu_missing_near_miss() -> None:
    assert not list(libtpu.libtpu_missing(host(), JAX, TPU))
    assert not list(libtpu.libtpu_missing(host(libtpu_path="/lib/libtpu.so"), Jax(version="0.10.2"), TPU))


def python(*packages: Package) -> Python:
    return Python(executable="/v/bin/python", version="3.12.1", packages=list(packages))


def package(name: str, version: str, *requires: str) -> Package:
    return Package(name=name, version=version, requires=list(requires))


ASKS = 'libtpu==0.0.42.*; extra == "tpu"'


@pytest.mark.parametrize(
    ("installed", "subject"),
    [
        ((package("jax", "0.10.2", ASKS), package("libtpu", "0.0.40")), "jax"),
        ((package("jax", "0.12.0"), package("libtpu", "0.0.42")), "jax"),  # by the table
        ((package("torch-xla", "2.9.0", 'libtpu==0.0.21; extra == "tpu"'), package("libtpu", "0.0.42")), "torch-xla"),
        ((package("jax", "0.7.0", "libtpu==0.0.19.*"), package("libtpu", "0.0.21.dev20250801+nightly")), "jax"),
    ],
)
def test_libtpu_mismatch_fires(installed: tuple[Package, ...], subject: str) -> None:
    finding = one(libtpu.libtpu_mismatch(python(*installed), host(), KNOWLEDGE, ANY))
    assert (finding.status, finding.subject) == ("fail", subject)


@pytest.mark.parametrize(
    "installed",
    [
        (package("jax", "0.10.2", ASKS), package("libtpu", "0.0.42.1")),
        (package("jax", "0.10.2"), package("libtpu", "0.0.42")),
        (package("jax", "0.99.0"), package("libtpu", "0.0.42")),
        (package("jax", "0.7.0", "libtpu==0.0.19.*"), package("libtpu", "0.0.19.dev20250721+nightly")),
        (package("jax", "0.10.2", ASKS),),
        (package("torch-xla", "2.9.0"), package("libtpu", "0.0.42")),
    ],
)
def test_libtpu_mismatch_near_miss(installed: tuple[Package, ...]) -> None:
    assert not list(libtpu.libtpu_mismatch(python(*installed), host(), KNOWLEDGE, ANY))


def test_libtpu_mismatch_near_miss_where_nothing_loads_it() -> None:
    wrong = python(package("jax", "0.10.2", ASKS), package("libtpu", "0.0.40"))
    assert not list(libtpu.libtpu_mismatch(wrong, None, KNOWLEDGE, ANY))
    assert not list(libtpu.libtpu_mismatch(wrong, host(), KNOWLEDGE, CPU))
    assert list(libtpu.libtpu_mismatch(wrong, None, KNOWLEDGE, TPU))


BLIND = JaxDeep(imported=True, devices=[FrameworkDevice(kind="cpu")])


def test_jax_sees_no_tpu_fires() -> None:
    said = Python(executable="/v/bin/python", version="3.12.1", environment={"JAX_PLATFORMS": "cpu"})
    finding = one(libtpu.jax_sees_no_tpu(JAX, BLIND, host(), said, TPU))
    assert (finding.status, finding.evidence) == ("fail", ["jax.devices() has no TPU", "JAX_PLATFORMS=cpu"])
    assert one(libtpu.jax_sees_no_tpu(JAX, BLIND, host(), python(), ANY)).status == "warn"


@pytest.mark.parametrize(
    ("jax", "deep"),
    [
        (JAX, JaxDeep(imported=True, devices=[FrameworkDevice(kind="tpu")])),
        (JAX, JaxDeep(imported=False)),
        (Jax(version="0.10.2"), BLIND),
    ],
)
def test_jax_sees_no_tpu_near_miss(jax: Jax, deep: JaxDeep) -> None:
    assert not list(libtpu.jax_sees_no_tpu(jax, deep, host(), python(), TPU))
