"""What NVML is asked about connections: NVLinks and the fabric of each GPU, and each pair of GPUs.

Part of the program nvml_child.py: nothing of envkit is imported. Numbers are those of nvml.h.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from nvml_readings import NOT_AVAILABLE, Device, NotAReadingError, named, reason, sysfs_address  # type: ignore[import-not-found]

FABRIC_STATES = ("not-supported", "not-started", "in-progress", "completed")
FABRIC_TROUBLES = {0: "degraded-bandwidth", 2: "route-recovery", 4: "route-unhealthy", 6: "access-timeout-recovery"}
UUID_PARTS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
REMOTES = {0: "gpu", 1: "processor", 2: "switch"}
LINK_ERRORS = tuple(f"NVML_FI_DEV_NVLINK_ERROR_DL_{kind}" for kind in ("REPLAY", "RECOVERY", "CRC"))
PATHS = {0: "board", 10: "pcie-switch", 20: "pcie-switches", 30: "host-bridge", 40: "numa-node", 50: "system"}
PEER_STATUSES = (
    "ok",
    "chipset-not-supported",
    "gpu-not-supported",
    "topology-not-supported",
    "disabled-by-regkey",
    "not-supported",
)


def fabric(gpu: Device) -> Any:
    return gpu.fill("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v2_t")


def fabric_state(gpu: Device) -> str:
    return str(named(FABRIC_STATES, fabric(gpu).state & 0xFF))  # one byte in nvml.h, four in nvidia-ml-py


def fabric_status(gpu: Device) -> str:
    """What registration ended with; before it has ended the status says nothing."""
    if fabric_state(gpu) != "completed":
        raise NotAReadingError("NOT_COMPLETED")
    status = fabric(gpu).status
    return "success" if status == gpu.nvml.NVML_SUCCESS else f"error {status}"


def fabric_cluster(gpu: Device) -> str | None:
    """Its NVLink domain; all zeros where it is of none."""
    number = bytes(fabric(gpu).clusterUuid).hex()
    return "-".join(number[a:b] for a, b in UUID_PARTS) if number.strip("0") else None


def fabric_clique(gpu: Device) -> int | None:
    return int(fabric(gpu).cliqueId) if fabric_cluster(gpu) else None


def fabric_troubles(gpu: Device) -> list[str]:
    """Two bits for each: 0 not supported, 1 it is so, 2 it is not."""
    mask = fabric(gpu).healthMask
    if not mask:
        raise NotAReadingError("NOT_SUPPORTED")
    return [name for shift, name in FABRIC_TROUBLES.items() if mask >> shift & 3 == 1]


def nvlinks(gpu: Device) -> list[dict[str, Any]]:
    """Those links that the GPU has: their numbers end with the first that is no valid argument."""
    nvml, found = gpu.nvml, list[dict[str, Any]]()
    for link in range(nvml.NVML_NVLINK_MAX_LINKS):
        try:
            active = bool(gpu.call("nvmlDeviceGetNvLinkState", link))
        except nvml.NVMLError_NotSupported:  # the GPU has no links, or this one is not wired
            if link == 0:
                raise
            continue
        except nvml.NVMLError_InvalidArgument:
            break
        found.append({"index": link, "active": active, **(remote_end(gpu, link) if active else {})})
    for entry, errors in zip(found, link_errors(gpu, [entry["index"] for entry in found]), strict=False):
        entry["errors"] = errors
    return found


def remote_end(gpu: Device, link: int) -> dict[str, Any]:
    """What a link leads to, as far as that is told."""
    end: dict[str, Any] = {}
    with contextlib.suppress(gpu.nvml.NVMLError):
        end["remote"] = REMOTES.get(gpu.call("nvmlDeviceGetNvLinkRemoteDeviceType", link))
        end["remote_address"] = sysfs_address(gpu.call("nvmlDeviceGetNvLinkRemotePciInfo", link))
    return end


def link_errors(gpu: Device, links: list[int]) -> list[int | None]:
    """The errors of each link, of the kinds that are told; asked for in one call, for a machine has up to 288 links."""
    nvml = gpu.nvml
    kinds = [getattr(nvml, name) for name in LINK_ERRORS]
    try:
        told = gpu.call("nvmlDeviceGetFieldValues", tuple((kind, link) for link in links for kind in kinds))
    except nvml.NVMLError:
        return []
    counts = [None if one.nvmlReturn or one.value.ullVal in NOT_AVAILABLE else int(one.value.ullVal) for one in told]
    by_link = [counts[at : at + len(kinds)] for at in range(0, len(counts), len(kinds))]
    return [sum(filter(None, some)) if any(one is not None for one in some) else None for some in by_link]


def peers(first: Device, second: Device) -> dict[str, Any]:
    """What lies between two GPUs, and whether they reach each other's memory; each with its own reason why not."""
    nvml, said = first.nvml, dict[str, Any](unreadable={})
    for field, ask in PAIR_QUESTIONS.items():
        try:
            said[field] = ask(nvml, first.handle, second.handle)
        except (nvml.NVMLError, NotAReadingError) as error:  # noqa: PERF203 - one that is not told leaves the others
            said["unreadable"][field] = reason(nvml, error)
    return said


def peer_status(kind: int) -> Callable[[Any, Any, Any], str]:
    return lambda nvml, first, second: str(named(PEER_STATUSES, nvml.nvmlDeviceGetP2PStatus(first, second, kind)))


def path(nvml: Any, first: Any, second: Any) -> str:
    return str(named(PATHS, nvml.nvmlDeviceGetTopologyCommonAncestor(first, second)))


LINK_QUESTIONS: dict[str, Callable[[Device], Any]] = {
    "fabric_state": fabric_state,
    "fabric_status": fabric_status,
    "fabric_cluster": fabric_cluster,
    "fabric_clique": fabric_clique,
    "fabric_troubles": fabric_troubles,
    "nvlinks": nvlinks,
}
PAIR_QUESTIONS: dict[str, Callable[[Any, Any, Any], str]] = {
    "path": path,
    "p2p_read": peer_status(0),
    "p2p_write": peer_status(1),
    "p2p_nvlink": peer_status(2),
}
