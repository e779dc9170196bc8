"""What the kernel's log says of the machine itself: memory, disks, PCIe, hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks.kernel_log import of_kind, programs, told
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.machine import KernelLog


def of_a_host(facts: Facts) -> bool:
    """Whether the log is that of a host that is looked at: a container shares the log of its host."""
    return bool(facts.sources) or facts.container.outcome == "absent"


@check(area="machine")
def host_memory_errors(kernel_log: KernelLog, facts: Facts) -> Findings:
    """The processor or the main memory has reported hardware errors that it could not correct (MCE, EDAC)."""
    messages = [m for m in of_kind(kernel_log, "mce") if " CE " not in m.text and "orrected error" not in m.text]
    if messages and of_a_host(facts):
        yield warn(
            "the kernel has logged hardware errors of processor or memory",
            evidence=told(messages),
            remedy=Remedy(text="test the memory (memtest86+, rasdaemon) and replace what fails", who="admin"),
        )


@check(area="machine")
def disk_failing(kernel_log: KernelLog, facts: Facts) -> Findings:
    """A disk reports errors, or a file system has been made read-only because of them."""
    remounts, errors = of_kind(kernel_log, "read-only-remount"), of_kind(kernel_log, "io-error")
    if not (remounts or errors) or not of_a_host(facts):
        return
    yield (fail if remounts else warn)(
        "a file system has been made read-only after errors" if remounts else "a disk reports errors",
        evidence=told(remounts or errors),
        remedy=Remedy(text="save the data, check the disk (smartctl, nvme smart-log) and replace it", who="admin"),
    )


@check(area="machine")
def file_handles_exhausted(kernel_log: KernelLog) -> Findings:
    """The machine has run out of file handles (fs.file-max)."""
    if messages := of_kind(kernel_log, "file-max"):
        yield fail(
            "the kernel's limit of open files has been reached",
            evidence=told(messages),
            remedy=Remedy(
                text="find who holds them (lsof), or raise the limit",
                commands=[["sudo", "sysctl", "-w", "fs.file-max=2097152"]],
                who="admin",
            ),
        )


@check(area="machine", after=("disk-failing", "xid-hardware-fault"))
def kernel_hangs(kernel_log: KernelLog, facts: Facts) -> Findings:
    """Tasks or processors have hung in the kernel: slow or lost disks, network file systems, or drivers."""
    messages = of_kind(kernel_log, "hung-task", "soft-lockup")
    if messages and of_a_host(facts):
        names = programs(messages)
        yield warn(
            f"tasks have hung in the kernel: {names}" if names else "processors have hung in the kernel",
            evidence=told(messages),
            remedy=Remedy(text="look in the log for what they waited for: a disk, NFS, or the NVIDIA driver"),
        )


@check(area="machine")
def kernel_oops(kernel_log: KernelLog, facts: Facts) -> Findings:
    """The kernel has crashed in one of its parts (oops, panic): whatever runs since then may fail."""
    messages = of_kind(kernel_log, "oops")
    if messages and of_a_host(facts):
        yield warn(
            "the kernel has logged a crash of its own",
            evidence=told(messages),
            remedy=Remedy(text="reboot; update kernel and drivers if it comes back", who="admin"),
        )


@check(area="machine", after="xid-hardware-fault")
def pcie_errors(kernel_log: KernelLog, facts: Facts) -> Findings:
    """PCIe devices report errors that could not be corrected (AER)."""
    messages = [m for m in of_kind(kernel_log, "aer") if "ncorrect" in m.text or "atal" in m.text]
    if messages and of_a_host(facts):
        yield warn(
            "PCIe errors could not be corrected",
            evidence=told(messages),
            remedy=Remedy(text="reseat card, riser and cables; update the firmware of the board", who="admin"),
        )
