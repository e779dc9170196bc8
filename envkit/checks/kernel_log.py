"""What the kernel's log says since boot: errors of GPUs and NVSwitches, drivers that were refused, memory that ran out.

A log holds the past, too: what a healthy driver contradicts is left out, the rest is named with how often it came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, label
from envkit.findings import Finding, Findings, Remedy, fail, unsure, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.machine import KernelLog, KernelMessage
    from envkit.knowledge import Knowledge
    from envkit.knowledge.hardware import Xid
    from envkit.profile import Profile

_CATALOG = "https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html"
_RECOVERY_CHANGED = 154
_ACTIONS = {
    "restart-app": "look for invalid accesses in the program that ran (compute-sanitizer), and start it again",
    "reset": "drain the GPU and reset it (sudo nvidia-smi --gpu-reset), or reboot; if it comes back, have it inspected",
    "reboot": "drain the machine and reboot; if it comes back, have power, cooling and seating inspected",
    "vendor": "have power cables and the board inspected",
    "update": "update the NVIDIA driver",
    "watch": "nothing has to be done",
}
_ORDER = ("reboot", "reset", "vendor", "update", "restart-app", "watch")
_GSP = {119, 120}
_NOT_STARTED = re.compile(
    r"(?i)init_?adapter failed|NVIDIA probe routine failed|None of the NVIDIA devices|Cannot attach gpu"
    r"|I/O region assigned"
)


def of_kind(log: KernelLog | None, *kinds: str) -> list[KernelMessage]:
    """The messages of these kinds, in the order of the log."""
    return [message for message in log.messages if message.kind in kinds] if log else []


def told(messages: list[KernelMessage], most: int = 3) -> list[str]:
    """The newest messages as evidence."""
    shown = [message.text[:200] for message in messages[-most:]]
    return shown + ([f"{len(messages)} such messages"] if len(messages) > most else [])


def programs(messages: list[KernelMessage]) -> str:
    """The first few of the programs that messages name: "python3, ray"; "" where they name none."""
    return ", ".join(sorted({m.process for m in messages if m.process})[:4])


def _subject(address: str | None, nvidia: Nvidia | None) -> str:
    """The GPU at a PCI address; the only one that did not tell its own is taken for it."""
    gpus = (nvidia.gpus or []) if nvidia else []
    there = [gpu for gpu in gpus if address and gpu.pci_address and gpu.pci_address.lower() == address]
    mute = [gpu for gpu in gpus if gpu.pci_address is None]
    if len(there or mute) == 1:
        return label((there or mute)[0])
    return f"GPU at {address}" if address else "GPU"


def _xids(log: KernelLog, facts: Facts, knowledge: Knowledge) -> dict[str, list[tuple[KernelMessage, Xid]]]:
    """The Xids that the tables know, by GPU."""
    found: dict[str, list[tuple[KernelMessage, Xid]]] = {}
    if not (messages := _logged_of_ours(log, facts)):
        return found  # to read the table takes longer than all of this
    table, nvidia = knowledge.xids, facts.nvidia.facts
    for message in messages:
        row = table.xids.get(message.code or 0)
        if message.code == _RECOVERY_CHANGED:
            words = re.findall(r"\(([^()]{1,40})\)", message.text)
            row = table.recovery.get(words[-1]) if words else None
        if row:
            found.setdefault(_subject(message.pci_address, nvidia), []).append((message, row))
    return found


def _logged_of_ours(log: KernelLog, facts: Facts) -> list[KernelMessage]:
    """Xids; in a container, which sees the log of its host, those of its own GPUs."""
    messages, nvidia = of_kind(log, "xid"), facts.nvidia.facts
    if not facts.container.facts or not nvidia or not nvidia.gpus:
        return messages
    ours = {gpu.pci_address.lower() for gpu in nvidia.gpus if gpu.pci_address}
    return [message for message in messages if not ours or message.pci_address in ours]


def _xid_finding(subject: str, rows: list[tuple[KernelMessage, Xid]]) -> Finding:
    counts: dict[int, int] = {}
    for message, _ in rows:
        counts[message.code or 0] = counts.get(message.code or 0, 0) + 1
    message, first = min(rows, key=lambda item: (item[1].severity != "fail", _ORDER.index(item[1].action)))
    text = _ACTIONS[first.action]
    if message.code in _GSP:
        text += "; a newer driver, or one without GSP (NVreg_EnableGpuFirmware=0), may keep it from happening again"
    say = fail if first.severity == "fail" else warn
    return say(
        f"Xid {message.code}: {first.title}",
        subject=subject,
        evidence=[message.text[:200], *(f"Xid {code}: {n} in the kernel's log" for code, n in counts.items())],
        remedy=Remedy(text=text, who="user" if first.action == "restart-app" else "admin", url=_CATALOG),
    )


@check(
    area="accelerators",
    after=("gpu-lost", "gpu-needs-reset", "gpu-unreadable", "ecc-uncorrected", "row-remap-pending", "row-remap-failed"),
)
def xid_hardware_fault(kernel_log: KernelLog, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """The NVIDIA driver has logged an error after which the GPU needs a reset, a reboot or an inspection (Xid).

    What each code means and asks for: NVIDIA's catalog of Xids.
    """
    if not judged(profile) or not (logged := _logged_of_ours(kernel_log, facts)):
        return
    for subject, rows in _xids(kernel_log, facts, knowledge).items():
        grave = [row for row in rows if row[1].severity != "none" and row[1].action != "restart-app"]
        if grave:
            yield _xid_finding(subject, grave)
    known = set(knowledge.xids.xids) | {_RECOVERY_CHANGED}
    strange = [m for m in logged if m.code not in known]
    for code in sorted({m.code or 0 for m in strange}):
        those = [m for m in strange if (m.code or 0) == code]
        subject = _subject(those[0].pci_address, facts.nvidia.facts)
        yield unsure(f"Xid {code} is in no table", evidence=told(those), subject=subject)


@check(area="accelerators", after="xid-hardware-fault")
def xid_application_fault(kernel_log: KernelLog, facts: Facts, profile: Profile, knowledge: Knowledge) -> Findings:
    """The NVIDIA driver has stopped a program that did something invalid on the GPU (Xid 13, 31, 43 and others).

    The GPU itself is in order; the program, or a library it uses, is not.
    """
    for subject, rows in (_xids(kernel_log, facts, knowledge) if judged(profile) else {}).items():
        mild = [row for row in rows if row[1].severity != "none" and row[1].action == "restart-app"]
        if mild:
            yield _xid_finding(subject, mild)


@check(area="accelerators")
def nvswitch_fault(kernel_log: KernelLog, profile: Profile) -> Findings:
    """An NVSwitch has reported an error (SXid)."""
    if not judged(profile):
        return
    by_switch: dict[str, list[KernelMessage]] = {}
    for message in of_kind(kernel_log, "sxid"):
        by_switch.setdefault(message.pci_address or "of unknown address", []).append(message)
    for address, messages in by_switch.items():
        fatal = [m for m in messages if "fatal" in m.text.lower() and "non-fatal" not in m.text.lower()]
        codes = sorted({str(m.code) for m in fatal or messages if m.code})
        yield (fail if fatal else warn)(
            f"the NVSwitch reports {'a fatal' if fatal else 'a non-fatal'} error: SXid {', '.join(codes)}",
            subject=f"NVSwitch {address}",
            evidence=told(fatal or messages),
            remedy=Remedy(
                text="reset all GPUs and NVSwitches together, or reboot; if it comes back, have them inspected"
                if fatal
                else "watch whether it comes back; NVLinks of that switch may be slow",
                who="admin",
            ),
        )


@check(area="accelerators")
def gpu_unsupported_by_driver(kernel_log: KernelLog, facts: Facts, profile: Profile) -> Findings:
    """The NVIDIA driver refuses a GPU: too new or too old for it, or it needs the open kernel modules."""
    messages, nvidia = of_kind(kernel_log, "unsupported-gpu"), facts.nvidia.facts
    complete = nvidia and nvidia.gpus and len(nvidia.gpus) >= len(nvidia.pci_devices or [])
    if messages and judged(profile) and not complete:
        open_wanted = any("open kernel module" in m.text for m in messages)
        yield fail(
            "the NVIDIA driver does not support a GPU of this machine",
            evidence=told(messages),
            remedy=Remedy(
                text="install the driver with the open kernel modules (nvidia-driver-NNN-open)"
                if open_wanted
                else "install a driver branch that supports this GPU: a newer one for a new GPU, "
                "580 at most before Turing; GPUs before Turing need the proprietary modules, Blackwell the open ones",
                who="admin",
            ),
        )


@check(area="accelerators", after=("xid-hardware-fault", "gpu-unsupported-by-driver"))
def gpu_init_fails(kernel_log: KernelLog, facts: Facts, profile: Profile) -> Findings:
    """The NVIDIA driver could not start a GPU (RmInitAdapter failed, a BAR without an address)."""
    messages = [m for m in of_kind(kernel_log, "nvrm", "gsp") if _NOT_STARTED.search(m.text)]
    nvidia = facts.nvidia.facts
    complete = nvidia and nvidia.gpus and not any(gpu.error for gpu in nvidia.gpus)
    if messages and judged(profile) and not complete:
        yield fail(
            "the NVIDIA driver could not start a GPU",
            evidence=told(messages),
            remedy=Remedy(
                text="reboot with the power off for a moment; then check power cables and seating, in a virtual "
                "machine its pass-through, and that module and firmware are of one version",
                who="admin",
            ),
        )


@check(area="accelerators")
def secure_boot_rejects_driver(kernel_log: KernelLog, facts: Facts, profile: Profile) -> Findings:
    """The kernel refuses the NVIDIA module because it is not signed with a key that Secure Boot trusts."""
    messages, nvidia = of_kind(kernel_log, "key-rejected"), facts.nvidia.facts
    if messages and judged(profile) and not (nvidia and nvidia.module_loaded):
        yield fail(
            "the kernel rejects a module that is not signed with a trusted key (Secure Boot)",
            evidence=told(messages),
            remedy=Remedy(
                text="enrol the key the module was signed with (mokutil --import), install a signed driver, "
                "or switch Secure Boot off",
                commands=[["mokutil", "--sb-state"]],
                who="admin",
            ),
        )


@check(area="machine", after="cgroup-oom-kills")
def host_out_of_memory(kernel_log: KernelLog, facts: Facts) -> Findings:
    """The machine has run out of memory and the kernel has killed processes.

    Of this machine only what the whole of it ran out of: other cgroups' limits are their own business.
    """
    messages = [m for m in of_kind(kernel_log, "oom-kill") if "ill" in m.text and " process " in m.text]
    if not facts.sources:
        here = facts.container.outcome == "absent"
        messages = [m for m in messages if here and "cgroup out of memory" not in m.text]
    if messages:
        yield warn(
            f"the kernel has killed {programs(messages) or 'processes'} because memory ran out",
            evidence=told(messages),
            remedy=Remedy(
                text="use smaller batches, fewer data loader workers or a machine with more memory; "
                "in a container raise its limit"
            ),
        )
