"""What is said at build and at start together is what doctor says at once, of every machine of tests/machines."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts, absent, ok, unknown
from envkit.findings import Report
from envkit.knowledge import Knowledge
from envkit.phases.build import HELD, holding
from envkit.phases.deferred import Deferred
from envkit.phases.sections import chosen, of_the_image, of_the_start, others
from envkit.profile import Profile, load

EXPECTED = sorted((Path(__file__).parents[1] / "machines").glob("*/*.txt"))
IDS = [f"{path.parent.name}-{path.stem}" for path in EXPECTED]
KNOWLEDGE, CHECKS = Knowledge(), discover()

Machine = Callable[[str], Facts]
Build = Callable[..., tuple[Report, Deferred]]
Start = Callable[[Facts, Deferred], Report]

VARIABLES = {
    "CUDA_VISIBLE_DEVICES": ("", "0", "0,1", "-1", "GPU-x", "MIG-1"),
    "HIP_VISIBLE_DEVICES": ("", "0"),
    "HSA_OVERRIDE_GFX_VERSION": ("10.3.0",),
    "JAX_PLATFORMS": ("cpu", "cuda"),
    "KERAS_BACKEND": ("torch",),
    "LD_PRELOAD": ("x.so",),
    "NCCL_P2P_DISABLE": ("1",),
    "NVIDIA_VISIBLE_DEVICES": ("void", "all"),
    "OMP_NUM_THREADS": ("1", "256"),
    "XLA_PYTHON_CLIENT_MEM_FRACTION": ("2", ".9"),
}


def profile_of(path: Path) -> Profile:
    return Profile() if path.stem == "no-profile" else load(path.stem)


def troubles(report: Report) -> set[tuple[str, str, str, str]]:
    """What is wrong; that other packages than the profile's count as more where an image is built is no difference."""
    wrong = {"fail", "warn", "crash"}
    return {
        (f.check, "" if f.check in HELD else f.status, f.subject, f.message)
        for f in report.findings
        if f.status in wrong
    }


@pytest.mark.parametrize("path", EXPECTED, ids=IDS)
def test_both_phases_say_what_doctor_says_at_once(path: Path, machine: Machine, built: Build, started: Start) -> None:
    facts, profile = machine(path.parent.name), profile_of(path)
    report, left = built(facts, profile)
    together = troubles(report) | troubles(started(facts, left))
    assert together == troubles(examine(facts, profile, KNOWLEDGE, CHECKS))


@pytest.mark.parametrize("seed", range(60))
def test_so_they_do_of_one_machine_s_image_on_another_s_devices(
    seed: int, machine: Machine, built: Build, started: Start
) -> None:
    chance = random.Random(seed)
    names = sorted({path.parent.name for path in EXPECTED})
    of_image, devices = machine(chance.choice(names)), machine(chance.choice(names))
    profile = load(name) if (name := chance.choice(["", "cpu", "cuda12", "cuda13", "rocm", "tpu"])) else Profile()
    facts = replace(devices, **{name: getattr(of_image, name) for name in of_the_image()})
    if facts.python.facts is None:
        pytest.skip("a machine without a Python has no image")
    variables = {name: chance.choice(values) for name, values in VARIABLES.items() if chance.random() < 0.3}
    facts = replace(facts, python=ok(replace(facts.python.facts, environment=variables)))
    broken = {name: chance.choice([unknown("no answer"), absent("none")]) for name in chance.sample(of_the_start(), 3)}
    facts = replace(facts, **{**broken, **dict.fromkeys(others(profile), absent("not asked for"))})
    report, left = built(facts, profile)
    together = troubles(report) | troubles(started(facts, left))
    assert together == troubles(examine(facts, holding(profile), KNOWLEDGE, CHECKS))


@pytest.mark.parametrize("path", EXPECTED, ids=IDS)
def test_what_passed_at_build_is_not_judged_again(path: Path, machine: Machine, built: Build) -> None:
    report, left = built(machine(path.parent.name), profile_of(path))
    waiting = {f.check for f in report.findings if f.message.startswith("waits for the start")}
    assert waiting <= set(left.checks)
    assert not {f.check for f in report.findings if f.status == "pass"} & set(left.checks)


@pytest.mark.parametrize("path", EXPECTED, ids=IDS)
def test_checks_of_accelerators_that_a_profile_does_not_ask_for_find_nothing(path: Path, machine: Machine) -> None:
    facts, profile = machine(path.parent.name), profile_of(path)
    left_out = set(CHECKS) - {check.id for check in chosen(CHECKS.values(), profile, ())}
    assert not {found for found in troubles(examine(facts, profile, KNOWLEDGE, CHECKS)) if found[0] in left_out}
