"""Checks of what interrupted and careless installers leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import leftovers
from envkit.facts.software import Package, Python

SITE = "/venv/lib/python3.11/site-packages"


def python(*packages: Package, **changes: Any) -> Python:
    sound = {"executable": "/venv/bin/python", "version": "3.11.7", "prefix": "/venv", "virtual_environment": True}
    return Python(**{**sound, "packages": list(packages), **changes})


def numpy(**changes: Any) -> Package:
    sound = {
        "version": "2.2.6",
        "location": SITE,
        "metadata": "numpy-2.2.6.dist-info",
        "installer": "pip",
        "record": True,
    }
    return Package(name="numpy", **{**sound, **changes})


def test_installer_leftovers_fires() -> None:
    (finding,) = leftovers.installer_leftovers(python(leftovers=[f"{SITE}/~orch", f"{SITE}/torch-2.9.dist-info"]))
    assert finding.message == "an interrupted installer left behind ~orch and torch-2.9.dist-info"
    assert finding.remedy is not None
    assert finding.remedy.commands == [["rm", "-r", f"{SITE}/~orch", f"{SITE}/torch-2.9.dist-info"]]


def test_installer_leftovers_near_miss() -> None:
    assert not list(leftovers.installer_leftovers(python(leftovers=[])))
    assert not list(leftovers.installer_leftovers(python(leftovers=None)))


def test_record_missing_fires() -> None:
    (finding,) = leftovers.record_missing(python(numpy(record=False)))
    assert (finding.status, finding.evidence) == ("warn", [f"{SITE}/numpy-2.2.6.dist-info: no RECORD"])
    assert finding.remedy is not None
    assert finding.remedy.commands[0][-2:] == ["--reinstall", "numpy==2.2.6"]


@pytest.mark.parametrize(
    ("package", "changes"),
    [
        (numpy(), {}),
        (numpy(record=None), {}),
        (numpy(record=False, installer="debian"), {}),
        (numpy(record=False, installer=None), {}),
        (numpy(record=False, version=None), {}),  # said by files-missing
        (numpy(record=False), {"conda": True}),
        (numpy(record=False), {"virtual_environment": False}),
    ],
)
def test_record_missing_near_miss(package: Package, changes: dict[str, Any]) -> None:
    assert not list(leftovers.record_missing(python(package, **changes)))
