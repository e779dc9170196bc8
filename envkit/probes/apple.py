"""Apple silicon, by sysctl, and its GPU by ioreg."""

from __future__ import annotations

import re
import sys
import time

from msgspec.structs import replace

from envkit import facts, harness
from envkit.facts import Section
from envkit.facts.accelerators import Apple

SYSCTL = "/usr/sbin/sysctl"
NAMES = (
    "machdep.cpu.brand_string",
    "hw.memsize",
    "hw.perflevel0.physicalcpu",
    "hw.perflevel1.physicalcpu",
    "iogpu.wired_limit_mb",
    "kern.hv_vmm_present",
    "kern.osproductversion",
    "sysctl.proc_translated",
)
IOREG = ("/usr/sbin/ioreg", "-r", "-d", "1", "-c", "AGXAccelerator")
MEBIBYTE = 1 << 20


def observe(root: str = "/", *, platform: str = sys.platform, deadline_seconds: float = 5.0) -> Section[Apple]:
    """The Mac this is; absent on other systems and on Macs with an Intel chip, unknown where sysctl does not answer.

    Args:
        root: a recorded tree is never a Mac.
        platform: as sys.platform.
        deadline_seconds: how long sysctl and ioreg may take together.
    """
    if platform != "darwin" or root != "/":
        return facts.absent("the operating system is not macOS")
    started = time.monotonic()
    child = harness.run([SYSCTL, *NAMES], deadline_seconds=deadline_seconds)
    found = parse(child.stdout)
    if found.chip is None:
        return facts.unknown(f"sysctl: {child.last_words() or child.why()}", time.monotonic() - started)
    if "Apple" not in found.chip:  # under Rosetta it may read "VirtualApple @ 2.50GHz"
        return facts.absent(f"the chip is none of Apple's: {found.chip}", time.monotonic() - started)
    left = max(0.1, deadline_seconds - (time.monotonic() - started))
    gpu = harness.run(IOREG, deadline_seconds=left)
    return facts.ok(replace(found, gpu_cores=gpu_cores(gpu.stdout)), time.monotonic() - started)


def parse(text: str) -> Apple:
    """What `sysctl` printed: lines "name: value". A name the system does not know (Rosetta, on Intel) is left out."""
    pairs = (line.partition(":") for line in text.split("\n"))
    values = {name.strip(): value.strip() for name, _, value in pairs if value.strip()}
    translated, guest = values.get("sysctl.proc_translated"), values.get("kern.hv_vmm_present")
    limit = _number(values.get("iogpu.wired_limit_mb"))
    return Apple(
        chip=values.get("machdep.cpu.brand_string"),
        macos_version=values.get("kern.osproductversion"),
        memory_total_bytes=_number(values.get("hw.memsize")),
        gpu_memory_limit_bytes=limit * MEBIBYTE if limit else None,  # 0: macOS decides
        performance_cores=_number(values.get("hw.perflevel0.physicalcpu")),
        efficiency_cores=_number(values.get("hw.perflevel1.physicalcpu")),
        virtual_machine=None if guest is None else guest == "1",
        rosetta=None if translated is None else translated == "1",
    )


def gpu_cores(text: str) -> int | None:
    """What `ioreg` printed of the GPU's driver: a line `"gpu-core-count" = 40`."""
    found = re.search(r'"gpu-core-count" = (\d{1,5})\b', text)
    return int(found[1]) if found else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 20 else None
