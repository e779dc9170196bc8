"""What differs between two machines, and in which order it is told."""

from __future__ import annotations

from pathlib import Path

import msgspec

from envkit.checks import discover
from envkit.doctor import examine
from envkit.drift import Comparison, Difference, compare, problems_of_one
from envkit.drift.show import render
from envkit.facts import Facts, decode, ok
from envkit.facts.software import Package, Python
from envkit.formats import Style
from envkit.knowledge import load
from envkit.profile import Profile

MACHINES = Path(__file__).parents[1] / "machines"


def machine(name: str) -> Facts:
    return decode((MACHINES / name / "facts.json").read_text(), name)


def test_a_machine_does_not_differ_from_itself() -> None:
    for path in MACHINES.iterdir():
        assert compare(machine(path.name), machine(path.name)) == []


def test_what_changes_by_the_minute_is_no_difference() -> None:
    facts = machine("h100x8")
    nvidia = facts.nvidia.facts
    assert nvidia is not None
    assert nvidia.gpus is not None
    warm = [msgspec.structs.replace(gpu, temperature_celsius=70, memory_used_bytes=1, uuid="x") for gpu in nvidia.gpus]
    later = msgspec.structs.replace(
        facts, taken_at="later", nvidia=ok(msgspec.structs.replace(nvidia, gpus=warm), seconds=3.0)
    )
    assert compare(facts, later) == []


def test_who_holds_a_tpu_and_how_warm_an_amd_gpu_is_is_no_difference() -> None:
    held, warm = machine("tpu-v5e-held-by-another-user"), machine("mi300x8")
    assert held.tpu.facts is not None
    assert warm.amd.facts is not None
    free = msgspec.structs.replace(held.tpu.facts, holders=[], lockfile_present=False, lockfile_usable=None)
    gpus = [msgspec.structs.replace(g, temperature_celsius=90, pcie_generation=1) for g in warm.amd.facts.gpus or []]
    assert compare(held, msgspec.structs.replace(held, tpu=ok(free))) == []
    assert (
        compare(warm, msgspec.structs.replace(warm, amd=ok(msgspec.structs.replace(warm.amd.facts, gpus=gpus)))) == []
    )


def test_the_driver_comes_before_a_package_and_that_before_the_rest() -> None:
    left = machine("h100x8")
    nvidia, python = left.nvidia.facts, left.python.facts
    assert nvidia is not None
    assert python is not None
    packages = [msgspec.structs.replace(p, version="1.26.4") if p.name == "numpy" else p for p in python.packages] + [
        Package(name="zipp", version="3")
    ]
    right = msgspec.structs.replace(
        left,
        nvidia=ok(msgspec.structs.replace(nvidia, driver_version="535.1")),
        python=ok(msgspec.structs.replace(python, packages=packages)),
    )
    assert [(d.fact, d.left, d.right) for d in compare(left, right)] == [
        ("nvidia.driver_version", "570.172.08", "535.1"),
        ("python.packages.numpy", "2.2.6", "1.26.4"),
        ("python.packages.zipp", None, "3"),
    ]


def test_a_section_that_is_missing_is_one_difference_and_one_not_asked_is_none() -> None:
    differences = compare(machine("cpu-server"), machine("h100x8"))
    assert [d.fact for d in differences if d.fact.startswith("nvidia")] == ["nvidia"]
    assert compare(machine("h100x8"), Facts()) == []


def test_problems_of_one_machine_alone_come_first() -> None:
    reports = [examine(machine(n), Profile(), load(), discover()) for n in ("h100x8", "h100x8-one-gpu-lost")]
    assert problems_of_one(*reports) == []
    (problem,) = problems_of_one(*reversed(reports))
    assert problem.endswith("[gpu-lost]")
    text = render(
        Comparison(
            left="a",
            right="b",
            right_only=[problem],
            differences=[Difference(fact="x", left=None, right=[1, 2, 3, 4, 5], weight=1)],
        ),
        Style(width=80),
    )
    assert text.startswith("✗ only b: ")
    assert "  a: -\n  b: 1, 2, 3 and 2 more\n" in text


def test_duplicates_of_the_same_version_are_told_apart_from_none() -> None:
    left = Facts(python=ok(Python(executable="p", version="3.11.1", duplicates={"numpy": ["1", "2"]})))
    right = Facts(python=ok(Python(executable="p", version="3.11.1")))
    assert [d.fact for d in compare(left, right)] == ["python.duplicates.numpy"]
