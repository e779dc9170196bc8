"""The machine's clock: what it counts with, what keeps it right, whether it can be right."""

from __future__ import annotations

import sys
import time

from envkit.facts import Section, absent, ok
from envkit.facts.host import Clock
from envkit.probes.files import exists, list_dir, read_line, read_text

SOURCES = "/sys/devices/system/clocksource/clocksource0"
OF_A_HYPERVISOR = ("kvm", "hyperv", "xen")
YEAR = 2026  # in which this was written: no right clock shows an earlier one
SERVICES = ("chronyd", "chrony", "systemd-timesyncd", "ntpd", "ntpsec", "ntp", "openntpd", "phc2sys")
PID_FILES = (
    ("chronyd", "/run/chrony/chronyd.pid"),
    ("chronyd", "/run/chronyd.pid"),
    ("systemd-timesyncd", "/run/systemd/timesync"),
    ("ntpd", "/run/ntpd.pid"),
)
UNSYNCHRONISED = 0x40  # STA_UNSYNC of <linux/timex.h>
STATUS_WORD = 5  # of struct timex in longs: modes (padded), offset, freq, maxerror, esterror, status
TIMEX_BYTES = 208  # of the struct with longs of 8 bytes


def observe(root: str = "/") -> Section[Clock]:
    """The clock as files and, on bare metal, the kernel tell."""
    if root == "/" and sys.platform != "linux":
        return absent("only Linux tells of its clock in files")
    return ok(
        Clock(
            source=read_line(root, f"{SOURCES}/current_clocksource"),
            service=_service(root),
            synchronised=_synchronised(root),
            behind=time.gmtime().tm_year < YEAR if root == "/" else None,
        )
    )


def _service(root: str) -> str | None:
    """The service that runs: systemd keeps a link for each, others leave the file of their process id."""
    units = list_dir(root, "/run/systemd/units") or []
    running = {name.removeprefix("invocation:").removesuffix(".service") for name in units}
    found = next((name for name in SERVICES if name in running), None)
    return found or next((name for name, path in PID_FILES if exists(root, path)), None)


def _synchronised(root: str) -> bool | None:
    """What systemd-timesyncd has noted, else what the kernel says, where it would know and may be asked."""
    if exists(root, "/run/systemd/timesync/synchronized"):
        return True
    # A hypervisor's clock is kept right outside. A seccomp filter may kill a process for this call.
    sources = read_line(root, f"{SOURCES}/available_clocksource") or ""
    virtual = any(name in sources for name in OF_A_HYPERVISOR)
    unfiltered = "\nSeccomp:\t0\n" in (read_text(root, "/proc/self/status") or "")
    status = _kernel_status() if root == "/" and unfiltered and not virtual else None
    return None if status is None else not status & UNSYNCHRONISED


def _kernel_status() -> int | None:
    """The status word of adjtimex(2), which changes nothing while `modes` is 0."""
    import ctypes  # noqa: PLC0415 - costs more than all else here, and only bare metal needs it

    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    buffer = (ctypes.c_long * (TIMEX_BYTES // 8))()
    try:
        answer: int = ctypes.CDLL(None).adjtimex(buffer)
    except (AttributeError, OSError):
        return None
    return buffer[STATUS_WORD] & 0xFFFFFFFF if answer >= 0 else None
