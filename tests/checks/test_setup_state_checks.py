"""The check of what was changed by hand since envkit set an environment up."""

from __future__ import annotations

from typing import Any

import pytest

from envkit import knowledge
from envkit.checks import discover
from envkit.checks.setup_state import environment_changed_by_hand
from envkit.doctor import examine
from envkit.facts import Facts, ok
from envkit.facts.software import Package, Python, SetUp
from envkit.findings import Finding
from envkit.profile import Profile

MADE = SetUp(
    profile="cuda12",
    left_out=["tensorflow"],
    made_at="2026-11-20T08:00:00+00:00",
    verdict="proved",
    packages={"numpy": "2.2.6", "torch": "2.10.0+cu128", "sympy": "1.14.0"},
)


def package(name: str, version: str, location: str = "/venv/lib/python3.11/site-packages") -> Package:
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    return Package(name=name, version=version, location=location, metadata=folder)


NUMPY, TORCH, SYMPY = (package(name, version) for name, version in MADE.packages.items())


def python(*packages: Package, **changes: Any) -> Python:
    known: dict[str, Any] = {
        "executable": "/venv/bin/python",
        "version": "3.11.7",
        "prefix": "/venv",
        "virtual_environment": True,
        "setup": MADE,
    }
    return Python(**known | changes, packages=list(packages))


def judge(inspected: Python) -> list[Finding]:
    return list(environment_changed_by_hand(inspected, Profile()))


def test_environment_changed_by_hand_fires_on_another_version_a_missing_and_a_new_package() -> None:
    (finding,) = judge(python(package("numpy", "2.3.0"), TORCH, package("foo", "1.0")))
    assert finding.status == "warn"
    assert finding.message == (
        "installed by envkit with profile cuda12 on 2026-11-20, since changed by hand: "
        "numpy 2.2.6 → 2.3.0, - sympy and + foo 1.0"
    )
    assert finding.remedy
    assert finding.remedy.commands[0][:4] == ["envkit", "setup", "--profile", "cuda12"]
    assert not finding.remedy.safe


@pytest.mark.parametrize(
    ("extra", "message"), [([], "and not changed since"), ([package("foo", "1.0")], "since added by hand: + foo 1.0")]
)
def test_environment_changed_by_hand_near_miss_whatever_was_added(extra: list[Package], message: str) -> None:
    (finding,) = judge(python(NUMPY, TORCH, SYMPY, *extra))
    assert (finding.status, finding.message) == (
        "pass",
        f"installed by envkit with profile cuda12 on 2026-11-20, {message}",
    )


def test_a_version_that_its_metadata_writes_otherwise_is_no_change() -> None:
    odd = Package(name="sympy", version="1.14", location=SYMPY.location, metadata="sympy-1.14.0.dist-info")
    assert [f.status for f in judge(python(NUMPY, TORCH, odd))] == ["pass"]


def test_a_package_of_the_user_s_own_folder_replaces_none() -> None:
    elsewhere = package("numpy", "1.26.4", "/home/me/.local/lib/python3.11/site-packages")
    assert [f.status for f in judge(python(elsewhere, NUMPY, TORCH, SYMPY))] == ["pass"]


def test_nothing_is_said_where_envkit_did_not_build_or_not_all_is_known() -> None:
    assert judge(python(setup=None)) == []
    assert judge(python(packages_complete=False)) == []


def test_what_the_profile_misses_is_said_once_and_explains_it() -> None:
    profile = Profile(name="cuda12", packages=["numpy==2.2.6", "torch==2.10.0", "sympy==1.14.0"])
    facts = Facts(python=ok(python(package("numpy", "2.3.0"), TORCH, SYMPY)))
    report = examine(facts, profile, knowledge.load(), discover(), select=["profile"])
    causes = {f.check: f.caused_by for f in report.findings if f.status == "warn"}
    assert causes == {"profile-packages-differ": None, "environment-changed-by-hand": "profile-packages-differ"}
