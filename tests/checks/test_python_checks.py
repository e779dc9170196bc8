"""Checks of the interpreter and its surroundings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import interpreter
from envkit.facts import Facts, ok
from envkit.facts.software import Package, Python, Torch
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

ANY, NO_FACTS, KNOWLEDGE = Profile(), Facts(), Knowledge()
STRICT = Profile(name="p", requires=Requires(python=">=3.10,<3.14"), packages=["tensorflow==2.20.0"])
TORCH = Package(name="torch", version="2.13.0", requires_python=">=3.10")


def python(version: str = "3.11.7", **changes: Any) -> Python:
    return Python(**{"executable": "/venv/bin/python", "version": version, "virtual_environment": True, **changes})


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


@pytest.mark.parametrize(
    ("inspected", "profile", "status"),
    [
        (python("3.14.0"), STRICT, "fail"),
        (python("3.9.2", packages=[TORCH]), ANY, "fail"),
        (python("3.8.10"), ANY, "fail"),
        (python("3.99.0"), ANY, "unknown"),  # newer than the tables
    ],
)
def test_python_unsupported_fires(inspected: Python, profile: Profile, status: str) -> None:
    assert one(interpreter.python_unsupported(inspected, profile, KNOWLEDGE)).status == status


def test_python_unsupported_fires_with_a_version_that_suits() -> None:
    remedy = one(interpreter.python_unsupported(python("3.8.10"), ANY, KNOWLEDGE)).remedy
    assert remedy is not None
    assert remedy.commands[0][:3] == ["uv", "venv", "--python"]
    version = remedy.commands[0][3]
    assert not list(interpreter.python_unsupported(python(version), ANY, KNOWLEDGE))


def test_python_unsupported_near_miss() -> None:
    assert not list(interpreter.python_unsupported(python("3.13.9"), STRICT, KNOWLEDGE))
    assert not list(interpreter.python_unsupported(python("3.14.0"), ANY, KNOWLEDGE))  # PyTorch has wheels for it
    assert not list(interpreter.python_unsupported(python(packages=[TORCH]), ANY, KNOWLEDGE))


@pytest.mark.parametrize(
    ("changes", "profile", "status"),
    [
        ({"implementation": "pypy"}, ANY, "fail"),
        ({"bits": 32}, ANY, "fail"),
        ({"free_threaded": True}, ANY, "warn"),
        ({"free_threaded": True}, STRICT, "fail"),
        ({"debug": True}, ANY, "warn"),
    ],
)
def test_python_build_unsupported_fires(changes: dict[str, Any], profile: Profile, status: str) -> None:
    assert one(interpreter.python_build_unsupported(python(**changes), profile)).status == status


def test_python_build_unsupported_near_miss() -> None:
    assert not list(interpreter.python_build_unsupported(python(), STRICT))


MANAGED: dict[str, Any] = {"externally_managed": True, "virtual_environment": False}


def test_externally_managed_fires() -> None:
    assert one(interpreter.externally_managed(python(**MANAGED), NO_FACTS, ANY)).status == "warn"


def test_externally_managed_near_miss() -> None:
    equipped = Facts(torch=ok(Torch(version="2.13.0")))
    assert not list(interpreter.externally_managed(python(**MANAGED), equipped, ANY))
    assert not list(interpreter.externally_managed(python(externally_managed=True), NO_FACTS, ANY))


def test_user_site_leak_fires() -> None:
    assert one(interpreter.user_site_leak(python(user_site_packages=["numpy"]))).evidence == ["numpy"]


def test_user_site_leak_near_miss() -> None:
    system = python(user_site_packages=["numpy"], virtual_environment=False)
    assert not list(interpreter.user_site_leak(system))
    assert not list(interpreter.user_site_leak(python(user_site_enabled=True)))


def test_environment_variables_pollute_fires() -> None:
    polluted = python(environment={"PYTHONPATH": "/old", "LD_PRELOAD": "/x/libfault.so"})
    finding = one(interpreter.environment_variables_pollute(polluted))
    assert finding.evidence == ["PYTHONPATH=/old", "LD_PRELOAD=/x/libfault.so"]
    assert finding.remedy is not None
    assert finding.remedy.commands == [["unset", "PYTHONPATH"], ["unset", "LD_PRELOAD"]]


def test_environment_variables_pollute_near_miss() -> None:
    usual = {"PYTHONPATH": "", "VIRTUAL_ENV": "/venv", "LD_PRELOAD": "/usr/lib/libtcmalloc.so.4"}
    assert not list(interpreter.environment_variables_pollute(python(environment=usual)))


def test_module_shadowed_fires() -> None:
    finding = one(interpreter.module_shadowed(python(shadowed={"torch": "/home/me/torch.py"})))
    assert "/home/me/torch.py" in finding.message


def test_module_shadowed_near_miss() -> None:
    assert not list(interpreter.module_shadowed(python(shadowed={})))
