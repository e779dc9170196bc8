"""Checks of the variables that name network interfaces."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from envkit.checks import environment, interface_variables
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.cluster import Network, NetworkLink, RdmaDevice, RdmaPort
from envkit.facts.software import Python
from envkit.findings import Finding
from envkit.target.python import ENVIRONMENT

NO_FACTS, WITH_GPU = Facts(), Facts(nvidia=ok(Nvidia(gpus=[NvidiaGpu(index=0)])))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def card(index: int, *states: str) -> RdmaDevice:
    ports = [RdmaPort(number=n, state=state) for n, state in enumerate(states, 1)]
    return RdmaDevice(name=f"mlx5_{index}", ports=ports)


LINKS = Network(
    interfaces=["bond0", "docker0", "eth0", "ib0", "lo"],
    links=[NetworkLink(name="eth0", state="up"), NetworkLink(name="ib0", state="down")],
    rdma_devices=[card(0, "active"), card(1, "down"), card(2, "active", "active")],
)


def named(variable: str, value: str, network: Network = LINKS, facts: Facts = WITH_GPU, **more: str) -> list[Finding]:
    python = Python(executable="p", version="3.11", environment={variable: value, **more})
    return list(interface_variables.network_interface_missing(python, network, facts))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NCCL_SOCKET_IFNAME", "eth1"),
        ("NCCL_SOCKET_IFNAME", "ens5,enp1s0"),
        ("NCCL_SOCKET_IFNAME", "=eth"),
        ("NCCL_SOCKET_IFNAME", "ib0"),  # it is down
        ("NCCL_SOCKET_IFNAME", "^bond,docker,eth,lo"),
        ("GLOO_SOCKET_IFNAME", "eth"),
        ("GLOO_SOCKET_IFNAME", "eth0,eth1"),
        ("NCCL_IB_HCA", "mlx5_7"),
        ("NCCL_IB_HCA", "mlx5_1"),  # its port is down
        ("NCCL_IB_HCA", "mlx5_0:2"),
        ("NCCL_IB_HCA", "=mlx5"),
    ],
)
def test_network_interface_missing_fires(variable: str, value: str) -> None:
    found = one(named(variable, value))
    assert (found.subject, found.status) == (variable, "warn")
    assert value in found.message


@pytest.mark.parametrize(
    "found",
    [
        *(named("NCCL_SOCKET_IFNAME", value) for value in ("eth0", "eth", "=eth0", "eth1,eth0", "^docker,lo", "", "e")),
        *(named("GLOO_SOCKET_IFNAME", value) for value in ("eth0", "eth0,bond0", "lo", "")),
        *(named("NCCL_IB_HCA", value) for value in ("mlx5", "mlx5_0:1", "=mlx5_2:2", "^mlx5_0", "mlx5_9,mlx5_0", "")),
        named("NCCL_IB_HCA", "mlx5_7", NCCL_IB_DISABLE="1"),
        named("NCCL_IB_HCA", "mlx5_7", Network(rdma_devices=None)),
        named("NCCL_SOCKET_IFNAME", "eth1", facts=NO_FACTS),  # there is nobody to use it
        named("NCCL_SOCKET_IFNAME", "eth1", Network(interfaces=None)),
    ],
)
def test_network_interface_missing_near_miss(found: list[Finding]) -> None:
    assert not found


def test_what_the_checks_of_variables_look_at_is_recorded() -> None:
    looked_at = {*environment._DEBUGGING, "NCCL_SHM_DISABLE", "NCCL_P2P_DISABLE", "NCCL_IB_DISABLE", "NCCL_IB_HCA"}
    assert looked_at | {"NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "OMP_NUM_THREADS"} <= set(ENVIRONMENT)
