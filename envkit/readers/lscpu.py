"""lscpu, its JSON included, and the part "CPU" of collect_env, which is lscpu's output."""

from __future__ import annotations

from envkit.facts import Facts, Section, ok
from envkit.facts.machine import Cpu, System
from envkit.readers._fields import count, documents, given, labelled

NAME = "lscpu"

_LABELS = (
    *("Architecture", "CPU(s)", "On-line CPU(s) list", "Thread(s) per core", "Core(s) per socket", "Socket(s)"),
    *("Core(s) per cluster", "Cluster(s)", "Vendor ID", "Model name", "Hypervisor vendor", "Flags"),
)
_OWN = ("Core(s) per socket", "Core(s) per cluster", "Thread(s) per core", "On-line CPU(s) list", "Model name")
_HYPERVISORS = {"windows subsystem for linux": "microsoft", "microsoft": "microsoft", "kvm": "kvm", "oracle": "oracle"}


def read(text: str) -> Facts | None:
    """Processors, the machine's architecture and its hypervisor."""
    if not any(label in text for label in _OWN):
        return None
    fields = _from_json(text) or labelled(text, *_LABELS)
    if len(set(fields) & {*_OWN, "CPU(s)"}) < 2:
        return None
    flags = (given(fields.get("Flags")) or "").split() or None
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
    return Facts(cpu=ok(cpu), system=ok(system) if system != System() else Section())


def _cores(fields: dict[str, str]) -> int | None:
    for each, groups in (("Core(s) per socket", "Socket(s)"), ("Core(s) per cluster", "Cluster(s)")):
        cores, number = count(fields.get(each)), count(fields.get(groups))
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
