"""Variables that tell NCCL and Gloo which network interfaces and RDMA devices to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import usable
from envkit.findings import Finding, Findings, Remedy, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.cluster import Network
    from envkit.facts.software import Python

_URL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"
_NCCL, _GLOO, _HCA = "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "NCCL_IB_HCA"
_SHUT = {"down", "lowerlayerdown", "notpresent"}


@check(area="python")
def network_interface_missing(python: Python, network: Network, facts: Facts) -> Findings:
    """A variable names a network interface or an RDMA device that is not there: distributed training does not start.

    NCCL takes what begins with an entry of the list ("^": all but those, "=": exactly those), and skips what is down;
    Gloo needs each by its full name. Without a device that NCCL_IB_HCA names, NCCL goes by way of Ethernet.
    Source: NCCL user guide, "Environment Variables"; PyTorch, "torch.distributed", Choosing the network interface.
    """
    variables, amd = python.environment, facts.amd.facts
    gpus = bool(usable(facts.nvidia.facts) or (amd and amd.gpus))
    shut = {link.name for link in network.links or [] if link.state in _SHUT}
    there = [name for name in network.interfaces or [] if name not in shut]
    evidence = [f"interfaces: {', '.join(there[:16])}", *(f"{name} is down" for name in sorted(shut)[:8])]
    value = variables.get(_NCCL, "")
    if len(value) > 1 and gpus and there and not _chosen(value, there):  # NCCL and PyTorch take shorter ones for none
        yield _finding(_NCCL, value, "network interface", evidence)
    value = variables.get(_GLOO, "")
    if len(value) > 1 and there and not set(value.split(",")) <= set(there):
        yield _finding(_GLOO, value, "network interface", evidence)
    value, devices = variables.get(_HCA, ""), network.rdma_devices
    wanted = bool(value) and not value.startswith("^") and variables.get("NCCL_IB_DISABLE", "0") in {"", "0"}
    if wanted and gpus and devices is not None:
        active = [f"{d.name}:{port.number}" for d in devices for port in d.ports if port.state in {"active", None}]
        if not _chosen(value, active):
            yield _finding(_HCA, value, "RDMA port", [f"active RDMA ports: {', '.join(active[:16]) or 'none'}"])


def _finding(variable: str, value: str, what: str, evidence: list[str]) -> Finding:
    return warn(
        f"{variable}={value} names no {what} that works",
        subject=variable,
        evidence=evidence,
        remedy=Remedy(text="correct it, or unset it", commands=[["unset", variable]], url=_URL),
    )


def _chosen(value: str, names: list[str]) -> list[str]:
    """Of these names ("mlx5_0:1" for a port) those that NCCL would take by this list."""
    all_but, exact = value.startswith("^"), value.lstrip("^").startswith("=")
    entries = [entry.partition(":") for entry in value.lstrip("^").removeprefix("=").split(",") if entry]
    chosen = []
    for name in names:
        device, _, number = name.partition(":")
        fits = any(
            (device == prefix if exact else device.startswith(prefix)) and (not port or not number or port == number)
            for prefix, _, port in entries
        )
        chosen += [name] if fits != all_but else []
    return chosen
