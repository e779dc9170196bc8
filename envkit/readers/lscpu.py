"""lscpu, its JSON included, and the part "CPU" of collect_env, which is lscpu's output."""

from __future__ import annotations

import re
from itertools import islice

from envkit.facts import Facts, Section, ok
from envkit.facts.host import NumaNode, Topology
from envkit.facts.machine import Cpu, System
from envkit.readers._fields import count, documents, given, groups, labelled
from envkit.readers._lines import first, lines

NAME = "lscpu"

_LABELS = (
    *("Architecture", "CPU(s)", "On-line CPU(s) list", "Thread(s) per core", "Core(s) per socket", "Socket(s)"),
    *("Core(s) per cluster", "Cluster(s)", "Vendor ID", "Model name", "Hypervisor vendor", "Flags"),
)
_OWN = ("Core(s) per socket", "Core(s) per cluster", "Thread(s) per core", "On-line CPU(s) list", "Model name")
_NODE = re.compile(r"^[ \t]*NUMA node(\d{1,4}) CPU\(s\):([ \t\d,-]*)$", re.MULTILINE)
_MOST_NODES = 1024
_BROKEN = re.compile(r"^([ \t]*Flags:[ \t]+)(\S[^\n]*)$", re.MULTILINE)
_LONGEST_FLAGS = 10_000
_MOST_PIECES = 200
_FLAGS_OF_ALL = 20  # x86 processors have so many in common, fpu the first
_ONLY_FLAGS = re.compile(r"[ \t]{0,8}[a-z0-9_]{1,40}(?:[ \t]{1,4}[a-z0-9_]{1,40}){3,300}[ \t]{0,8}")
_HYPERVISORS = {"windows subsystem for linux": "microsoft", "microsoft": "microsoft", "kvm": "kvm", "oracle": "oracle"}


def read(text: str) -> Facts | None:
    """Processors, the machine's architecture and its hypervisor."""
    if not any(label in text for label in _OWN):
        return None
    fields = _from_json(text) or labelled(text, *_LABELS)
    if "Flags" in fields and (wrapped := _wrapped(text)):
        fields["Flags"] = wrapped
    if len(set(fields) & {*_OWN, "CPU(s)"}) < 2:
        return None
    flags = (given(fields.get("Flags")) or "").split() or None
    if flags and _cut_off(flags):
        flags = None
    architecture = given(fields.get("Architecture"))
    cpu = Cpu(
        model=given(fields.get("Model name")),
        vendor=given(fields.get("Vendor ID")),
        architecture=architecture,
        sockets=count(fields.get("Socket(s)")),
        cores=_cores(fields),
        threads=count(fields.get("CPU(s)")),
        flags=flags,
    )
    system = System(architecture=architecture, virtual_machine=_hypervisor(fields, flags))
    nodes = _nodes(text)
    return Facts(
        cpu=ok(cpu),
        system=ok(system) if system != System() else Section(),
        topology=ok(Topology(numa_nodes=nodes)) if nodes else Section(),
    )


def _nodes(text: str) -> list[NumaNode]:
    """Memory nodes and their processors; those of a GPU's memory have none."""
    told = {int(number): cpus.strip() for number, cpus in groups(_NODE, text, "NUMA node", most=_MOST_NODES)}
    return [NumaNode(index=number, cpus=cpus) for number, cpus in sorted(told.items())]


def _wrapped(text: str) -> str | None:
    """The flags where they are broken over several lines.

    lscpu breaks them within words, at one width, below each other; blanks at the ends may be lost. What a terminal
    broke goes on at the left.
    """
    found = first(_BROKEN, text, "Flags:")
    if found is None:
        return None
    column = len(found[1])
    pieces = [found[2]]
    for line in islice(lines(text[found.end() + 1 : found.end() + _LONGEST_FLAGS]), _MOST_PIECES):
        if not line[:column].strip() and line[column:].strip():
            pieces.append(line[column:])
        elif _ONLY_FLAGS.fullmatch(line):
            pieces.append(f" {line}")
        else:
            break
    width = max(map(len, pieces[:-1]), default=0)
    return "".join(f"{piece:<{width}}" for piece in pieces) if width else None


def _cut_off(flags: list[str]) -> bool:
    """Whether the end of an x86 processor's flags is missing: all have lm behind the first 20, and fma needs avx."""
    return "fpu" in flags and (
        (len(flags) > _FLAGS_OF_ALL and "lm" not in flags) or ("fma" in flags and "avx" not in flags)
    )


def _cores(fields: dict[str, str]) -> int | None:
    for each, of in (("Core(s) per socket", "Socket(s)"), ("Core(s) per cluster", "Cluster(s)")):
        cores, number = count(fields.get(each)), count(fields.get(of))
        if cores and number:
            return cores * number
    return None


def _hypervisor(fields: dict[str, str], flags: list[str] | None) -> str | None:
    """In the words of systemd-detect-virt; an x86 processor without the flag "hypervisor" is on bare metal."""
    if vendor := given(fields.get("Hypervisor vendor")):
        return _HYPERVISORS.get(vendor.lower(), vendor.lower())
    if flags is None or "fpu" not in flags:
        return None
    return "vm-other" if "hypervisor" in flags else "none"


def _from_json(text: str) -> dict[str, str]:
    """What lscpu -J writes: a list of {"field", "data"}, which newer ones nest as "children"."""
    if '"lscpu"' not in text:
        return {}
    found: dict[str, str] = {}
    for document in documents(text):
        rows = document.get("lscpu") if isinstance(document, dict) else None
        rows = list(rows) if isinstance(rows, list) else []
        for row in rows:  # grows while it is walked
            if isinstance(row, dict):
                found.setdefault(str(row.get("field", "")).rstrip(":"), str(row.get("data", "")))
                rows += row["children"] if isinstance(row.get("children"), list) else []
    return found
