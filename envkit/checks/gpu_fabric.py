"""How GPUs reach each other: the fabric manager of NVSwitch machines, IMEX between machines, each pair of GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._admin import driver_version, system_package
from envkit.checks._gpus import capability_of, judged, label, usable
from envkit.findings import Findings, Remedy, count, fail, warn
from envkit.versions import satisfies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.facts import Facts
    from envkit.facts.accelerators import GpuPair, Nvidia, NvidiaGpu
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_RESTART_MANAGER = [["sudo", "systemctl", "restart", "nvidia-fabricmanager"]]
_IMEX_GUIDE = "https://docs.nvidia.com/multi-node-nvlink-systems/imex-guide/imexchannels.html"
_NEAR = {"board", "pcie-switch", "pcie-switches"}


def _manager(facts: Facts, nvidia: Nvidia, knowledge: Knowledge) -> tuple[list[list[str]], str]:
    """How the fabric manager is installed, and what is to be said of that; from B200 on a subnet manager with it."""
    driver = driver_version(nvidia)
    commands, origin = system_package("nvidia-fabric-manager", facts, knowledge, branch=driver)
    where = " on the host" if facts.container.facts else origin
    text = f"the fabric manager{where} in exactly the version of the driver{f', {driver}' if driver else ''}"
    if any(satisfies(capability_of(gpu, knowledge) or "", ">=10") for gpu in usable(nvidia)):
        subnet, origin = system_package("nvlink-subnet-manager", facts, knowledge)
        commands, text = [*commands, *subnet], f"{text}, and nvlsm{origin}, which NVLink 5 needs"
    return [command for place, command in enumerate(commands) if command not in commands[:place]], text


@check(area="accelerators", after=("nvswitch-fault", "fabric-manager-version-differs"))
def nvlink_fabric_manager_down(nvidia: Nvidia, profile: Profile, facts: Facts, knowledge: Knowledge) -> Findings:
    """The GPUs of an NVSwitch machine are not registered with the fabric manager: CUDA does not start (error 802).

    GPUs from Hopper on tell it themselves; beside NVSwitches of older ones the manager's process is looked for.
    """
    waiting, failed = [], []
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.fabric_state in {"not-started", "in-progress"}:
            waiting.append(gpu)
        elif gpu.fabric_state == "completed" and gpu.fabric_status not in {None, "success"}:
            failed.append(gpu)
    in_container = facts.container.facts is not None
    silent = not in_container and {gpu.fabric_state for gpu in usable(nvidia)} <= {None, "not-supported"}
    absent = bool(judged(profile) and nvidia.nvswitches and nvidia.fabric_manager_running is False and silent)
    if waiting or failed or absent:
        install, text = _manager(facts, nvidia, knowledge)
        start = [*install, ["sudo", "systemctl", "enable", "--now", "nvidia-fabricmanager"]]
        yield fail(
            f"{nvidia.nvswitches} NVSwitches and no fabric manager that runs"
            if absent
            else f"{len(waiting or failed)} GPUs "
            + ("are not registered with the fabric manager" if waiting else "could not register at the NVLink fabric"),
            evidence=[
                f"{label(g)}: fabric {g.fabric_state}, {g.fabric_status or 'no status'}" for g in waiting or failed
            ]
            or ["no process nv-fabricmanager"],
            remedy=Remedy(
                text=f"install and start {text}",
                commands=[] if in_container else start,
                who="admin",
            ),
        )


@check(area="accelerators", after=("driver-library-mismatch", "nvidia-module-outdated"))
def fabric_manager_version_differs(nvidia: Nvidia, profile: Profile, facts: Facts, knowledge: Knowledge) -> Findings:
    """The fabric manager's package is of another version than the driver: it refuses to start.

    A warning while one that was started before still serves the GPUs.
    """
    driver, manager = nvidia.module_version or nvidia.driver_version, nvidia.fabric_manager_version
    if not judged(profile) or facts.container.facts or not driver or not manager or driver == manager:
        return
    states = {gpu.fabric_state for gpu in usable(nvidia)} - {None, "not-supported"}
    if not states and not nvidia.nvswitches:
        return
    serves = states == {"completed"} or nvidia.fabric_manager_running
    install, text = _manager(facts, nvidia, knowledge)
    yield (warn if serves else fail)(
        f"the fabric manager is of version {manager}, the driver of {driver}",
        evidence=[f"package of the fabric manager {manager}", f"kernel module {driver}"],
        remedy=Remedy(
            text=f"install {text}; or reboot if both were upgraded",
            commands=[*install, *_RESTART_MANAGER],
            who="admin",
        ),
    )


@check(area="accelerators", after=("nvlink-fabric-manager-down", "nvlink-inactive"))
def nvlink_fabric_unhealthy(nvidia: Nvidia, profile: Profile) -> Findings:
    """The NVLink fabric says that a GPU's ways through it are degraded or being repaired."""
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.fabric_troubles:
            yield warn(
                f"the NVLink fabric reports: {', '.join(gpu.fabric_troubles)}",
                subject=label(gpu),
                evidence=[f"fabric {gpu.fabric_state}, {gpu.fabric_status or 'no status'}"],
                remedy=Remedy(
                    text="drain the machine, reset its GPUs together and look into the fabric manager's log",
                    who="admin",
                ),
            )


