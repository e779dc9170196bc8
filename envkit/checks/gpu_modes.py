"""How GPUs are set up: power, persistence, mixed models and firmware, sensors that fail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._admin import driver_branch, system_package
from envkit.checks._gpus import judged, label, usable
from envkit.checks._packages import listed
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia, NvidiaGpu
    from envkit.knowledge import Knowledge
    from envkit.profile import Profile

_IN_ERROR = ("ERR!", "UNKNOWN", "UNKNOWN ERROR")
_OF_SENSORS = re.compile(
    r"temperature|power|clock|fan|memory|ecc|retired|remapped|pcie|performance|utilization|throttle"
)


def _of_a_server(gpu: NvidiaGpu, knowledge: Knowledge) -> bool:
    model = knowledge.gpu_model(gpu.name)
    return bool(model and model.server)


@check(area="accelerators")
def persistence_mode_off(nvidia: Nvidia, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """Persistence mode is off on a server's GPUs: each first use loads the driver's state anew, for seconds.

    Not asked of desktops, nor inside containers, which cannot set it, nor of somebody's pasted text.
    """
    system = facts.system.facts
    if not judged(profile) or facts.container.outcome != "absent" or (system and (system.wsl or system.os != "linux")):
        return
    off = [gpu for gpu in usable(nvidia) if gpu.persistence_mode is False and _of_a_server(gpu, knowledge)]
    if off:
        install, origin = system_package("nvidia-persistenced", facts, knowledge, branch=driver_branch(nvidia))
        yield warn(
            "persistence mode is off: the first use of a GPU takes seconds, and its settings are lost between uses",
            evidence=[f"{label(gpu)}: persistence mode off" for gpu in off[:2]]
            + ([f"{len(off)} GPUs in all"] if len(off) > 2 else []),
            remedy=Remedy(
                text=f"install{origin} and run the persistence daemon",
                commands=[*install, ["sudo", "systemctl", "enable", "--now", "nvidia-persistenced"]],
                who="admin",
            ),
        )


@check(area="accelerators")
def power_limit_lowered(nvidia: Nvidia, profile: Profile, *, share: float = 0.9) -> Findings:
    """A GPU's power limit has been set below its default, so it computes more slowly."""
    lowered = []
    for gpu in usable(nvidia) if judged(profile) else []:
        limit, usual = gpu.power_limit_watts, gpu.power_limit_default_watts
        if limit and usual and limit < share * usual:
            lowered.append((gpu, f"{label(gpu)}: {limit:.0f} of {usual:.0f} W"))
    if lowered:
        yield warn(
            "the power limit is below the default: training is slower",
            subject=label(lowered[0][0]) if len(lowered) == 1 else "",
            evidence=[text for _, text in lowered],
            remedy=Remedy(
                text="set the default limit, unless it is low on purpose",
                commands=[
                    ["sudo", "nvidia-smi", "-i", str(g.index), "-pl", f"{g.power_limit_default_watts:.0f}"]
                    for g, _ in lowered
                ],
                who="admin",
            ),
        )


@check(area="accelerators")
def application_clocks_lowered(nvidia: Nvidia, profile: Profile) -> Findings:
    """A GPU's application clocks have been set below their default, so it computes more slowly.

    Drivers of 2025 and later no longer tell them; there the clocks' reasons do (gpu-throttled).
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        now, usual = gpu.clock_sm_application_megahertz, gpu.clock_sm_application_default_megahertz
        if now and usual and now < usual:
            yield warn(
                f"it is set to {now} MHz under load, by default it has {usual} MHz",
                subject=label(gpu),
                evidence=[f"application clock of the multiprocessors: {now} MHz, default {usual} MHz"],
                remedy=Remedy(
                    text="set the default clocks, unless they are low on purpose",
                    commands=[["sudo", "nvidia-smi", "-i", str(gpu.index), "-rac"]],
                    who="admin",
                ),
            )


@check(area="accelerators")
def vgpu_unlicensed(nvidia: Nvidia, profile: Profile) -> Findings:
    """A virtual GPU has no licence: after a while it slows down, and CUDA stops with error 102.

    Sources: NVIDIA Virtual GPU Client Licensing User Guide; CUDA runtime API, cudaErrorDeviceNotLicensed.
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.virtualization_mode == "vgpu" and gpu.vgpu_licensed is False:
            yield fail(
                "this virtual GPU has no licence, so CUDA stops after a while",
                subject=label(gpu),
                evidence=[f"licence for {gpu.vgpu_product or 'a product that is not named'}: none"],
                remedy=Remedy(
                    text="give this machine a licence token (/etc/nvidia/ClientConfigToken) and restart nvidia-gridd",
                    commands=[["sudo", "systemctl", "restart", "nvidia-gridd"]],
                    who="admin",
                ),
            )


