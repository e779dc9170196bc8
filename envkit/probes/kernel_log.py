"""What the kernel's log says of GPUs, memory and disks, since boot: read where this user may."""

from __future__ import annotations

import os

from envkit.facts import Section, ok, unknown
from envkit.facts.machine import KernelLog
from envkit.kernel_messages import kernel_messages
from envkit.probes import files

DEVICE = "/dev/kmsg"
RECORD_BYTES = 8192  # as large as a record can be (CONSOLE_EXT_LOG_MAX)
MOST_RECORDS = 200_000  # more than a ring buffer holds; while something writes without end this ends


def observe(root: str = "/") -> Section[KernelLog]:
    """The kernel's own buffer, or in a recorded tree what /var/log/dmesg has; unknown where this user may not read it.

    Reading leaves the log as it is: each open file has a place of its own in it.
    """
    if root != "/":
        text = files.read_text(root, "/var/log/dmesg")
        return unknown("there is no /var/log/dmesg") if text is None else ok(KernelLog(messages=kernel_messages(text)))
    try:
        device = os.open(DEVICE, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return unknown(f"{DEVICE}: {error.strerror}")
    try:
        text = _records(device)
    except OSError as error:
        return unknown(f"{DEVICE}: {error.strerror}")
    finally:
        os.close(device)
    return ok(KernelLog(messages=kernel_messages(text)))


def _records(device: int) -> str:
    """Every record up to now, a line each: "priority,number,microseconds,flags;text", and indented what belongs to it.

    Raises:
        OSError: the log may not be read (EPERM).
    """
    found: list[bytes] = []
    for _ in range(MOST_RECORDS):
        try:
            record = os.read(device, RECORD_BYTES)
        except BlockingIOError:
            break
        except BrokenPipeError:  # overwritten while it was read: the next read goes on with the oldest there is
            continue
        if not record:
            break
        found.append(record.partition(b"\n")[0])
    return b"\n".join(found).decode("utf-8", "replace")
