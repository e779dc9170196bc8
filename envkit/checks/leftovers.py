"""What interrupted or careless installers leave in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import install, installed, listed, pinned
from envkit.findings import Findings, Remedy, warn

if TYPE_CHECKING:
    from envkit.facts.software import Python

# Their packages have no RECORD, and are none of pip's business.
_SYSTEM_INSTALLERS = ("conda", "debian", "rpm")


@check(area="python")
def installer_leftovers(python: Python) -> Findings:
    """An interrupted installer left folders behind, of which pip warns each time: "Ignoring invalid distribution".

    pip renames what it is about to delete ("torch" to "~orch"). A .dist-info without METADATA beside a whole one of the
    same package counts too.
    """
    if python.leftovers:
        names = [path.rpartition("/")[2] for path in python.leftovers]
        yield warn(
            f"an interrupted installer left behind {listed(names)}",
            evidence=python.leftovers[:6],
            remedy=Remedy(text="remove them", commands=[["rm", "-r", *python.leftovers]], safe=True),
        )


@check(area="python")
def record_missing(python: Python) -> Findings:
    """A package has no RECORD of its files: nothing can verify, uninstall or upgrade it.

    Looked for in virtual environments, among what pip, uv and their like have installed.
    """
    if not python.virtual_environment or python.conda:
        return
    bare = [
        package
        for package in installed(python).values()
        if package.record is False
        and package.version
        and package.installer
        and package.installer not in _SYSTEM_INSTALLERS
    ]
    if bare:
        yield warn(
            f"{listed(package.name for package in bare)} cannot be verified or uninstalled: RECORD is missing",
            evidence=[f"{package.location}/{package.metadata}: no RECORD" for package in bare[:6]],
            remedy=Remedy(
                text="install them again", commands=[install(python, *map(pinned, bare), reinstall=True)], safe=True
            ),
        )
