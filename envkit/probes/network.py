"""Network links: InfiniBand and other RDMA devices, Ethernet, and the way from network cards to GPUs' memory."""

from __future__ import annotations

import re
import sys

from envkit.facts import Section, absent, ok, unknown
from envkit.facts.cluster import Network, NetworkLink, RdmaDevice, RdmaPort
from envkit.probes.files import exists, link_target, list_dir, number, read_int, read_line

NET = "/sys/class/net"
RDMA = "/sys/class/infiniband"
PEER_MEMORY = ("nvidia_peermem", "nv_peer_mem")
ADDRESS = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"


def observe(root: str = "/") -> Section[Network]:
    """Interfaces, links and RDMA devices as /sys/class tells of them."""
    if root == "/" and sys.platform != "linux":
        return absent("only Linux tells its network links in files")
    interfaces = list_dir(root, NET)
    names = None if interfaces is None else [name for name in interfaces if exists(root, f"{NET}/{name}/ifindex")]
    modules = exists(root, "/sys/module")
    facts = Network(
        interfaces=names,
        links=None if names is None else [link for name in names if (link := _link(root, name))],
        rdma_devices=_rdma_devices(root),
        peer_memory_modules=[m for m in PEER_MEMORY if exists(root, f"/sys/module/{m}")] if modules else None,
    )
    return ok(facts) if facts != Network() else unknown("/sys cannot be read")


def _link(root: str, name: str) -> NetworkLink | None:
    """An interface with hardware, or a bond; None for all others, also for parts of a card (SR-IOV) on their host."""
    folder = f"{NET}/{name}"
    hardware = exists(root, f"{folder}/device")
    if exists(root, f"{folder}/device/physfn") or not (hardware or exists(root, f"{folder}/bonding")):
        return None
    speed, master = read_int(root, f"{folder}/speed"), link_target(root, f"{folder}/master")
    member = _word(root, f"{folder}/bonding_slave/mii_status", "[a-z]+")
    return NetworkLink(
        name=name,
        kernel_driver=_driver(root, folder),
        state=_word(root, f"{folder}/operstate", "[a-z]+"),
        speed_megabits_per_second=speed if speed is not None and 0 < speed < 1 << 31 else None,  # -1: not known
        duplex=_word(root, f"{folder}/duplex", "full|half"),
        mtu_bytes=read_int(root, f"{folder}/mtu"),
        bond=master.rpartition("/")[2] if master and member else None,
        bond_member_up=member == "up" if member else None,
        numa_node=_numa_node(root, folder),
    )


def _rdma_devices(root: str) -> list[RdmaDevice] | None:
    names = list_dir(root, RDMA)
    if names is None:
        return [] if exists(root, "/sys/class") and not exists(root, RDMA) else None
    return [_rdma_device(root, name) for name in sorted(names, key=_in_order)]


def _in_order(name: str) -> list[tuple[str, int]]:
    """For sorting: "mlx5_10" comes after "mlx5_9"."""
    return [(word, int(digits or 0)) for word, digits in re.findall(r"(\D*)(\d{0,9})", name)]


def _rdma_device(root: str, name: str) -> RdmaDevice:
    folder = f"{RDMA}/{name}"
    # ../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/infiniband/mlx5_0
    address = re.findall(ADDRESS, link_target(root, folder) or "")
    virtual = exists(root, f"{folder}/device/physfn")
    ports = sorted(n for n in map(number, list_dir(root, f"{folder}/ports") or []) if n is not None)
    return RdmaDevice(
        name=name,
        kernel_driver=_driver(root, folder),
        model=_word(root, f"{folder}/hca_type", r"[\w .-]{1,40}"),
        firmware_version=_word(root, f"{folder}/fw_ver", r"[\w.-]{1,40}"),
        pci_address=address[-1] if address else None,
        numa_node=_numa_node(root, folder),
        virtual_function=virtual,
        ports=[_port(root, folder, port, counted=not virtual) for port in ports],
    )


def _port(root: str, device: str, port: int, *, counted: bool) -> RdmaPort:
    folder = f"{device}/ports/{port}"
    rate = _word(root, f"{folder}/rate", r"(\d{1,6}(?:\.\d{1,3})?) Gb/sec\b.*")
    # Each counter is a question to the card: no more of them than are judged or told beside a judgement.
    names = ("link_downed", "link_error_recovery", "symbol_error", "port_rcv_errors") if counted else ()
    counters = {name: read_int(root, f"{folder}/counters/{name}") for name in names}
    state = _word(root, f"{folder}/state", r"\d+: (\w+)")
    return RdmaPort(
        number=port,
        state=state.lower() if state else None,
        physical_state=_word(root, f"{folder}/phys_state", r"\d+: (\w+)"),
        link_layer=_word(root, f"{folder}/link_layer", r"\w{1,20}"),
        rate_gigabits_per_second=float(rate) if rate else None,
        netdev=_netdev(root, device, folder),
        link_downs=counters.get("link_downed"),
        link_recoveries=counters.get("link_error_recovery"),
        symbol_errors=counters.get("symbol_error"),
        receive_errors=counters.get("port_rcv_errors"),
    )


def _netdev(root: str, device: str, port: str) -> str | None:
    """Of RoCE, what the first of its addresses belongs to; else the interface of the same function, if it has one."""
    name = _word(root, f"{port}/gid_attrs/ndevs/0", r"[^\s/]{1,15}")
    names = [] if name else list_dir(root, f"{device}/device/net") or []
    return name or (names[0] if len(names) == 1 else None)


def _driver(root: str, folder: str) -> str | None:
    driver = link_target(root, f"{folder}/device/driver")
    return driver.rpartition("/")[2] if driver else None


def _numa_node(root: str, folder: str) -> int | None:
    node = read_int(root, f"{folder}/device/numa_node")
    return node if node is not None and node >= 0 else None


def _word(root: str, path: str, pattern: str) -> str | None:
    """What the pattern's group, or the whole of it, finds in a file of one line; None where that is something else."""
    match = re.fullmatch(pattern, read_line(root, path) or "")
    return match[match.re.groups] if match else None
