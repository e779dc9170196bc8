"""Network links from trees of files: InfiniBand, RoCE, Ethernet, bonds, modules."""

from __future__ import annotations

import re
import sys
import tarfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from envkit.facts.cluster import Network, NetworkLink, RdmaDevice, RdmaPort
from envkit.probes import network

SHARED = Path(__file__).resolve().parents[3] / "shared/hardware/sysfs"
RDMA, NET = "sys/class/infiniband", "sys/class/net"
PORT = f"{RDMA}/mlx5_2/ports/1"


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def rdma(root: Path) -> Path:
    """An InfiniBand card as the kernel shows it: a link to its place on the PCI bus."""
    place = "sys/devices/pci0000:00/0000:00:01.0/0000:41:00.0"
    write(
        root,
        {
            f"{place}/numa_node": "1\n",
            f"{place}/net/ib0/ifindex": "5\n",
            f"{place}/infiniband/mlx5_2/hca_type": "MT4129\n",
            f"{place}/infiniband/mlx5_2/fw_ver": "28.39.1002\n",
            f"{place}/infiniband/mlx5_2/ports/1/state": "4: ACTIVE\n",
            f"{place}/infiniband/mlx5_2/ports/1/phys_state": "5: LinkUp\n",
            f"{place}/infiniband/mlx5_2/ports/1/link_layer": "InfiniBand\n",
            f"{place}/infiniband/mlx5_2/ports/1/rate": "400 Gb/sec (4X NDR)\n",
            f"{place}/infiniband/mlx5_2/ports/1/counters/link_downed": "3\n",
            f"{place}/infiniband/mlx5_2/ports/1/counters/link_error_recovery": "0\n",
            f"{place}/infiniband/mlx5_2/ports/1/counters/symbol_error": "N/A (no PMA)\n",
        },
    )
    (root / place / "driver").symlink_to("../../../bus/pci/drivers/mlx5_core")
    (root / place / "infiniband/mlx5_2/device").symlink_to("../../../0000:41:00.0")
    (root / RDMA).mkdir(parents=True)
    link = "../../devices/pci0000:00/0000:00:01.0/0000:41:00.0/infiniband/mlx5_2"
    (root / RDMA / "mlx5_2").symlink_to(link)
    return root


def interface(root: Path, name: str, *, hardware: bool = True, **files: str) -> None:
    write(root, {f"{NET}/{name}/{path}": f"{text}\n" for path, text in {"ifindex": "1", **files}.items()})
    if hardware:
        (root / NET / name / "device").mkdir()


def observe(root: Path) -> Network:
    facts = network.observe(str(root)).facts
    assert facts is not None
    return facts


def test_an_infiniband_card_is_told_with_its_place_and_its_port(tmp_path: Path) -> None:
    assert observe(rdma(tmp_path)).rdma_devices == [
        RdmaDevice(
            name="mlx5_2",
            kernel_driver="mlx5_core",
            model="MT4129",
            firmware_version="28.39.1002",
            pci_address="0000:41:00.0",
            numa_node=1,
            ports=[
                RdmaPort(
                    number=1,
                    state="active",
                    physical_state="LinkUp",
                    link_layer="InfiniBand",
                    rate_gigabits_per_second=400.0,
                    netdev="ib0",
                    link_downs=3,
                    link_recoveries=0,
                )
            ],
        )
    ]


def test_a_port_of_roce_names_its_interface(tmp_path: Path) -> None:
    files = {"link_layer": "Ethernet\n", "gid_attrs/ndevs/0": "enp65s0f0np0\n", "rate": "25 Gb/sec (1X EDR)\n"}
    write(rdma(tmp_path), {f"{PORT}/{name}": text for name, text in files.items()})
    (port,) = (observe(tmp_path).rdma_devices or [])[0].ports
    assert (port.netdev, port.link_layer, port.rate_gigabits_per_second) == ("enp65s0f0np0", "Ethernet", 25.0)


def test_a_part_of_a_card_is_not_asked_for_its_counters(tmp_path: Path) -> None:
    (rdma(tmp_path) / "sys/devices/pci0000:00/0000:00:01.0/0000:41:00.0/physfn").mkdir()
    (device,) = observe(tmp_path).rdma_devices or []
    assert device.virtual_function
    assert device.ports[0].link_downs is None


def test_devices_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("mlx5_10", "mlx5_9", "mlx5_bond_0", "bnxt_re0"):
        (tmp_path / RDMA / name).mkdir(parents=True)
    names = [device.name for device in observe(tmp_path).rdma_devices or []]
    assert names == ["bnxt_re0", "mlx5_9", "mlx5_10", "mlx5_bond_0"]


