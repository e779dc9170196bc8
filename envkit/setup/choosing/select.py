"""Which profile suits a machine best, and in a line each why not the others. Pure.

A profile suits when the machine meets what it requires and the doctor finds nothing that would stop it. Of those that
suit, the best trains the most frameworks on the accelerator, then has the newest CUDA, then the most frameworks. The
CPU is chosen only where every kind of accelerator was looked for and none is there: never because one is broken, too
old, kept from this container, or could not be asked.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from envkit.checks._compat import driver_of
from envkit.checks._gpus import capability_of, usable
from envkit.checks._packages import listed
from envkit.facts import Facts
from envkit.findings import said
from envkit.formats import Style
from envkit.knowledge import Knowledge
from envkit.profile import Accelerator, Profile, Requires
from envkit.setup.choosing.assume import spoken
from envkit.setup.choosing.devices import (
    KINDS,
    NAMES,
    Judge,
    Presence,
    in_words,
    intel_cards,
    presence,
    trainable,
    unasked,
)
from envkit.versions import release, satisfies

_SYSTEMS = {"linux": "Linux", "darwin": "macOS", "windows": "Windows"}
_SAME = {"arm64": "aarch64", "amd64": "x86_64"}


@dataclass(frozen=True)
class Choice:
    """Which profile, and why not another.

    best: name of the one that suits best; "" where none may be chosen without asking. why: what speaks for it, or why
    there is none. others: every other profile, the better first, and why not that one. advice: what to do without one.
    """

    best: str
    why: str
    others: dict[str, str] = field(default_factory=dict)
    advice: str = ""


@dataclass(frozen=True)
class _Candidate:
    """A profile on this machine; able and unable: as `trainable` says; obstacle: why it does not suit, or ""."""

    name: str
    profile: Profile
    able: list[str]
    unable: list[str]
    obstacle: str

    @property
    def frameworks(self) -> list[str]:
        return [NAMES[framework] for framework in dict.fromkeys(run.framework for run in self.profile.smoke)]

    @property
    def merit(self) -> tuple[int, bool, tuple[int, ...], int]:
        """The greater the better."""
        cuda = release(self.profile.requires.cuda) or ()
        return len(self.able), not self.unable, cuda, len(self.frameworks)


def choose(
    facts: Facts, profiles: Mapping[str, Profile], judge: Judge, knowledge: Knowledge, *, python: str = ""
) -> Choice:
    """The best profile for a machine.

    Args:
        facts: of the machine, or as they would be there (`assume.assumed`).
        profiles: those to choose among, by name.
        judge: the doctor's report on these facts, of the machine alone, by a profile.
        knowledge: which release has code for which device.
        python: version of Python that is asked for, "3.12"; "" for any.
    """
    here = {kind: presence(kind, facts, judge) for kind in KINDS}
    candidates = []
    for name in sorted(profiles):
        able, unable = trainable(profiles[name], facts, knowledge)
        obstacle = (
            _obstacle(profiles[name], here, facts, knowledge, python)
            or ("" if able else next(iter(unable), ""))
            or _finding(profiles[name], judge)
        )
        candidates.append(_Candidate(name, profiles[name], able, unable, obstacle))
    candidates.sort(key=lambda c: c.merit, reverse=True)  # stable: of equals by name
    candidates.sort(key=lambda c: c.profile.wants_gpu and here[c.profile.requires.accelerator] == "absent")
    idle = _idle(here, facts)
    suiting = [c for c in candidates if not c.obstacle and (c.profile.wants_gpu or not idle)]
    if suiting:
        best = suiting[0]
        others = {c.name: c.obstacle or (_lesser(c, best) if c in suiting else idle) for c in candidates if c != best}
        return Choice(best.name, _praise(best, facts), others)
    others = {c.name: c.obstacle or idle for c in candidates}
    return Choice("", _failing(here, facts), others, _advice(candidates, here))


def render(choice: Choice, style: Style) -> str:
    """The profile that was chosen, or that none was, and a line for each other one."""
    if choice.best:
        head = f"{style.mark('pass')} {style.paint(f'Profile {choice.best}', 'bold')}: {choice.why}"
    else:
        head = f"{style.mark('fail')} {style.paint('No profile was chosen', 'bold')}: {choice.why}"
    wide = max(map(len, choice.others), default=0) + 3
    lines = [head]
    for name, why_not in choice.others.items():
        lines += textwrap.wrap(
            why_not,
            max(style.width, 40),
            initial_indent=f"  {name + ':':<{wide}}"[: wide + 2],
            subsequent_indent=" " * (wide + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"


def _obstacle(
    profile: Profile, here: Mapping[Accelerator, Presence], facts: Facts, knowledge: Knowledge, python: str
) -> str:
    """What the profile requires and this machine has not, the most decisive first; "" where it has it all."""
    needs, system = profile.requires, facts.system.facts
    if system and system.os and needs.os and system.os not in needs.os:
        return f"needs {' or '.join(_SYSTEMS[os] for os in needs.os)}, this is {_SYSTEMS.get(system.os, system.os)}"
    machine, built_for = _plain((system and system.architecture) or ""), [_plain(name) for name in needs.architecture]
    if machine and built_for and machine not in built_for:
        return f"needs {' or '.join(dict.fromkeys(built_for))}, this is {machine}"
    if needs.accelerator != "none" and here[needs.accelerator] == "absent":
        return f"needs {KINDS[needs.accelerator]}, there is none"
    if needs.accelerator != "none" and here[needs.accelerator] == "unknown":
        return f"needs {KINDS[needs.accelerator]}; {unasked(needs.accelerator, facts)}"
    if needs.accelerator == "nvidia" and (why := _nvidia(needs, facts, knowledge)):
        return why
    if system and needs.glibc and system.libc == "musl":
        return f"needs glibc {_spaced(needs.glibc)}, this system has musl"
    if system and needs.glibc and system.libc_version and satisfies(system.libc_version, needs.glibc) is False:
        return f"needs glibc {_spaced(needs.glibc)}, this is {system.libc_version}"
    if python and satisfies(python, needs.python) is False:
        return f"needs Python {_spaced(needs.python)}, {python} is asked for"
    return ""


def _nvidia(needs: Requires, facts: Facts, knowledge: Knowledge) -> str:
    """What NVIDIA's GPUs or their driver lack."""
    nvidia, system = facts.nvidia.facts, facts.system.facts
    for gpu in usable(nvidia):
        capability = capability_of(gpu, knowledge)
        if capability and satisfies(capability, needs.compute_capability) is False:
            whose = f"the {gpu.name}" if gpu.name else f"GPU {gpu.index}"
            return f"needs compute capability {_spaced(needs.compute_capability)}, {whose} has {capability}"
    driver = driver_of(nvidia, knowledge) if nvidia else None
    if driver is None or not driver.certain:
        return ""
    windows = bool(system and system.wsl)  # whose driver's version counts otherwise
    if driver.version and not windows and satisfies(driver.version, needs.driver) is False:
        return f"needs driver {_spaced(needs.driver)}, this is {spoken(driver.version)}"
    built, offered = release(needs.cuda), release(driver.cuda or "")
    if built and offered and offered[0] < built[0]:
        return f"needs a driver with CUDA {built[0]}, this one has {driver.cuda}"
    return ""


