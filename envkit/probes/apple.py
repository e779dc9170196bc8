"""Apple silicon, by sysctl."""

from __future__ import annotations

import sys
import time

from envkit import facts, harness
from envkit.facts import Section
from envkit.facts.accelerators import Apple

SYSCTL = "/usr/sbin/sysctl"
NAMES = ("machdep.cpu.brand_string", "hw.memsize", "kern.osproductversion", "sysctl.proc_translated")


def observe(root: str = "/", *, platform: str = sys.platform, deadline_seconds: float = 5.0) -> Section[Apple]:
    """The Mac this is; absent on other systems and on Macs with an Intel chip, unknown where sysctl does not answer.

    Args:
        root: a recorded tree is never a Mac.
        platform: as sys.platform.
        deadline_seconds: how long sysctl may take.
    """
    if platform != "darwin" or root != "/":
        return facts.absent("the operating system is not macOS")
    started = time.monotonic()
    child = harness.run([SYSCTL, *NAMES], deadline_seconds=deadline_seconds)
    seconds = time.monotonic() - started
    found = parse(child.stdout)
    if found.chip is None:
        return facts.unknown(f"sysctl: {child.last_words() or child.why()}", seconds)
    if "Apple" not in found.chip:  # under Rosetta it may read "VirtualApple @ 2.50GHz"
        return facts.absent(f"the chip is none of Apple's: {found.chip}", seconds)
    return facts.ok(found, seconds)


def parse(text: str) -> Apple:
    """What `sysctl` printed: lines "name: value". A name the system does not know (Rosetta, on Intel) is left out."""
    pairs = (line.partition(":") for line in text.split("\n"))
    values = {name.strip(): value.strip() for name, _, value in pairs if value.strip()}
    memory = values.get("hw.memsize", "")
    translated = values.get("sysctl.proc_translated")
    return Apple(
        chip=values.get("machdep.cpu.brand_string"),
        macos_version=values.get("kern.osproductversion"),
        memory_total_bytes=int(memory) if memory.isdecimal() else None,
        rosetta=None if translated is None else translated == "1",
    )
