"""What the kernel's log says of devices and of programs that use them, beyond NVIDIA's codes (Xid, SXid)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged
from envkit.checks.host_log import of_a_host
from envkit.checks.kernel_log import of_kind, programs, told
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.machine import KernelLog, KernelMessage
    from envkit.profile import Profile

_FALLEN_OFF = 79
_REMAPPED = 63
_ACTIVATE = re.compile(r"(?i)(?:reset gpu|reboot) to activate")
_IN_LIBRARY = re.compile(r" in ([\w.+-]{1,80})")


@check(area="accelerators", after=("gpu-lost", "xid-hardware-fault"))
def gpu_fallen_off_bus(kernel_log: KernelLog, facts: Facts, profile: Profile) -> Findings:
    """The NVIDIA driver has logged that a GPU no longer answers on PCIe, without the code for it (Xid 79)."""
    messages = [m for m in of_kind(kernel_log, "nvrm") if "fallen off the bus" in m.text]
    coded = any(m.code == _FALLEN_OFF for m in of_kind(kernel_log, "xid"))
    nvidia = facts.nvidia.facts
    complete = nvidia and nvidia.gpus and not any(gpu.error for gpu in nvidia.gpus)
    if messages and judged(profile) and not coded and not complete:
        yield fail(
            "a GPU has fallen off the bus",
            subject=_device(messages, "GPU"),
            evidence=told(messages),
            remedy=Remedy(
                text="drain the machine and reboot; if it comes back, have power, cooling and seating inspected",
                who="admin",
            ),
        )


@check(area="accelerators", after=("row-remap-pending", "row-remap-failed", "xid-hardware-fault"))
def row_remap_logged(kernel_log: KernelLog, facts: Facts, profile: Profile) -> Findings:
    """The NVIDIA driver has logged that a bad row or page of memory is replaced at the next reset (Xid 63)."""
    waiting = [m for m in of_kind(kernel_log, "xid") if m.code == _REMAPPED and _ACTIVATE.search(m.text)]
    nvidia = facts.nvidia.facts
    gpus = (nvidia.gpus or []) if nvidia else []
    done = bool(gpus) and not any(gpu.remapped_rows_pending or gpu.retired_pages_pending for gpu in gpus)
    if waiting and judged(profile) and not done:
        yield warn(
            "a row of a GPU's memory waits to be replaced",
            subject=_device(waiting, "GPU"),
            evidence=told(waiting),
            remedy=Remedy(text="drain the GPU and reset it (sudo nvidia-smi --gpu-reset), or reboot", who="admin"),
        )


@check(area="accelerators", after=("xid-hardware-fault", "xid-application-fault"))
def gpu_library_crashed(kernel_log: KernelLog) -> Findings:
    """A program was killed by a bad access or instruction within a library of NVIDIA, AMD or a framework."""
    by_library: dict[str, list[KernelMessage]] = {}
    for message in of_kind(kernel_log, "segfault"):
        found = _IN_LIBRARY.search(message.text)
        by_library.setdefault(found[1] if found else "a library", []).append(message)
    for library, messages in by_library.items():
        illegal = any("invalid opcode" in m.text for m in messages)
        yield warn(
            f"{programs(messages) or 'a program'} crashed in {library}",
            evidence=told(messages),
            remedy=Remedy(
                text="the processor lacks an instruction that this build uses: install one for older processors"
                if illegal
                else "look what else the program and the kernel log at that time; update the library and the driver"
            ),
        )


@check(area="accelerators")
def peermem_errors(kernel_log: KernelLog, profile: Profile) -> Findings:
    """The module that lets network adapters reach GPU memory (nvidia-peermem) has logged errors."""
    messages = of_kind(kernel_log, "peermem")
    if messages and judged(profile):
        yield warn(
            "nvidia-peermem reports errors: a transfer between network and GPU memory was cut off",
            evidence=told(messages),
            remedy=Remedy(
                text="look whether a program died at that time; if they come without one, update the NVIDIA driver "
                "and the adapter's (DOCA-OFED), or use DMA-BUF (NCCL_DMABUF_ENABLE=1)",
                who="admin",
            ),
        )


@check(area="machine")
def network_adapter_troubled(kernel_log: KernelLog, facts: Facts) -> Findings:
    """A network adapter reports a bad cable, heat, or that its firmware no longer answers (mlx5)."""
    messages = of_kind(kernel_log, "network-adapter")
    if messages and of_a_host(facts):
        yield warn(
            "a network adapter reports a fault",
            subject=_device(messages, "adapter"),
            evidence=told(messages),
            remedy=Remedy(text="check cable, module and cooling; update the adapter's firmware", who="admin"),
        )


@check(area="accelerators")
def amd_reset_logged(kernel_log: KernelLog, profile: Profile) -> Findings:
    """An AMD GPU hung: the amdgpu driver timed out waiting for it or has reset it."""
    messages = of_kind(kernel_log, "amdgpu-hang")
    if messages and judged(profile, "amd"):
        yield warn(
            "an AMD GPU hung",
            subject=_device(messages, "GPU"),
            evidence=told(messages),
            remedy=Remedy(
                text="start the program again; if it comes back, update amdgpu and ROCm, then have the GPU inspected",
                who="admin",
            ),
        )


@check(area="accelerators")
def amd_memory_errors_logged(kernel_log: KernelLog, profile: Profile) -> Findings:
    """The amdgpu driver has logged hardware errors of an AMD GPU that could not be corrected (RAS)."""
    messages = of_kind(kernel_log, "amdgpu-memory")
    if messages and judged(profile, "amd"):
        yield fail(
            "an AMD GPU has hardware errors that could not be corrected",
            subject=_device(messages, "GPU"),
            evidence=told(messages),
            remedy=Remedy(
                text="drain and reboot the machine, which takes bad pages out of use; if they come back, have the GPU "
                "replaced",
                who="admin",
            ),
        )


@check(area="accelerators")
def amd_init_fails(kernel_log: KernelLog, profile: Profile) -> Findings:
    """The amdgpu driver could not start a GPU."""
    messages = of_kind(kernel_log, "amdgpu-init")
    if messages and judged(profile, "amd"):
        yield fail(
            "the amdgpu driver could not start a GPU",
            subject=_device(messages, "GPU"),
            evidence=told(messages),
            remedy=Remedy(text="reboot with the power off for a moment; update kernel and firmware", who="admin"),
        )


def _device(messages: list[KernelMessage], what: str) -> str:
    places = sorted({m.pci_address for m in messages if m.pci_address})
    return f"{what} at {', '.join(places[:4])}" if places else what
