"""Judge where a container starts: what its image deferred, and nothing that was judged when it was built. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import replace

from envkit.checks import Check
from envkit.doctor import examine
from envkit.errors import InputError
from envkit.facts import Facts, Section, absent
from envkit.findings import Finding, Report, Status
from envkit.knowledge import Knowledge
from envkit.phases.deferred import AGAIN, Deferred
from envkit.phases.sections import DEEP, chosen, of_the_image, of_the_start, others
from envkit.profile import Profile

_WORST: tuple[Status, ...] = ("crash", "fail", "warn", "unknown", "pass", "skip")


def with_image(
    facts: Facts, image: Mapping[str, Section[Any]], variables: Mapping[str, str], assumptions: Mapping[str, str]
) -> Facts:
    """What was observed at the start, and the image's facts as its build left them.

    Args:
        facts: of the machine and the container.
        image: sections of the image.
        variables: the environment variables of now.
        assumptions: what was assumed of the machine when the image was judged.
    """
    facts = replace(facts, **image)
    python = facts.python.facts
    if python is not None:
        facts = replace(facts, python=replace(facts.python, facts=replace(python, environment=dict(variables))))
    return assuming(facts, assumptions)


def assuming(facts: Facts, assumptions: Mapping[str, str]) -> Facts:
    """The facts, with what was assumed at build as what `environment-assumption-not-met` compares the machine with."""
    python = facts.python.facts
    if python is None or python.setup is None:
        return facts
    setup = replace(python.setup, assumptions=dict(assumptions))
    return replace(facts, python=replace(facts.python, facts=replace(python, setup=setup)))


def judge_deferred(
    facts: Facts, deferred: Deferred, knowledge: Knowledge, checks: Mapping[str, Check], ignore: Collection[str] = ()
) -> Report:
    """Judge exactly what was deferred.

    Raises:
        InputError: the file names checks that this envkit does not have, or too little of what they need.
    """
    if gone := [name for name in deferred.checks if name not in checks]:
        raise InputError(
            f"the image was judged by envkit {deferred.envkit}, which has checks that this one does not: "
            f"{', '.join(gone[:3])}",
            hint=AGAIN,
        )
    needed = {name for check in deferred.checks for name in checks[check].needs} & set(of_the_start())
    if unasked := sorted(needed - {*deferred.sections, *others(deferred.profile)}):
        raise InputError(
            f"the image was judged by envkit {deferred.envkit}, and checks of this one need more of the machine: "
            f"{', '.join(unasked[:3])}",
            hint=AGAIN,
        )
    if not deferred.checks:
        raise InputError("nothing was deferred when the image was built", hint=AGAIN)
    return examine_start(facts, deferred.profile, knowledge, checks, names=deferred.checks, ignore=ignore)


def judge_start(
    facts: Facts, profile: Profile, knowledge: Knowledge, checks: Mapping[str, Check], ignore: Collection[str] = ()
) -> Report:
    """Judge all that needs no look into packages: what an image can be asked of which nothing was deferred."""
    image = set(of_the_image())
    names = [
        check.id
        for check in chosen(checks.values(), profile, ignore)
        if not image & set(check.needs) and not any(name.endswith(DEEP) for name in check.needs)
    ]
    return examine_start(facts, profile, knowledge, checks, names=names, ignore=ignore)


def examine_start(
    facts: Facts,
    profile: Profile,
    knowledge: Knowledge,
    checks: Mapping[str, Check],
    *,
    names: Collection[str],
    ignore: Collection[str] = (),
) -> Report:
    """Judge by these checks; accelerators that the profile does not ask for were not looked for."""
    why = absent(f"profile {profile.name} does not ask for one")
    facts = replace(facts, **dict.fromkeys(others(profile), why))
    report = examine(facts, profile, knowledge, checks, select=names, ignore=ignore)
    if profile.wants_gpu or not profile.name:
        return report
    return replace(report, summary={area: line for area, line in report.summary.items() if area != "accelerators"})


def tally(findings: Collection[Finding], names: Collection[str]) -> str:
    """What became of checks: "120 passed, 1 warned, 22 not applicable"."""
    worst: dict[str, Status] = {}
    for finding in findings:
        if finding.check in names:
            so_far = worst.get(finding.check, "skip")
            worst[finding.check] = min(so_far, finding.status, key=_WORST.index)
    words = {"pass": "passed", "fail": "failed", "warn": "warned", "unknown": "unknown", "crash": "crashed"}
    told = [(sum(s == status for s in worst.values()), word) for status, word in words.items()]
    skipped = sum(status == "skip" for status in worst.values())
    parts = [f"{number} {word}" for number, word in told if number]
    return ", ".join([*parts, *([f"{skipped} not applicable or not asked"] if skipped else [])])