@check(area="accelerators")
def imex_channel_missing(nvidia: Nvidia, profile: Profile) -> Findings:
    """GPUs belong to an NVLink domain of several machines, and programs have no IMEX channel to share memory in it.

    Training on this machine alone does without. Source: NVIDIA IMEX guide, "IMEX Channels".
    """
    domains = {gpu.fabric_cluster for gpu in usable(nvidia) if gpu.fabric_cluster} if judged(profile) else set()
    if domains and nvidia.imex_channels == 0:
        listed = "is not there" if nvidia.imex_nodes is None else f"lists {count(nvidia.imex_nodes, 'machine')}"
        yield warn(
            "no IMEX channel: training on several machines cannot use NVLink between them",
            evidence=[
                *(f"NVLink domain {domain}" for domain in sorted(domains)),
                "no /dev/nvidia-caps-imex-channels/channel*",
                f"/etc/nvidia-imex/nodes_config.cfg {listed}",
            ],
            remedy=Remedy(
                text="list the machines of the domain, start nvidia-imex on each, and make channel0 "
                "(in a container: pass it in)",
                who="admin",
                url=_IMEX_GUIDE,
            ),
        )


def _pairs(nvidia: Nvidia) -> Iterator[tuple[GpuPair, NvidiaGpu, NvidiaGpu]]:
    """Pairs of GPUs that are whole: MIG devices never reach each other."""
    gpus = {gpu.index: gpu for gpu in usable(nvidia) if gpu.mig_mode != "enabled"}
    for pair in nvidia.pairs or []:
        if pair.first in gpus and pair.second in gpus:
            yield pair, gpus[pair.first], gpus[pair.second]


def _linked(first: NvidiaGpu, second: NvidiaGpu) -> bool:
    """Whether working NVLinks lead from one to the other, directly or over a switch."""
    ends = [[link for link in gpu.nvlinks or [] if link.active] for gpu in (first, second)]
    direct = any(link.remote == "gpu" and link.remote_address == second.pci_address for link in ends[0])
    return (direct and second.pci_address is not None) or all(
        any(link.remote == "switch" for link in links) for links in ends
    )


def _told(pair: GpuPair, first: NvidiaGpu, second: NvidiaGpu) -> str:
    statuses = {"read": pair.p2p_read, "write": pair.p2p_write, "NVLink": pair.p2p_nvlink}
    said = ", ".join(f"{kind} {status}" for kind, status in statuses.items() if status)
    return f"GPU {first.index} with GPU {second.index}: {said}"


@check(
    area="accelerators",
    after=(
        "nvlink-fabric-manager-down",
        "fabric-manager-version-differs",
        "nvlink-inactive",
        "xid-hardware-fault",
        "nvswitch-fault",
    ),
)
def nvlink_peer_access_missing(nvidia: Nvidia, profile: Profile) -> Findings:
    """GPUs are joined by working NVLinks and may not use each other's memory: NCCL goes the slow way, or fails."""
    bad = [
        _told(pair, first, second)
        for pair, first, second in (_pairs(nvidia) if judged(profile) else [])
        if _linked(first, second) and {pair.p2p_read, pair.p2p_write, pair.p2p_nvlink} - {None, "ok"}
    ]
    if bad:
        yield fail(
            f"{count(len(bad), 'pair')} of GPUs joined by NVLink cannot reach each other's memory",
            evidence=[*bad[:4], *([f"{len(bad)} pairs in all"] if len(bad) > 4 else [])],
            remedy=Remedy(
                text="restart the fabric manager where there are NVSwitches, then reset all GPUs together or reboot",
                commands=[["nvidia-smi", "topo", "-p2p", "n"]],
                who="admin",
            ),
        )


@check(area="accelerators", after=("nvlink-peer-access-missing", "acs-redirects-peers", "iommu-translates"))
def peer_access_unsupported(nvidia: Nvidia, profile: Profile, facts: Facts, knowledge: Knowledge) -> Findings:
    """GPUs of a server sit on one PCIe switch and may not use each other's memory: copies go by way of the processor.

    Only on bare metal, and not of GPUs that never can (GeForce). Switched off by a driver's option it is told anywhere.
    """
    system = facts.system.facts
    bare = bool(system and system.virtual_machine == "none" and not facts.container.facts)
    bad = []
    for pair, first, second in _pairs(nvidia) if judged(profile) else []:
        models = [knowledge.gpu_model(gpu.name) for gpu in (first, second)]
        expected = bare and pair.path in _NEAR and all(model and model.server for model in models)
        refused = pair.p2p_read not in {None, "ok", "gpu-not-supported"} and expected
        if (refused or pair.p2p_read == "disabled-by-regkey") and not _linked(first, second):
            bad.append(_told(pair, first, second))
    if bad:
        yield warn(
            f"{count(len(bad), 'pair')} of GPUs cannot reach each other's memory directly",
            evidence=[*bad[:4], *([f"{len(bad)} pairs in all"] if len(bad) > 4 else [])],
            remedy=Remedy(
                text="switch ACS off in the firmware and the IOMMU to pass-through (iommu=pt); look for NVreg options "
                "that switch peer access off",
                commands=[["nvidia-smi", "topo", "-p2p", "r"]],
                who="admin",
            ),
        )
