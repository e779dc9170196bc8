"""How well recorded outputs of real machines are read: `python -m benchmarks.recordings DIR`.

DIR holds a folder for each kind of recording and an INDEX.md of tables whose first column names a file and whose fifth
says what is right about it ("driver 535.54.03, CUDA 12.2, attached GPUs 8, 8x NVIDIA A40, ..."), with the faults that
are to be seen ("FAULT: ...", "Xid 119", "Pending=Yes") or that it is healthy. Exit status 1: a crash, a fact that was
not found, a fault that no finding names, or a failure of a healthy machine.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from envkit import knowledge
from envkit.checks import discover
from envkit.doctor import examine
from envkit.errors import InputError
from envkit.facts import Facts
from envkit.findings import Finding
from envkit.profile import Profile
from envkit.readers import read_all

ARCHIVES = (".tar", ".zip", ".gz", ".bz2", ".xz", ".tgz", ".ttar")
NOTHING = {"none", "not found"}
HEALTHY = re.compile(r"\bhealthy\b|[Nn]o (?:GPU )?fault(?: shown)?\b|\ball ok\b")
FAULTS = {  # words of the index, and the checks of which one has to fire
    r"\bXid (?:13|43|94)\b": ("xid-application-fault",),
    r"\bXid (?:48|63|79|95|119|120)\b": ("xid-hardware-fault",),
    r"non-fatal(?: error)? \d": ("nvswitch-fault",),
    r"Remapped Rows Pending=Yes": ("row-remap-pending",),
    r"infoROM is corrupted": ("inforom-corrupted",),
    r"reads ERR!": ("gpu-fields-in-error", "gpu-unreadable"),
    r"HW (?:POWER BRAKE|power brake|Slowdown)": ("gpu-throttled",),
    r"real downgrade|PCIe below its maximum while active": ("pcie-width-reduced", "pcie-generation-reduced"),
    r"CRC Data Error [1-9]": ("nvlink-errors",),
    r"Mode Warn\b": ("dcgm-diagnostic-failed",),
    r"file-max limit": ("file-handles-exhausted",),
    r"kernel oops": ("kernel-oops",),
    r"nvidia_uvm is NOT loaded": ("nvidia-uvm-not-loaded",),
    r"libtpu N/A": ("libtpu-unusable",),
    r"nearly full": ("gpu-memory-held",),
    r"segfault": ("gpu-library-crashed",),
    r"peermem": ("peermem-errors",),
}


@dataclass
class Recording:
    """One file: what reads it, and each fact that INDEX.md states, found or not."""

    path: Path
    outcome: str
    seconds: float = 0.0
    sources: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    healthy: bool = False
    failures: list[str] = field(default_factory=list)


def expectations(index: str) -> dict[str, str]:
    """File name to the words of its row, evidence left out."""
    rows = (line.strip().strip("|").split(" | ") for line in index.split("\n") if line.startswith("| `"))
    return {cells[0].strip(" `"): cells[4] for cells in rows if len(cells) >= 5}


def stated(words: str) -> Iterator[tuple[str, str]]:
    """The facts of a row that can be compared: ("driver", "535.54.03"), ("gpus", "8"), ..."""
    for name, pattern in {
        "driver": r"(?:^|; |, )driver (\S+?)[;,]",
        "cuda": r"\bCUDA ((?:\d+\.\d+)|None|Not Found)\b",
        "first GPU": r"\b(?:GPU0 |\d+x )((?:NVIDIA|GeForce|Quadro|Tesla|A100)[^,=]*?)(?: id=|, \d+ MiB)",
        "memory MiB": r"(?:mem=|, |\" )(\d+) MiB",
        "on PCI": r"\b(\d+x (?:\w+ )?\[10de:[0-9a-f]{4}\])",
        "messages of code": r"\b(?:Xid|non-fatal(?: error)?) (\d+)",
    }.items():
        if found := re.search(pattern, words):
            yield name, re.sub(r" .*(?=\[)", " ", found[1].strip())
    for pattern in (r"<gpu> elements (\d+)", r"GPU sections present (\d+)", r"^.*?; (\d+)x NVIDIA", r"\b(\d+) GPUs?\b"):
        if words.startswith(("driver ", "linux ", "windows ", "4 GPUs")) and (found := re.search(pattern, words)):
            yield "gpus", found[1]
            break


def known(facts: Facts) -> dict[str, set[str]]:
    """The same facts as they were read."""
    nvidia, amd, log = facts.nvidia.facts, facts.amd.facts, facts.kernel_log.facts
    gpus = nvidia.gpus or [] if nvidia else []
    on_pci = Counter(device.device_id for device in (nvidia.pci_devices or [] if nvidia else []))
    return {
        "driver": {(nvidia and nvidia.driver_version) or (amd and amd.driver_version) or "none"},
        "cuda": {(nvidia and nvidia.cuda_driver_version) or "none"},
        "gpus": {str(len(gpus))},
        "on PCI": {f"{count}x [10de:{device}]" for device, count in on_pci.items()},
        "first GPU": {gpu.name or "" for gpu in gpus[:1]},
        "memory MiB": {str((gpu.memory_total_bytes or 0) >> 20) for gpu in gpus},
        "messages of code": {str(message.code) for message in (log.messages if log else [])},
    }


def same(name: str, value: str, read: set[str]) -> bool:
    """Whether a stated value was read; tables cut long names."""
    if value.lower() in NOTHING:
        return "none" in read
    names = {one.removesuffix("...").strip() for one in read}
    return value in read or (name == "first GPU" and any(one and value.startswith(one) for one in names))


def faults(words: str) -> list[tuple[str, ...]]:
    """For each fault that the words tell of, the checks that name it; none of what they say is NOT visible."""
    if "NOT visible" in words:
        return []
    return [checks for pattern, checks in FAULTS.items() if re.search(pattern, words)]


def is_healthy(words: str) -> bool:
    return bool(HEALTHY.search(words)) and not faults(words) and "FAULT:" not in words


def findings(facts: Facts) -> list[Finding]:
    """What `envkit doctor --from` finds, without a profile."""
    report = examine(facts, Profile(), knowledge.load(), discover())
    return [finding for finding in report.findings if finding.status in {"warn", "fail", "crash"}]


def judge(path: Path, words: str) -> Recording:
    """Read one file and compare."""
    if path.name.endswith(ARCHIVES):
        return Recording(path, "skipped: an archive, not a text")
    started = time.perf_counter()
    try:
        facts = read_all(path.read_bytes(), path.name)
    except InputError:
        return Recording(path, "not recognised", time.perf_counter() - started)
    except Exception as error:  # noqa: BLE001 - a crash is what this looks for
        return Recording(path, f"CRASH {type(error).__name__}: {error}", time.perf_counter() - started)
    recording = Recording(path, "read", time.perf_counter() - started, facts.sources)
    read = known(facts)
    for name, value in stated(words):
        (recording.found if same(name, value, read[name]) else recording.missed).append(f"{name} {value}")
    seen = findings(facts)
    fired = {finding.check for finding in seen}
    for checks in faults(words):
        (recording.named if fired.intersection(checks) else recording.unnamed).append(checks[0])
    recording.healthy = is_healthy(words)
    recording.failures = [f"{finding.check}: {finding.message}" for finding in seen if finding.status != "warn"]
    return recording


def main(folder: Path) -> int:
    """Print a line for each file and the score."""
    index = expectations((folder / "INDEX.md").read_text(encoding="utf-8"))
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "INDEX.md")
    recordings = [judge(path, index.get(path.name, "")) for path in paths]
    for one in recordings:
        missed = f"; MISSED {', '.join(one.missed)}" if one.missed else ""
        missed += f"; FAULTS NOT NAMED {', '.join(one.unnamed)}" if one.unnamed else ""
        missed += f"; HEALTHY, BUT {'; '.join(one.failures)}" if one.healthy and one.failures else ""
        facts = f"{len(one.found)} of {len(one.found) + len(one.missed)} facts" if one.found or one.missed else ""
        read_by = ", ".join(one.sources)
        print(f"{one.path.relative_to(folder)}: {one.outcome} {read_by} {facts} {one.seconds:.3f} s{missed}")
    texts = [one for one in recordings if not one.outcome.startswith("skipped")]
    crashes = sum(one.outcome.startswith("CRASH") for one in texts)
    found, missed_facts = sum(len(one.found) for one in texts), sum(len(one.missed) for one in texts)
    print(
        f"\n{sum(one.outcome == 'read' for one in texts)} of {len(texts)} texts recognised, {crashes} crashes, "
        f"{found} of {found + missed_facts} facts found; {len(recordings) - len(texts)} archives skipped"
    )
    named, unnamed = sum(len(one.named) for one in texts), sum(len(one.unnamed) for one in texts)
    healthy = [one for one in texts if one.healthy]
    spurious = sum(bool(one.failures) for one in healthy)
    print(
        f"{named} of {named + unnamed} faults named by a finding, "
        f"{len(healthy) - spurious} of {len(healthy)} healthy machines without a failure"
    )
    return int(bool(crashes or missed_facts or unnamed or spurious))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
