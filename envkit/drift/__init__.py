"""What differs between two machines that matters, the likeliest causes first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from envkit.facts import SECTIONS, Facts
from envkit.findings import Report

SCHEMA = "envkit.diff/1"

# What changes from minute to minute says nothing about why one machine works and the other does not.
_VOLATILE = re.compile(
    r"(used|free|available)_bytes$|_celsius$|_watts$|clock_\w+_megahertz$|utilization|processes|oom_kills"
    r"|committed_bytes|high_left_bytes|tasks$|zombies$|file_handles$"
    r"|seconds$|inodes_free|throttle_reasons|fan_percent|performance_state|pcie_replays|(pcie|link)_generation$|unreadable"
    r"|link_downs|link_recoveries|symbol_errors|receive_errors|\.interfaces$|holders|lockfile|xgmi_peers|\.hive$|suspended$|unanswered$"
    r"|(^|\.)(uuid|pci_address|address|path|mount_point|location|executable|prefix|base_prefix|found_by|evidence)$"
    r"|site_packages|started_with_noise|\.requires|\.tags|\.files_missing$|installer$|kernel_log|code_(runs_on|by_cuda)"
)
# The first pattern that fits says how much a difference matters; the rest matters least.
_WEIGHTS: tuple[tuple[int, str], ...] = (
    (100, r"^(nvidia|amd|tpu|intel|apple)$"),
    (97, r"^nvidia\.(gpus|driver_version|cuda_driver_version|nvml\.)|^(amd|tpu|intel|apple)\b"),
    (95, r"^(torch|tensorflow|jax)(_deep)?\.(version|cuda|hip|xpu|cuda_build|imported|error|cuda_available|arch_list)"),
    (90, r"^(torch|tensorflow|jax|python)$"),
    (85, r"^python\.(duplicates|collisions|shadowed)|files_missing_count"),
    (80, r"^python\.packages\.(nvidia-|torch|tensorflow|jax|keras|numpy|protobuf|triton|ml-dtypes)"),
    (75, r"^python\.(version|implementation|free_threaded|bits)"),
    (70, r"^python\.environment\."),
    (65, r"^container(_engine)?\b|^allocation\b|^nvidia\.(device_nodes|module|uvm|libcuda)"),
    (60, r"^memory\.(cgroup_limit|shm_total|memory_total)|^cpu\.(cgroup_quota|affinity|flags)|^limits\."),
    (55, r"^system\.(libc|architecture|wsl|os)"),
    (50, r"^disk\.|^cpu\.|^topology\.|^network\.|^memory_policy\.|^torch|^tensorflow|^jax"),
    (30, r"^python\.packages\."),
)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that is not the same. None: unknown, or not there."""

    fact: str
    """"nvidia.driver_version", "python.packages.numpy"."""
    left: Any
    right: Any
    weight: int
    """0 to 100: how likely such a difference makes training fail on one of them."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two machines side by side."""

    schema: str = SCHEMA
    left: str
    right: str
    """What they are called."""
    left_only: list[str] = []
    """Messages of problems that only the left one has."""
    right_only: list[str] = []
    differences: list[Difference] = []


def compare(left: Facts, right: Facts) -> list[Difference]:
    """The facts that differ, those that matter most first; what changes from minute to minute is left out."""
    here, there = dict(_flat(left)), dict(_flat(right))
    found = []
    for fact in dict.fromkeys([*here, *there]):
        a, b = here.get(fact), there.get(fact)
        if a != b and not _covered(fact, here, there):
            found.append(Difference(fact=fact, left=a, right=b, weight=_weight(fact)))
    return sorted(found, key=lambda difference: (-difference.weight, difference.fact))


def problems_of_one(one: Report, other: Report) -> list[str]:
    """Messages of the primary problems that only the first of two reports has."""
    theirs = {(f.check, f.subject) for f in other.findings if f.status in {"fail", "warn"}}
    return [
        f"{f.message} [{f.check}]"
        for f in one.findings
        if f.status in {"fail", "warn"} and not f.caused_by and (f.check, f.subject) not in theirs
    ]


def _flat(facts: Facts) -> Iterator[tuple[str, Any]]:
    """Every stable fact by its path; a section that is not there stands for itself."""
    for name in SECTIONS:
        section = getattr(facts, name)
        if section.outcome == "unknown":
            continue  # not asked, or no answer: no difference can be told
        yield name, section.outcome
        if section.facts is not None:
            yield from _leaves(name, msgspec.to_builtins(section.facts))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if _VOLATILE.search(path):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}", item)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            name = item.get("name") if path.endswith(".packages") else item.get("purpose") or item.get("index", number)
            if path.endswith(".packages"):
                yield f"{path}.{name}", item.get("version")
                yield from _leaves(f"{path}.{name}.files_missing_count", item.get("files_missing_count") or None)
            else:
                yield from _leaves(f"{path}.{name}", item)
    elif value not in (None, [], {}):
        yield path, value


def _covered(fact: str, here: dict[str, Any], there: dict[str, Any]) -> bool:
    """Whether nothing can be said of this fact (a section is unknown), or the lack of its section says it already."""
    section = fact.partition(".")[0]
    if section not in here or section not in there:
        return True
    return fact != section and here[section] != there[section]


def _weight(fact: str) -> int:
    return next((weight for weight, pattern in _WEIGHTS if re.search(pattern, fact)), 10)
