"""Checks of links to other machines: RDMA ports, bonds, GPUDirect RDMA."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import network as checks
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu, Nvidia, NvidiaGpu
from envkit.facts.cluster import Network, NetworkLink, RdmaDevice, RdmaPort
from envkit.facts.machine import System
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
ROCM = Profile(name="p", requires=Requires(accelerator="amd"))
H100 = Nvidia(open_module=False, gpus=[NvidiaGpu(index=0, name="NVIDIA H100 80GB HBM3")])
WITH_GPU, NO_FACTS = Facts(nvidia=ok(H100)), Facts()
WITH_AMD = Facts(amd=ok(Amd(gpus=[AmdGpu()])))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def port(number: int = 1, state: str | None = "active", **changes: Any) -> RdmaPort:
    known = {"link_layer": "InfiniBand", "rate_gigabits_per_second": 400.0, "link_downs": 0}
    return RdmaPort(number=number, state=state, **{**known, **changes})


def card(index: int, *ports: RdmaPort, **changes: Any) -> RdmaDevice:
    known = {"kernel_driver": "mlx5_core", "model": "MT4129", "pci_address": f"0000:{index:02x}:00.0"}
    return RdmaDevice(name=f"mlx5_{index}", ports=list(ports or [port()]), **{**known, **changes})


def cards(*states: str | None, **changes: Any) -> Network:
    return Network(rdma_devices=[card(n, port(state=state), **changes) for n, state in enumerate(states)])


DOWN = port(state="down", physical_state="Polling")
EIGHT = [card(n) for n in range(8)]


@pytest.mark.parametrize(
    ("network", "facts", "profile"),
    [
        (cards(*["active"] * 7, "down"), WITH_GPU, ANY),
        (cards(*["active"] * 3, "down"), WITH_AMD, ROCM),
        (cards(*["active"] * 7, "init"), WITH_GPU, ANY),  # no subnet manager has seen it
        (
            Network(rdma_devices=[*(card(n, port(), port(2)) for n in range(3)), card(3, port(), port(2, "down"))]),
            WITH_GPU,
            ANY,
        ),
    ],
)
def test_rdma_port_down_fires(network: Network, facts: Facts, profile: Profile) -> None:
    found = one(checks.rdma_port_down(network, facts, profile))
    assert (found.status, found.message.partition(",")[0]) == ("warn", "1 RDMA port not active")


def test_rdma_port_down_fires_where_a_profile_asks() -> None:
    found = one(checks.rdma_port_down(cards("active", "down"), NO_FACTS, CPU, active_minimum=2))
    assert (found.status, found.message) == ("fail", "1 RDMA port active, 2 wanted")
    assert one(checks.rdma_port_down(Network(rdma_devices=[]), NO_FACTS, CPU, active_minimum=1)).status == "fail"


@pytest.mark.parametrize(
    ("network", "facts", "profile"),
    [
        (cards(*["active"] * 8), WITH_GPU, ANY),
        (cards("active", "down"), WITH_GPU, ANY),  # one of two may be unused
        (cards("active", "active", "down"), WITH_GPU, ANY),
        (cards(*["active"] * 4, *["down"] * 4), WITH_GPU, ANY),  # half of them are for something else
        (cards(*["active"] * 7, None), WITH_GPU, ANY),
        (cards(*["active"] * 7, "down"), NO_FACTS, ANY),
        (cards(*["active"] * 7, "down"), WITH_GPU, CPU),
        (
            Network(rdma_devices=[card(n, port(), port(2, "down")) for n in range(4)]),
            WITH_GPU,
            ANY,
        ),  # the second unused
        (Network(rdma_devices=[*EIGHT, card(8, DOWN, model="MT4125")]), WITH_GPU, ANY),  # another model
        (Network(rdma_devices=[*EIGHT, card(8, port(state="down", link_layer="Ethernet"))]), WITH_GPU, ANY),
        (Network(rdma_devices=[*EIGHT, card(8, DOWN, virtual_function=True)]), WITH_GPU, ANY),
        (Network(rdma_devices=[*EIGHT, card(8, DOWN, kernel_driver=None)]), WITH_GPU, ANY),  # no hardware
        (Network(rdma_devices=None), WITH_GPU, ANY),
        (Network(rdma_devices=[]), WITH_GPU, ANY),
    ],
)
def test_rdma_port_down_near_miss(network: Network, facts: Facts, profile: Profile) -> None:
    assert not list(checks.rdma_port_down(network, facts, profile))


def test_rdma_port_down_near_miss_with_ports_of_one_card_on_two_functions() -> None:
    """A card with two ports is two devices that differ in the last digit of their addresses."""
    halves = [
        card(2 * n + half, port(state="down" if half and n else "active"), pci_address=f"0000:{n:02x}:00.{half}")
        for n in range(4)
        for half in range(2)
    ]
    assert not list(checks.rdma_port_down(Network(rdma_devices=halves), WITH_GPU, ANY))
    assert not list(checks.rdma_port_down(Network(rdma_devices=None), WITH_GPU, ANY, active_minimum=8))


def rates(*rates: float | None) -> Network:
    return Network(rdma_devices=[card(n, port(rate_gigabits_per_second=rate)) for n, rate in enumerate(rates)])


def test_rdma_port_slow_fires() -> None:
    found = one(checks.rdma_port_slow(rates(400, 400, 400, 200), WITH_GPU, ANY))
    assert (found.status, found.message) == ("warn", "1 RDMA port slower than 400 Gbit/s")
    assert found.evidence == ["mlx5_3:1: 200 Gbit/s", "most others of this kind: 400 Gbit/s"]
    found = one(checks.rdma_port_slow(rates(100), NO_FACTS, CPU, minimum_gigabits_per_second=200))
    assert found.status == "fail"


@pytest.mark.parametrize(
    ("network", "facts"),
    [
        (rates(400, 400, 400, 400), WITH_GPU),
        (rates(400, 400, 400, 800), WITH_GPU),  # faster than the others
        (rates(400, 200), WITH_GPU),
        (rates(400, 400, 400, None), WITH_GPU),
        (rates(400, 400, 400, 200), NO_FACTS),
        (Network(rdma_devices=[*EIGHT, card(8, port(state="down", rate_gigabits_per_second=10.0))]), WITH_GPU),
        (Network(rdma_devices=[*EIGHT, card(8, port(rate_gigabits_per_second=200.0), model="MT41692")]), WITH_GPU),
    ],
)
def test_rdma_port_slow_near_miss(network: Network, facts: Facts) -> None:
    assert not list(checks.rdma_port_slow(network, facts, ANY))


def downs(*times: int | None) -> Network:
    return Network(rdma_devices=[card(n, port(link_downs=number)) for n, number in enumerate(times)])


def test_rdma_link_flaps_fires() -> None:
    found = one(checks.rdma_link_flaps(downs(0, 255, 0, 0, 0, 0, 0, 0), WITH_GPU, ANY))
    assert found.evidence == ["mlx5_1:1: 255 times (link_downed), others 0"]
    noisy = [*(downs(0, 0, 0).rdma_devices or []), card(3, port(link_downs=40, symbol_errors=7, receive_errors=1))]
    found = one(checks.rdma_link_flaps(Network(rdma_devices=noisy), WITH_GPU, ANY))
    assert found.evidence == ["mlx5_3:1: 40 times (link_downed), others 0, 7 symbol errors, 1 receive error"]


@pytest.mark.parametrize(
    ("network", "facts"),
    [
        (downs(0, 9, 0, 0), WITH_GPU),
        (downs(30, 35, 31, 30), WITH_GPU),  # the switch was restarted
        (downs(255, 0), WITH_GPU),  # which of two is odd is not told
        (downs(None, 255, None, None), WITH_GPU),
        (downs(0, 255, 0, 0), NO_FACTS),
    ],
)
def test_rdma_link_flaps_near_miss(network: Network, facts: Facts) -> None:
    assert not list(checks.rdma_link_flaps(network, facts, ANY))


def peermem(modules: list[str] | None = None, **changes: Any) -> Network:
    return Network(peer_memory_modules=[] if modules is None else modules, rdma_devices=[card(0, port(**changes))])


def gpudirect(network: Network, nvidia: Nvidia = H100, kernel: str = "6.8.0-60-generic", profile: Profile = ANY) -> Any:
    facts = Facts(nvidia=ok(nvidia), system=ok(System(kernel=kernel)))
    return list(checks.gpudirect_rdma_missing(network, nvidia, facts, profile, KNOWLEDGE))


def with_open_module(*, open_module: bool | None = True, name: str = "NVIDIA H100 80GB HBM3") -> Nvidia:
    return Nvidia(open_module=open_module, gpus=[NvidiaGpu(index=0, name=name)])


def test_gpudirect_rdma_missing_fires() -> None:
    found = one(gpudirect(peermem()))
    assert found.evidence[0] == "active: mlx5_0:1"
    assert "open ones" in found.evidence[1]
    assert "kernel 5.4.0" in one(gpudirect(peermem(), with_open_module(), "5.4.0-150-generic")).evidence[1]
    assert gpudirect(peermem(link_layer="Ethernet", rate_gigabits_per_second=100.0))


@pytest.mark.parametrize(
    "found",
    [
        gpudirect(peermem(["nvidia_peermem"])),
        gpudirect(peermem(), with_open_module()),  # DMA-BUF
        gpudirect(peermem(), with_open_module(), "4.18.0-553.el8_10.x86_64"),
        gpudirect(peermem(), with_open_module(open_module=None)),
        gpudirect(peermem(), with_open_module(open_module=False, name="NVIDIA GeForce RTX 4090")),  # which cannot
        gpudirect(peermem(), profile=CPU),
        gpudirect(peermem(state="down")),
        gpudirect(peermem(link_layer="Ethernet", rate_gigabits_per_second=25.0)),  # the machine's own network
        gpudirect(Network(peer_memory_modules=[], rdma_devices=[card(0, kernel_driver="efa")])),
        gpudirect(Network(peer_memory_modules=None, rdma_devices=[card(0)])),
        gpudirect(Network(peer_memory_modules=[], rdma_devices=[])),
    ],
)
def test_gpudirect_rdma_missing_near_miss(found: list[Finding]) -> None:
    assert not found


def bond(*up: bool | None) -> Network:
    links = [NetworkLink(name=f"eth{n}", bond="bond0", bond_member_up=one, state="up") for n, one in enumerate(up)]
    return Network(links=[NetworkLink(name="bond0"), *links])


def test_network_bond_degraded_fires() -> None:
    found = one(checks.network_bond_degraded(bond(True, False)))
    assert (found.subject, found.message) == ("bond0", "1 of 2 members of the network bond bond0 are down")


@pytest.mark.parametrize("network", [bond(True, True), bond(True, None), bond(True), bond(False, False), Network()])
def test_network_bond_degraded_near_miss(network: Network) -> None:
    """Without any member it is unplugged, which shows."""
    assert not list(checks.network_bond_degraded(network))


def link(**changes: Any) -> Network:
    return Network(links=[NetworkLink(**{"name": "eth0", "state": "up", "duplex": "half", **changes})])


def test_network_link_half_duplex_fires() -> None:
    assert one(checks.network_link_half_duplex(link(speed_megabits_per_second=100))).evidence == ["100 Mbit/s"]


@pytest.mark.parametrize("network", [link(duplex="full"), link(duplex=None), link(state="down"), link(state=None)])
def test_network_link_half_duplex_near_miss(network: Network) -> None:
    assert not list(checks.network_link_half_duplex(network))
