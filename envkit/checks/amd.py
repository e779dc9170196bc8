"""AMD GPUs: whether they are all there and this user may open them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._amd import AMD_TROUBLE, label, sought, wanted, whole
from envkit.checks._gpus import closed_nodes, grave, judged, shut
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Amd
    from envkit.facts.software import Python
    from envkit.profile import Profile

# Parts of a GPU by its mode; CPX makes as many as the model has dies.
_PARTS = {"SPX": 1, "DPX": 2, "TPX": 3, "QPX": 4}


@check(area="accelerators")
def amd_kfd_unusable(amd: Amd, profile: Profile, facts: Facts) -> Findings:
    """ROCm cannot reach the AMD GPU: /dev/kfd or the render nodes are missing or closed to this user.

    Only where the profile wants an AMD GPU, or a framework is built for one.
    """
    if not wanted(profile, facts) or not (amd.gpus or any(node.path == "/dev/kfd" for node in amd.device_nodes)):
        return
    closed = shut(amd.device_nodes)
    kfd = any(node.path == "/dev/kfd" for node in amd.device_nodes)
    if kfd and not closed:
        return
    evidence, groups, relogin = closed_nodes(amd.device_nodes)
    if facts.container.facts:
        add = " ".join(f"--group-add={group}" for group in groups or ["render"])
        remedy = Remedy(text=f"start the container with --device=/dev/kfd --device=/dev/dri {add}")
    elif not kfd:
        remedy = Remedy(text="install the amdgpu driver with ROCm", who="admin")
    elif relogin:
        remedy = Remedy(text="log in again: this user was put into the group since then")
    else:
        join = f'sudo usermod -aG {",".join(groups or ["render", "video"])} "$USER"'
        remedy = Remedy(
            text=f"join the group {' and '.join(groups or ['render', 'video'])} and log in again",
            commands=[["sh", "-c", join]],
            who="admin",
        )
    yield grave(profile)(
        "this user may not use the AMD GPU" if kfd else "/dev/kfd is missing, so ROCm cannot reach the AMD GPU",
        evidence=evidence or ["no /dev/kfd"],
        remedy=remedy,
    )


@check(area="accelerators")
def amd_gpu_hangs(amd: Amd, profile: Profile) -> Findings:
    """The amdgpu driver gave no answer about a GPU: whatever asks for that GPU may hang.

    A warning where it was counting errors, which takes long on a machine with many busy GPUs.
    """
    if amd.unanswered and judged(profile, "amd"):
        found = warn if "/ras/" in amd.unanswered else grave(profile)
        yield found(
            "the amdgpu driver does not answer about a GPU",
            evidence=[f"{amd.unanswered}: no answer"],
            remedy=Remedy(
                text="look for messages of amdgpu in the kernel's log (ring timeout, GPU reset); reboot",
                commands=[["sudo", "dmesg", "--level=err,warn"]],
                who="admin",
            ),
        )


@check(area="accelerators", after=("amd-kfd-unusable", "amd-init-fails"))
def amd_gpu_count_mismatch(amd: Amd, profile: Profile, facts: Facts) -> Findings:
    """The compute driver lists fewer AMD GPUs of a model than are on the PCI bus.

    Devices bound to another driver do not count. In a container the bus shows the GPUs of the host: not compared.
    """
    if not judged(profile, "amd") or facts.container.facts or amd.nodes_refused:
        return
    listed = {whole(gpu) for gpu in amd.gpus or [] if gpu.node is not None}
    models = {device.device_id for device in amd.pci_devices or [] if device.address in listed}
    expected = [d for d in amd.pci_devices or [] if d.device_id in models and d.kernel_driver in {None, "amdgpu"}]
    missing = [device for device in expected if device.address not in listed]
    if missing:
        yield fail(
            f"{len(expected)} AMD GPUs are on the PCI bus, the compute driver lists {len(expected) - len(missing)}",
            evidence=[f"{d.address}: {d.kernel_driver or 'no'} driver, not in KFD's topology" for d in missing],
            remedy=Remedy(
                text="look for messages of amdgpu and kfd in the kernel's log; reboot, then have the GPU inspected",
                commands=[["sudo", "dmesg", "--level=err,warn"]],
                who="admin",
            ),
        )


@check(area="accelerators", after="amd-gpu-count-mismatch")
def amd_partitions_missing(amd: Amd, profile: Profile, facts: Facts) -> Findings:
    """A partitioned AMD GPU has fewer parts than its mode makes, or than the others of its kind have.

    A container may have been given some parts only: nothing is said there.
    """
    if facts.container.facts or amd.nodes_refused:
        return
    parts = [gpu for gpu in sought(amd, profile) if gpu.partition is not None]
    counts = Counter(whole(gpu) for gpu in parts)
    firsts = {address: next(gpu for gpu in parts if whole(gpu) == address) for address in counts}
    for address, gpu in firsts.items():
        kind = (gpu.gfx, gpu.compute_partition)
        most = max(counts[a] for a, other in firsts.items() if (other.gfx, other.compute_partition) == kind)
        expected = _PARTS.get(gpu.compute_partition or "", most)
        if counts[address] < expected:
            yield fail(
                f"the GPU at {address} has {counts[address]} of {expected} parts",
                subject=label(amd, gpu),
                evidence=[f"mode {gpu.compute_partition or 'not told'}", f"GPUs of its kind have up to {most} parts"],
                remedy=Remedy(
                    text="stop all processes on the GPUs and set the mode anew; if parts are still missing, reboot",
                    commands=[_mode(gpu.compute_partition)] if gpu.compute_partition else [],
                    who="admin",
                ),
            )


def _mode(name: str) -> list[str]:
    return ["sudo", "amd-smi", "set", "--gpu", "all", "--compute-partition", name]


@check(area="accelerators")
def amd_partition_modes_differ(amd: Amd, profile: Profile) -> Findings:
    """AMD GPUs of one model are partitioned differently: a job that takes them as equal runs out of memory on some."""
    gpus = sought(amd, profile)
    for gfx in dict.fromkeys(gpu.gfx for gpu in gpus if gpu.gfx):
        told = [(gpu.compute_partition, gpu.memory_partition) for gpu in gpus if gpu.gfx == gfx]
        modes = {"/".join(mode or "?" for mode in pair): None for pair in told if any(pair)}
        if len(modes) > 1:
            yield warn(
                f"GPUs {gfx} are partitioned differently: {', '.join(modes)}",
                evidence=[
                    f"{gpu.pci_address}: {gpu.compute_partition}/{gpu.memory_partition}"
                    for gpu in gpus
                    if gpu.gfx == gfx and not gpu.partition
                ],
                remedy=Remedy(
                    text="set the same modes on all of them, unless it is on purpose",
                    commands=[_mode(told[0][0])] if told[0][0] else [],
                    who="admin",
                ),
            )


@check(area="accelerators", after="amd-kfd-unusable")
def amd_visible_devices_hides(amd: Amd, python: Python, profile: Profile, facts: Facts) -> Findings:
    """ROCR_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES hides AMD GPUs from ROCm.

    ROCm's runtime takes the first, numbers anew what that leaves, and HIP takes the second of these, without it the
    third. A list is read up to the first entry that is no GPU. Source: ROCm documentation, "GPU isolation techniques".
    """
    if not wanted(profile, facts) or not amd.gpus:
        return
    names = ["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"]
    if not python.environment.get(names[1]):
        names[1] = "CUDA_VISIBLE_DEVICES"
    visible = [gpu.uuid or "" for gpu in amd.gpus]
    for name in names:
        value = python.environment.get(name)
        if value is None or (not value and not name.startswith("ROCR")):  # HIP takes an empty list as none
            continue
        tokens = [token.strip() for token in value.split(",")]
        if any(token.startswith("GPU-") for token in tokens) and not all(visible):
            return  # UUIDs that were not told
        left = _taken(tokens, visible)
        if len(left) < len(tokens):
            token = tokens[len(left)]
            yield (warn if left else grave(profile))(
                f"{name} shows ROCm {len(left) or 'none'} of {len(visible)} GPUs",
                evidence=[
                    f"{name}={value}",
                    f"{token!r} names no GPU, so it and what follows is dropped" if token else "the list is empty",
                ],
                remedy=Remedy(text="unset it, or correct the list", commands=[["unset", name]]),
            )
            return
        visible = left


def _taken(tokens: list[str], visible: list[str]) -> list[str]:
    """The GPUs, by their UUIDs, that a list names, up to the first entry that is no GPU, or names one again."""
    taken: list[int] = []
    for token in tokens:
        places = [i for i, uuid in enumerate(visible) if token == str(i) or (uuid and token.upper() == uuid.upper())]
        if not places or places[0] in taken:
            break
        taken.append(places[0])
    return [visible[place] for place in taken]


@check(area="accelerators", after=AMD_TROUBLE)
def amd_gfx_overridden(amd: Amd, python: Python, profile: Profile, facts: Facts) -> Findings:
    """HSA_OVERRIDE_GFX_VERSION makes ROCm take an AMD GPU for one of another family: kernels crash or compute wrongly.

    Within a family (gfx1103 as gfx1100) it is how GPUs without code of their own are used: nothing is said.
    """
    value = python.environment.get("HSA_OVERRIDE_GFX_VERSION")
    numbers = (value or "").split(".")
    if not value or not wanted(profile, facts):
        return
    plain = len(numbers) == 3 and all(number.isdecimal() and len(number) < 4 for number in numbers)
    family = f"gfx{numbers[0]}"
    for gpu in sought(amd, profile):
        if gpu.gfx and not (plain and gpu.gfx.startswith(family) and len(gpu.gfx) == len(family) + 2):
            yield grave(profile)(
                f"HSA_OVERRIDE_GFX_VERSION={value} " + (f"is not for a {gpu.gfx}" if plain else "cannot be read"),
                subject=label(amd, gpu),
                evidence=[f"the GPU is a {gpu.gfx}"],
                remedy=Remedy(text="unset it", commands=[["unset", "HSA_OVERRIDE_GFX_VERSION"]]),
            )
