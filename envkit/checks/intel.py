"""Intel GPUs (XPU): a driver, nodes that this user may open, Level Zero, and a PyTorch that sees them.

Only cards are judged: the GPU inside a processor is none to train on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import closed_nodes, has_nvidia_gpu, usable
from envkit.checks._packages import install
from envkit.findings import Finding, Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.facts import Facts
    from envkit.facts.accelerators import Intel, IntelGpu
    from envkit.facts.software import Torch, TorchDeep
    from envkit.profile import Profile

_DRIVERS = {"xe", "i915"}
_SELECTORS = ("ONEAPI_DEVICE_SELECTOR", "ZE_AFFINITY_MASK")
XPU_TROUBLE = ("intel-driver-missing", "intel-render-nodes-unusable", "level-zero-missing")


def _cards(intel: Intel) -> list[IntelGpu]:
    return [gpu for gpu in intel.gpus if gpu.kind == "discrete"]


def _meant(profile: Profile) -> bool:
    """Whether the profile's environment is one for Intel GPUs."""
    return profile.torch_backend == "xpu" or any(run.device == "xpu" for run in profile.smoke)


def _wanted(profile: Profile, facts: Facts) -> bool:
    """Whether somebody wants to train on them: by the profile, or without one by the PyTorch that is installed."""
    torch = facts.torch.facts
    return _meant(profile) or (not profile.name and bool(torch and torch.xpu))


def _grave(profile: Profile) -> Callable[..., Finding]:
    return fail if _meant(profile) else warn


def _label(gpu: IntelGpu) -> str:
    return f"{gpu.name or 'Intel GPU'} at {gpu.pci_address}"


@check(area="accelerators")
def intel_driver_missing(intel: Intel, profile: Profile, facts: Facts) -> Findings:
    """No driver (xe, i915) has taken an Intel GPU: the kernel is older than the card, or another driver holds it."""
    for gpu in _cards(intel) if _wanted(profile, facts) and not facts.container.facts else []:
        if gpu.kernel_driver not in _DRIVERS:
            yield _grave(profile)(
                f"no driver of Intel's holds {_label(gpu)}",
                subject=_label(gpu),
                evidence=[f"kernel driver: {gpu.kernel_driver or 'none'}, device id {gpu.device_id}"],
                remedy=Remedy(text="install a kernel whose xe or i915 driver knows this card", who="admin"),
            )


@check(area="accelerators", after="intel-driver-missing")
def intel_render_nodes_unusable(intel: Intel, profile: Profile, facts: Facts) -> Findings:
    """The render nodes of Intel GPUs are missing, or closed to this user: Level Zero then shows no device."""
    cards = [gpu for gpu in _cards(intel) if gpu.kernel_driver in _DRIVERS]
    if not cards or not _wanted(profile, facts):
        return
    nodes = [node for node in intel.device_nodes if node.path in {gpu.render_node for gpu in cards}]
    evidence, groups, relogin = closed_nodes(nodes)
    if nodes and not evidence:
        return
    if facts.container.facts:
        add = "".join(f" --group-add={group}" for group in groups)
        remedy = Remedy(text=f"start the container with --device=/dev/dri{add}")
    elif relogin:
        remedy = Remedy(text="log in again: this user was put into the group since then")
    else:
        group = groups[0] if groups else "render"
        join = f'sudo usermod -aG {group} "$USER"'
        remedy = Remedy(
            text=f"join the group {group} and log in again", commands=[["sh", "-c", join]] if nodes else [], who="admin"
        )
    yield _grave(profile)(
        "this user may not use the Intel GPU" if nodes else "the Intel GPU has no render node here",
        evidence=evidence or [f"no {gpu.render_node or '/dev/dri/renderD*'}" for gpu in cards],
        remedy=remedy,
    )


@check(area="accelerators", after="intel-driver-missing")
def level_zero_missing(intel: Intel, profile: Profile, facts: Facts) -> Findings:
    """Intel's compute runtime or the Level Zero loader is not installed: PyTorch's XPU build finds no device."""
    missing = [
        name
        for name, path in (
            ("libze_loader.so.1", intel.level_zero_loader),
            ("libze_intel_gpu.so.1", intel.level_zero_driver),
        )
        if path is None
    ]
    if missing and _cards(intel) and _wanted(profile, facts):
        yield _grave(profile)(
            "Level Zero is not installed, so PyTorch cannot use the Intel GPU",
            evidence=[f"{name} not found" for name in missing],
            remedy=Remedy(
                text="install Intel's compute runtime and the Level Zero loader (Ubuntu: libze-intel-gpu1, libze1)",
                who="admin",
            ),
        )


@check(area="frameworks", after=XPU_TROUBLE)
def torch_xpu_sees_none(torch: Torch, torch_deep: TorchDeep, intel: Intel, profile: Profile, facts: Facts) -> Findings:
    """PyTorch is built for Intel GPUs, there is one, and PyTorch does not see it."""
    python = facts.python.facts
    set_here = {n: python.environment[n] for n in _SELECTORS if n in python.environment} if python else {}
    seen = any(device.kind == "xpu" for device in torch_deep.devices)
    if torch.xpu and torch_deep.imported and not seen and _cards(intel) and _wanted(profile, facts):
        yield _grave(profile)(
            "PyTorch does not see the Intel GPU",
            evidence=[
                torch_deep.error or "torch.xpu.device_count() is 0",
                *map(_label, _cards(intel)),
                *(f"{name}={value}" for name, value in set_here.items()),
            ],
            remedy=Remedy(
                text="unset the variables that select devices"
                if set_here
                else "update Intel's compute runtime, and look at what sycl-ls lists",
                commands=[["unset", name] for name in set_here],
            ),
        )


@check(area="frameworks")
def torch_build_without_xpu(torch: Torch, intel: Intel, facts: Facts, profile: Profile) -> Findings:
    """PyTorch is a build without support for the Intel GPU of this machine, so it trains on the CPU without a word.

    Not where there is another GPU to train on.
    """
    if torch.xpu or not torch.build_known or (profile.name and not _meant(profile)):
        return
    cards = [gpu for gpu in _cards(intel) if gpu.kernel_driver in _DRIVERS]
    amd = facts.amd.facts
    others = usable(facts.nvidia.facts) or has_nvidia_gpu(facts) or (torch.hip and amd and amd.gpus)
    if cards and not others:
        yield _grave(profile)(
            f"PyTorch {torch.version} is no build for Intel GPUs, and this machine has {_label(cards[0])}",
            evidence=[f"torch/version.py: cuda {torch.cuda}, hip {torch.hip}, xpu {torch.xpu}"],
            remedy=Remedy(
                text="install the build for Intel GPUs",
                commands=[install(facts.python.facts, "--torch-backend=xpu", "torch", reinstall=True)],
            ),
        )