def test_links_are_interfaces_with_hardware_and_bonds(tmp_path: Path) -> None:
    told = {"operstate": "up", "speed": "25000", "duplex": "full", "mtu": "9000"}
    for name, status in (("eth0", "up"), ("eth1", "down")):
        interface(
            tmp_path, name, **told, **{"bonding_slave/mii_status": status, "device/numa_node": "0"}, hardware=False
        )
        (tmp_path / NET / name / "master").symlink_to("../bond0")
    interface(tmp_path, "bond0", hardware=False, **{"bonding/slaves": "eth0 eth1", "operstate": "up", "speed": "-1"})
    for name in ("lo", "docker0", "veth1a2b"):
        interface(tmp_path, name, hardware=False, operstate="up", speed="10000")
    interface(tmp_path, "eth2", **{"device/physfn/x": ""}, hardware=False)
    write(tmp_path, {f"{NET}/bonding_masters": "bond0\n"})
    facts = observe(tmp_path)
    assert facts.interfaces == ["bond0", "docker0", "eth0", "eth1", "eth2", "lo", "veth1a2b"]
    member = {"state": "up", "speed_megabits_per_second": 25000, "duplex": "full", "mtu_bytes": 9000, "bond": "bond0"}
    assert facts.links == [
        NetworkLink(name="bond0", state="up"),
        NetworkLink(name="eth0", bond_member_up=True, numa_node=0, **member),
        NetworkLink(name="eth1", bond_member_up=False, numa_node=0, **member),
    ]


def test_a_bridge_is_no_bond(tmp_path: Path) -> None:
    interface(tmp_path, "eth0", operstate="up")
    (tmp_path / NET / "eth0/master").symlink_to("../virbr0")
    assert observe(tmp_path).links == [NetworkLink(name="eth0", state="up")]


@pytest.mark.parametrize("modules", [[], ["nvidia_peermem"], ["nv_peer_mem"]])
def test_modules_for_the_memory_of_gpus(tmp_path: Path, modules: list[str]) -> None:
    for name in ("nvidia", "mlx5_core", *modules):
        (tmp_path / "sys/module" / name).mkdir(parents=True)
    assert observe(tmp_path).peer_memory_modules == modules


def test_without_sys_all_is_unknown(tmp_path: Path) -> None:
    assert network.observe(str(tmp_path)).outcome == "unknown"


def test_a_machine_without_rdma_has_no_such_devices(tmp_path: Path) -> None:
    (tmp_path / "sys/class/net/lo").mkdir(parents=True)
    assert observe(tmp_path).rdma_devices == []


@pytest.mark.parametrize("content", [b"", b"\xff\0\x80" * 999, b"4: \n", b"a b c\n" * 99])
def test_garbage_is_unknown_and_never_0(tmp_path: Path, content: bytes) -> None:
    interface(rdma(tmp_path), "eth0", operstate="up", speed="1", mtu="1", duplex="full")
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "mtu":
            path.write_bytes(content)
    facts = observe(tmp_path)
    assert facts.links == [NetworkLink(name="eth0", mtu_bytes=1)]
    device = RdmaDevice(name="mlx5_2", kernel_driver="mlx5_core", pci_address="0000:41:00.0")
    assert facts.rdma_devices == [replace(device, ports=[RdmaPort(number=1, netdev="ib0")])]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /sys")
def test_this_machine_tells() -> None:
    facts = observe(Path("/"))
    assert facts.interfaces
    assert "lo" in facts.interfaces


def test_elsewhere_there_are_no_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert network.observe().outcome == "absent"


def test_the_recorded_h100_node_has_eight_ports_of_infiniband_and_one_of_ethernet(tmp_path: Path) -> None:
    archive = SHARED / "leptonai-gpud__sys-class-infiniband-h100.tar.gz"
    if not archive.exists():
        pytest.skip("the recorded trees are not here")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "sys", filter="data" if hasattr(tarfile, "data_filter") else None)
    (tmp_path / "sys/class").mkdir()
    (tmp_path / "sys/sys-class-infiniband").rename(tmp_path / RDMA)
    devices = observe(tmp_path).rdma_devices or []
    told = [(d.model, p.link_layer, p.state, p.rate_gigabits_per_second) for d in devices for p in d.ports]
    assert told == [("MT4129", "InfiniBand", "active", 400.0)] * 8 + [("MT41692", "Ethernet", "active", 200.0)]
    assert {d.name: p.link_downs for d in devices for p in d.ports if p.link_downs} == {"mlx5_1": 255}


def test_the_recorded_sys_tree_tells_old_cards_and_bonds(tmp_path: Path) -> None:
    archive = SHARED / "prometheus-node_exporter__sys.ttar"
    if not archive.exists():
        pytest.skip("the recorded trees are not here")
    unpack(archive.read_text(), tmp_path)
    facts = observe(tmp_path)
    told = [
        (d.name, p.number, p.rate_gigabits_per_second, p.symbol_errors)
        for d in facts.rdma_devices or []
        for p in d.ports
    ]
    assert told == [("i40iw0", 1, 10.0, None), ("mlx4_0", 1, 40.0, None), ("mlx4_0", 2, 40.0, None)]
    assert {link.name for link in facts.links or []} >= {"bond0", "dmz"}


def unpack(text: str, folder: Path) -> None:
    """Prometheus' ttar: "Path: a/b", then "Lines: 2" and so many lines, or "SymlinkTo: ../c"."""
    lines = iter(text.split("\n"))
    path = folder
    for line in lines:
        key, _, value = line.partition(": ")
        if key in {"Path", "Directory"}:
            path = folder / value
            (path if key == "Directory" else path.parent).mkdir(parents=True, exist_ok=True)
        elif key == "Lines":
            content = [next(lines) for _ in range(int(value))]
            path.write_text("".join(f"{re.sub('NULLBYTE', chr(0), row)}\n" for row in content))
        elif key == "SymlinkTo":
            path.symlink_to(value)