def _plain(architecture: str) -> str:
    return _SAME.get(architecture.lower(), architecture.lower())


def _spaced(specifiers: str) -> str:
    """With spaces: ">=3.10,<3.14" -> ">= 3.10, < 3.14"."""
    return re.sub(r"([<>=!~]+)\s*", r"\1 ", specifiers).replace(",", ", ")


def _finding(profile: Profile, judge: Judge) -> str:
    """What the doctor says would stop it, or keeps it from telling."""
    failing = (said(f) for f in judge(profile).findings if f.status in {"fail", "crash"} and not f.caused_by)
    return spoken(next(failing, "")).replace(f"profile {profile.name} ", "")


def _lesser(candidate: _Candidate, best: _Candidate) -> str:
    """In what a profile that suits is behind the best."""
    if len(candidate.able) < len(best.able):
        return f"trains only {listed(candidate.able) or 'on the CPU'} there, {best.name} {listed(best.able)}"
    if candidate.unable and not best.unable:
        return candidate.unable[0]
    if candidate.merit[2] != best.merit[2]:
        return f"has CUDA {candidate.profile.requires.cuda or 'unknown'}, {best.name} {best.profile.requires.cuda}"
    if len(candidate.frameworks) < len(best.frameworks):
        return f"trains {listed(candidate.frameworks) or 'nothing'}, {best.name} {listed(best.frameworks)}"
    return f"serves as well as {best.name}, which comes first by name"


def _praise(best: _Candidate, facts: Facts) -> str:
    kind, cuda = best.profile.requires.accelerator, best.profile.requires.cuda
    if kind == "none":
        return f"trains {listed(best.frameworks) or 'nothing that is named'} on the CPU; there is no accelerator"
    trains = f"trains {listed(best.able)} on" if best.able else "is for"
    return "; ".join([f"{trains} {in_words(kind, facts)}{f', CUDA {cuda}' if cuda else ''}", *best.unable])


def _devices(here: Mapping[Accelerator, Presence], facts: Facts) -> str:
    """The accelerators that are there, in words."""
    return listed(
        filter(None, [*(in_words(kind, facts) for kind in here if here[kind] == "present"), intel_cards(facts)])
    )


def _idle(here: Mapping[Accelerator, Presence], facts: Facts) -> str:
    """Why training on the CPU is not to be chosen here without asking; "" where it may be."""
    if devices := _devices(here, facts):
        return f"would leave {devices} idle"
    return next((unasked(kind, facts) for kind in here if here[kind] == "unknown"), "")


def _failing(here: Mapping[Accelerator, Presence], facts: Facts) -> str:
    """Why there is no best one."""
    devices = _devices(here, facts)
    return f"none can use {devices} as things are" if devices else _idle(here, facts) or "none suits this machine"


def _advice(candidates: list[_Candidate], here: Mapping[Accelerator, Presence]) -> str:
    """What to do without a best one."""
    there = [kind for kind in here if here[kind] == "present"] or [kind for kind in here if here[kind] == "unknown"]
    near = next((c for c in candidates if c.obstacle and c.profile.requires.accelerator in (there or ["none"])), None)
    cpu = next((c for c in candidates if not c.profile.wants_gpu and not c.obstacle), None)
    parts = [
        f"`envkit doctor --profile {near.name}` says what to do about it" if near else "",
        f"to train on the CPU all the same: envkit setup --profile {cpu.name}" if cpu else "",
    ]
    return "; ".join(filter(None, parts))