@check(area="accelerators")
def gpu_memory_hot(
    nvidia: Nvidia, profile: Profile, knowledge: Knowledge, *, limit_celsius: int = 95, desktop_celsius: int = 106
) -> Findings:
    """A GPU's memory is at the temperature at which it slows down.

    Where the GPU does not tell that: 95 °C for HBM (limit_celsius), 106 °C for GDDR6X (desktop_celsius).
    """
    for gpu in usable(nvidia) if judged(profile) else []:
        now, own = gpu.memory_temperature_celsius, gpu.memory_temperature_max_celsius
        if now is None or now < min(limit_celsius, own or limit_celsius):
            continue
        limit = own or (limit_celsius if _of_a_server(gpu, knowledge) else desktop_celsius)
        if now >= limit:
            yield warn(
                f"its memory is at {now} °C",
                subject=label(gpu),
                evidence=[f"limit {limit} °C"],
                remedy=Remedy(text="improve the cooling of the memory (air flow, thermal pads)", who="admin"),
            )


@check(area="accelerators")
def gpu_models_mixed(nvidia: Nvidia, profile: Profile, facts: Facts) -> Findings:
    """GPUs of different models would train together: the slowest, and the smallest memory, sets the pace."""
    python = facts.python.facts
    chosen = bool(python and python.environment.get("CUDA_VISIBLE_DEVICES"))
    gpus = usable(nvidia)
    names = {gpu.name for gpu in gpus if gpu.name}
    if judged(profile) and not chosen and len(names) > 1 and not any(gpu.display_active for gpu in gpus):
        yield warn(
            f"GPUs of different models: {listed(sorted(names))}",
            evidence=[label(gpu) for gpu in gpus[:8]],
            remedy=Remedy(text="choose those of one model for a run (CUDA_VISIBLE_DEVICES)"),
        )


@check(area="accelerators")
def vbios_differs(nvidia: Nvidia, profile: Profile, knowledge: Knowledge) -> Findings:
    """GPUs of one model in a server have different firmware (VBIOS)."""
    versions: dict[str, list[str]] = {}
    for gpu in usable(nvidia) if judged(profile) else []:
        if gpu.name and gpu.vbios_version:
            versions.setdefault(gpu.name, []).append(gpu.vbios_version)
    for name, found in versions.items():
        usual = max(set(found), key=found.count)
        # Without a majority they are the two halves of a board (Tesla K80), which differ by design.
        if not len(found) < found.count(usual) * 2 < len(found) * 2:
            continue
        model = knowledge.gpu_model(name)
        if model and model.server:
            yield warn(
                f"{name} GPUs have different firmware: {listed(sorted(set(found)))}",
                evidence=[
                    f"{label(g)}: VBIOS {g.vbios_version}"
                    for g in usable(nvidia)
                    if g.name == name and g.vbios_version != usual
                ],
                remedy=Remedy(text="have the firmware of all boards brought to one version", who="vendor"),
            )


@check(area="accelerators", after=("gpu-lost", "gpu-needs-reset", "xid-hardware-fault"))
def gpu_fields_in_error(nvidia: Nvidia, profile: Profile, facts: Facts) -> Findings:
    """A GPU answers some questions with an error (ERR!, Unknown Error): a sensor or the board is failing.

    Under WSL and of virtual GPUs that is how unsupported questions are answered.
    """
    system = facts.system.facts
    if not judged(profile) or (system and system.wsl):
        return
    for gpu in usable(nvidia):
        if gpu.virtualization_mode == "vgpu":
            continue
        silent = {name: why for name, why in gpu.unreadable.items() if _OF_SENSORS.search(name)}
        failing = [name for name, why in silent.items() if why.strip("[]").upper() in _IN_ERROR]
        if failing:
            yield (warn if len(failing) == 1 else fail)(
                f"it answers with an error: {listed(failing)}",
                subject=label(gpu),
                evidence=[f"{name}: {gpu.unreadable[name]}" for name in failing[:4]],
                remedy=Remedy(
                    text="look for Xid errors in the kernel's log, reset the GPU or reboot; "
                    "if a sensor stays in error, have fan and board inspected",
                    who="admin",
                ),
            )


@check(area="accelerators")
def dcgm_diagnostic_failed(nvidia: Nvidia, profile: Profile) -> Findings:
    """A test of NVIDIA's own diagnostics (dcgmi diag) has failed or warned."""
    for test in (nvidia.dcgm_failures or []) if judged(profile) else []:
        yield (warn if test.status == "warn" else fail)(
            f"dcgmi diag, {test.name}: {'a warning' if test.status == 'warn' else 'failed'}",
            subject="" if test.gpu is None else f"GPU {test.gpu}",
            evidence=[test.message] if test.message else [],
            remedy=Remedy(text="follow what the test says, then run it again (dcgmi diag -r 2)", who="admin"),
        )
