"""Links to other machines: RDMA ports (InfiniBand, RoCE), bonds and Ethernet, the way from network cards to GPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from envkit.checks import check
from envkit.checks._gpus import judged, usable
from envkit.findings import Findings, Remedy, count, fail, warn
from envkit.versions import release

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.cluster import Network, RdmaDevice, RdmaPort
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_PEERS = 3  # so many ports that agree say what the others should be; of two, one may be meant to be unused
_CABLE = "look at its cable and at the switch's port; then reseat or replace the cable, or update the card's firmware"
_RDMA_GUIDE = "https://docs.nvidia.com/cuda/gpudirect-rdma/"


class _Port(NamedTuple):
    device: RdmaDevice
    port: RdmaPort

    @property
    def name(self) -> str:
        """As NCCL_IB_HCA names it: "mlx5_2:1"."""
        return f"{self.device.name}:{self.port.number}"

    @property
    def active(self) -> bool:
        return self.port.state == "active"


def _ports(network: Network) -> list[_Port]:
    """Those with hardware of their own."""
    devices = [d for d in network.rdma_devices or [] if d.kernel_driver and not d.virtual_function]
    return [_Port(device, port) for device in devices for port in device.ports]


def _kinds(network: Network) -> Iterable[list[_Port]]:
    """Ports that should be alike: on the same model of card, with the same kind of link."""
    found: dict[tuple[str | None, str | None], list[_Port]] = {}
    for port in _ports(network):
        found.setdefault((port.device.model, port.port.link_layer), []).append(port)
    return found.values()


def _usual(values: Iterable[float]) -> float | None:
    """The value that most of them have, if at least 3 do."""
    counted = Counter(values)
    value, times = counted.most_common(1)[0] if counted else (0.0, 0)
    return value if times >= _PEERS and times > counted.total() / 2 else None


def _distributed(facts: Facts, profile: Profile) -> bool:
    """Whether training would use the network cards: GPUs are there, and the profile wants them."""
    amd = facts.amd.facts
    return bool(
        (judged(profile) and usable(facts.nvidia.facts)) or (judged(profile, "amd") and amd is not None and amd.gpus)
    )


@check(area="machine")
def rdma_port_down(network: Network, facts: Facts, profile: Profile, *, active_minimum: int = 0) -> Findings:
    """An InfiniBand or RoCE port is down though the other cards of its kind are up: some GPUs send by a longer way.

    Cards are compared, for of a card with two ports one is often unused, and so may be one of two cards.
    active_minimum: a failure where fewer ports are active.
    """
    active = [port for port in _ports(network) if port.active]
    if network.rdma_devices is not None and len(active) < active_minimum:
        yield fail(
            f"{count(len(active), 'RDMA port')} active, {active_minimum} wanted",
            evidence=[_state(port) for port in _ports(network)[:16]] or ["no RDMA device"],
            remedy=Remedy(text=_CABLE, who="admin"),
        )
        return
    for kind in _kinds(network) if _distributed(facts, profile) else []:
        if down := _fewer_than_usual(kind):
            others = [port.name for port in kind if port.active]
            yield warn(
                f"{count(len(down), 'RDMA port')} not active, and the other cards of this kind are",
                evidence=[*(_state(port) for port in down[:8]), f"active: {', '.join(others[:16])}"],
                remedy=Remedy(text=_CABLE, who="admin"),
            )


def _state(port: _Port) -> str:
    words = [port.port.state or "state unknown", port.port.physical_state, port.port.link_layer]
    return f"{port.name}: {', '.join(filter(None, words))}"


def _fewer_than_usual(kind: list[_Port]) -> list[_Port]:
    """The ports that are not active of cards that have fewer active ones than is usual."""
    cards: dict[str, list[_Port]] = {}
    for port in kind:
        cards.setdefault((port.device.pci_address or port.device.name).partition(".")[0], []).append(port)
    usual = _usual(sum(port.active for port in ports) for ports in cards.values()) or 0
    behind = [ports for ports in cards.values() if sum(port.active for port in ports) < usual]
    return [port for ports in behind for port in ports if port.port.state is not None and not port.active]


@check(area="machine", after="rdma-port-down")
def rdma_port_slow(
    network: Network, facts: Facts, profile: Profile, *, minimum_gigabits_per_second: float = 0.0
) -> Findings:
    """An InfiniBand or RoCE port runs at a lower rate than the others of its kind: all GPUs wait for the slowest.

    minimum_gigabits_per_second: a failure where an active port is slower.
    """
    for kind in _kinds(network):
        rates = [(port.name, port.port.rate_gigabits_per_second) for port in kind if port.active]
        known = [(name, rate) for name, rate in rates if rate is not None]
        usual = _usual(rate for _, rate in known) if _distributed(facts, profile) else None
        wanted = max(usual or 0.0, minimum_gigabits_per_second)
        slow = [(name, rate) for name, rate in known if rate < wanted]
        if slow:
            failing = any(rate < minimum_gigabits_per_second for _, rate in slow)
            yield (fail if failing else warn)(
                f"{count(len(slow), 'RDMA port')} slower than {wanted:g} Gbit/s",
                evidence=[f"{name}: {rate:g} Gbit/s" for name, rate in slow[:8]]
                + ([f"most others of this kind: {usual:g} Gbit/s"] if usual else []),
                remedy=Remedy(text=_CABLE, who="admin"),
            )


@check(area="machine", after="rdma-port-down")
def rdma_link_flaps(
    network: Network, facts: Facts, profile: Profile, *, minimum: int = 10, factor: float = 10.0
) -> Findings:
    """An InfiniBand or RoCE link has failed far more often than the others of its kind: training stalls each time.

    minimum: how often, since its driver was loaded; factor: how many times as often as the others (their median).
    """
    for kind in _kinds(network) if _distributed(facts, profile) else []:
        told = [(port, port.port.link_downs) for port in kind if port.active]
        downs = [(port, times) for port, times in told if times is not None]
        if len(downs) <= _PEERS:
            continue
        usual = sorted(times for _, times in downs)[len(downs) // 2]  # statistics takes 4 ms to import
        flapping = [(port, times) for port, times in downs if times >= minimum and times > factor * usual]
        if flapping:
            yield warn(
                f"{count(len(flapping), 'RDMA link')} failed time and again",
                evidence=[
                    f"{port.name}: {times} times (link_downed), others {usual:g}{_errors(port.port)}"
                    for port, times in flapping[:8]
                ],
                remedy=Remedy(text=_CABLE, who="admin"),
            )


def _errors(port: RdmaPort) -> str:
    """The other errors that the port has counted."""
    counted = [(port.symbol_errors, "symbol error"), (port.receive_errors, "receive error")]
    return "".join(f", {count(number, noun)}" for number, noun in counted if number)


@check(area="accelerators")
def gpudirect_rdma_missing(
    network: Network,
    nvidia: Nvidia,
    facts: Facts,
    profile: Profile,
    knowledge: Knowledge,
    *,
    roce_minimum_gigabits_per_second: float = 100.0,
) -> Findings:
    """Network cards cannot reach the GPUs' memory (GPUDirect RDMA): what GPUs send goes by way of main memory.

    Needs the module nvidia_peermem, or DMA-BUF: the open kernel modules and Linux 5.12 or newer. Judged where a card of
    NVIDIA's is active beside data-center GPUs. roce_minimum_gigabits_per_second: slower Ethernet is for other things.
    Source: CUDA, "GPUDirect RDMA"; GPU Operator, "GPUDirect RDMA and GPUDirect Storage".
    """
    models = [knowledge.gpu_model(gpu.name) for gpu in usable(nvidia)]
    if not judged(profile) or network.peer_memory_modules != [] or not any(model and model.server for model in models):
        return
    ports = [
        port
        for port in _ports(network)
        if port.active and (port.device.kernel_driver or "").startswith("mlx")
        if port.port.link_layer == "InfiniBand"
        or (port.port.rate_gigabits_per_second or 0) >= roce_minimum_gigabits_per_second
    ]
    kernel = facts.system.facts.kernel if facts.system.facts else None
    # Distributions bring DMA-BUF to older kernels, too.
    old = kernel is not None and (release(kernel.partition("-")[0]) or (9,)) < (5, 12) and ".el" not in kernel
    if ports and (nvidia.open_module is False or old):
        yield warn(
            "network cards cannot reach the GPUs' memory: nvidia_peermem is not loaded",
            evidence=[
                f"active: {', '.join(port.name for port in ports[:16])}",
                "no DMA-BUF either: "
                + (f"kernel {kernel}" if old else "the kernel modules of the driver are not the open ones"),
            ],
            remedy=Remedy(
                text="load it, and at every start (/etc/modules-load.d); or install the driver's open kernel modules",
                commands=[["sudo", "modprobe", "nvidia_peermem"]],
                who="admin",
                url=_RDMA_GUIDE,
            ),
        )


@check(area="machine")
def network_bond_degraded(network: Network) -> Findings:
    """A network bond has lost a member: it is slower, and the next failure cuts the machine off."""
    for bond in {link.bond: None for link in network.links or [] if link.bond}:
        members = [link for link in network.links or [] if link.bond == bond]
        down = [link for link in members if link.bond_member_up is False]
        if 0 < len(down) < len(members):
            yield warn(
                f"{len(down)} of {len(members)} members of the network bond {bond} are down",
                subject=bond,
                evidence=[f"{link.name}: {link.state or 'state unknown'}" for link in down[:8]],
                remedy=Remedy(text="look at the cable and the switch's port of what is down", who="admin"),
            )


@check(area="machine")
def network_link_half_duplex(network: Network) -> Findings:
    """A network link cannot send and receive at the same time: the two ends did not agree on how to run it."""
    for link in network.links or []:
        if link.duplex == "half" and link.state == "up":
            speed = link.speed_megabits_per_second
            yield warn(
                f"the network link {link.name} is half-duplex",
                subject=link.name,
                evidence=[f"{speed} Mbit/s" if speed else "speed unknown"],
                remedy=Remedy(text="replace the cable, or switch autonegotiation on at both ends", who="admin"),
            )
