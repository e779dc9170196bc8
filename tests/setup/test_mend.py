"""What safe remedies change: read from their commands, put together, refused where they go too far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envkit.checks import discover
from envkit.checks._packages import remove_bytecode
from envkit.doctor import examine
from envkit.facts import decode
from envkit.facts.software import Package, Python
from envkit.findings import Finding, Remedy, Report
from envkit.knowledge import load
from envkit.profile import Profile, Requires
from envkit.setup.mending import choose, mend
from envkit.setup.mending.mend import Changes
from envkit.setup.resolving.resolve import Package as Locked

MACHINES = sorted((Path(__file__).parents[1] / "machines").glob("*/facts.json"))
SITE = "/venv/lib/python3.11/site-packages"
PIP = ["uv", "pip", "install", "--python", "/venv/bin/python"]
UNINSTALL = ["uv", "pip", "uninstall", "--python", "/venv/bin/python"]
ANY = Profile()


def package(name: str, version: str | None = "1.0", **changes: Any) -> Package:
    return Package(**{"name": name, "version": version, "location": SITE, **changes})


def python(*packages: Package, **changes: Any) -> Python:
    sound = {"executable": "/venv/bin/python", "version": "3.11.7", "prefix": "/venv", "virtual_environment": True}
    return Python(**{**sound, "packages": list(packages), **changes})


def found(check: str, *commands: list[str], status: str = "fail", caused_by: str | None = None) -> Finding:
    remedy = Remedy(text="", commands=list(commands), safe=True) if commands else None
    return Finding(check=check, status=status, message=check, remedy=remedy, caused_by=caused_by)  # type: ignore[arg-type]


def report(*findings: Finding) -> Report:
    return Report(status="unhealthy", headline="", findings=list(findings))


@pytest.mark.parametrize(
    ("commands", "changes"),
    [
        ([[*PIP, "numpy<2", "jax==1"]], Changes(install=["numpy<2", "jax==1"])),
        ([[*PIP, "--reinstall", "numpy==2"]], Changes(install=["numpy==2"], anew=["numpy"])),
        (
            [[*PIP, "--torch-backend=cpu", "--reinstall-package", "torchvision", "torchvision==0.25"]],
            Changes(install=["torchvision==0.25"], anew=["torchvision"], torch_backend="cpu"),
        ),
        ([[*UNINSTALL, "pynvml"], [*PIP, "nvidia-ml-py"]], Changes(remove=["pynvml"], install=["nvidia-ml-py"])),
        ([[*UNINSTALL, "six"], [*UNINSTALL, "six"], [*PIP, "six==1"]], Changes(install=["six==1"], anew=["six"])),
        ([["rm", "-r", f"{SITE}/~orch"]], Changes(clear=[f"{SITE}/~orch"])),
        ([remove_bytecode("/venv")], Changes(bytecode=True)),
    ],
)
def test_a_remedy_s_commands_are_what_it_changes(commands: list[list[str]], changes: Changes) -> None:
    assert mend.read(commands, python()) == changes


@pytest.mark.parametrize(
    "commands",
    [
        [],
        [["sudo", "reboot"]],
        [[*PIP, "numpy"], ["unset", "LD_LIBRARY_PATH"]],
        [["uv", "pip", "install", "--python", "/other/bin/python", "numpy"]],
        [["uv", "pip", "install", "numpy"]],
        [[*PIP, "--target", "/tmp/x", "numpy"]],
        [[*PIP, "x @ https://host/x.whl"]],
        [[*UNINSTALL, "--yes", "numpy"]],
        [["rm", "-r", "/venv"]],
        [["rm", "-r", f"{SITE}/../../../../home"]],
        [["rm", "-r", "/venvs/other"]],
        [remove_bytecode("/")],
        [[*PIP, "--torch-backend=cpu", "torch"], [*PIP, "--torch-backend=cu128", "torchvision"]],
    ],
)
def test_nothing_else_is_done(commands: list[list[str]]) -> None:
    assert mend.read(commands, python()) is None


def test_a_pin_of_what_is_there_gives_way_to_what_moves_it() -> None:
    inspected = python(package("numpy", "2.2.6"))
    changes = Changes(install=["numpy==2.2.6", "numpy<2"], anew=["numpy"])
    assert mend.settled(changes, inspected).install == ["numpy<2"]
    assert mend.settled(Changes(install=["numpy==2.2.6"]), inspected).install == ["numpy==2.2.6"]


def test_everything_else_is_held_in_place_at_first_and_the_frameworks_to_the_end() -> None:
    inspected = python(
        package(
            "torch", "2.10.0", requires=["numpy>=1.26", "sympy>=1.13 ; python_version >= '3.9'", "x>1; extra == 'x'"]
        ),
        package("sympy", "1.14"),
        package("mine", direct=True),
        package("numpy", "2.2.6"),
    )
    best, middle, last = mend.constraints(Changes(install=["numpy<2"]), inspected)
    assert sorted(best) == ["numpy>=1.26", "sympy==1.14", "torch==2.10.0"]
    assert sorted(middle) == ["numpy>=1.26", "sympy>=1.13 ; python_version >= '3.9'", "torch==2.10.0"]
    assert sorted(last) == ["sympy==1.14", "torch==2.10.0"]


def test_the_plan_names_what_changes_and_nothing_that_stays() -> None:
    inspected = python(package("a"), package("b"), package("c"), package("d"), duplicates={"d": ["1.0", "2.0"]})
    locked = [
        Locked(name=name, version=v, size_bytes=9) for name, v in (("a", "1.0"), ("b", "2.0"), ("n", "3"), ("d", "2.0"))
    ]
    moves = mend.moves(Changes(anew=["a"], remove=["c", "absent"]), locked, inspected)
    assert [(m.name, m.before, m.after) for m in moves] == [
        ("a", "1.0", "1.0"),
        ("b", "1.0", "2.0"),
        ("n", "", "3"),
        ("d", "1.0 and 2.0", "2.0"),
        ("c", "1.0", ""),
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"conda": True}, "it is conda's"),
        ({"virtual_environment": False}, "it is no virtual environment"),
        ({"virtual_environment": False, "externally_managed": True}, "it belongs to the operating system"),
    ],
)
def test_only_virtual_environments_are_mended(changes: dict[str, Any], why: str) -> None:
    assert mend.untouchable(python(**changes)) == why


def test_packages_that_no_index_has_or_that_lie_elsewhere_are_out_of_reach() -> None:
    inspected = python(package("mine", direct=True), package("system", location="/usr/lib/python3/dist-packages"))
    assert mend.out_of_reach(Changes(install=["mine==1"]), inspected).startswith("mine is installed from a folder")
    assert mend.out_of_reach(Changes(remove=["system"]), inspected).startswith("system lies outside")
    assert mend.out_of_reach(Changes(install=["new"]), inspected) == ""


def test_safe_remedies_are_chosen_and_the_rest_is_left_with_the_reason() -> None:
    inspected = python(package("mine", direct=True))
    unsafe = Finding(check="d", status="fail", message="d", remedy=Remedy(text="", commands=[[*PIP, "torch"]]))
    choice = choose.choose(
        report(
            found("a", [*PIP, "numpy<2"]),
            found("b", [*PIP, "--reinstall", "mine==1"]),
            found("c"),
            unsafe,
            found("consequence", [*PIP, "numpy==1.26"], caused_by="a"),
            found("of-others", [*PIP, "scipy==1"], caused_by="a"),
        ),
        inspected,
        ANY,
    )
    assert [finding.check for finding in choice.mended] == ["a", "of-others"]
    assert choice.changes.install == ["numpy<2", "scipy==1"]
    assert [(finding.check, why[:4]) for finding, why in choice.left] == [("b", "mine"), ("c", ""), ("d", "")]


def test_what_a_profile_names_is_aligned_where_the_python_suits_it() -> None:
    setup = found("frameworks-missing", ["envkit", "setup", "--profile", "p", "--venv", "/venv"])
    profile = Profile(name="p", packages=["torch==2.10.0"], torch_backend="cpu", requires=Requires(python=">=3.10"))
    choice = choose.choose(report(setup), python(), profile)
    assert choice.changes == Changes(install=["torch==2.10.0"], torch_backend="cpu")
    assert not choose.choose(report(setup), python(version="3.9.2"), profile).mended
    assert not choose.choose(report(setup), python(), Profile(name="other")).mended


def test_a_copy_is_better_when_something_is_gone_and_nothing_new_is_there() -> None:
    before = report(found("a"), found("b", status="warn"))
    mended = [found("a"), found("b", status="warn")]
    assert choose.objection(before, report(found("b", status="warn")), mended) == ""
    assert choose.objection(before, before, mended) == "it did not help: a"
    assert choose.objection(before, report(found("b")), mended) == "it would bring another problem: b"
    new = report(found("b", status="warn"), found("c", status="warn"))
    assert choose.objection(before, new, mended) == "it would bring another problem: c"
    unread = report(Finding(check="python-unknown", status="unknown", message="no answer"))
    assert choose.objection(before, unread, mended) == "it would bring another problem: no answer"


@pytest.mark.parametrize("path", MACHINES, ids=[path.parent.name for path in MACHINES])
def test_every_remedy_that_says_it_is_safe_can_be_done(path: Path) -> None:
    facts = decode(path.read_text(), str(path))
    inspected = facts.python.facts
    for finding in examine(facts, ANY, load(), discover()).findings:
        if inspected and finding.remedy and finding.remedy.safe:
            assert mend.read(finding.remedy.commands, inspected), finding
