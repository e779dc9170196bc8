"""Whether an environment still is what `envkit setup` put in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._packages import listed, setup
from envkit.findings import Finding, Findings, Remedy, warn
from envkit.profile import Profile

if TYPE_CHECKING:
    from envkit.facts.software import Package, Python

SUFFIX = ".dist-info"


@check(area="profile", after=("frameworks-missing", "profile-packages-differ"))
def environment_changed_by_hand(python: Python, profile: Profile) -> Findings:
    """Since envkit set this environment up, packages have been removed, or have changed their version.

    What was added does no harm by itself. Whether the rest does is what the other checks judge.
    """
    made = python.setup
    if made is None or not python.packages_complete:
        return
    there = {package.name: _version(package) for package in python.packages if _inside(package, python)}
    changed = [f"{n} {old} → {there[n]}" for n, old in made.packages.items() if there.get(n, old) != old]
    removed = [f"- {name}" for name in made.packages if name not in there]
    added = [f"+ {name} {version}" for name, version in there.items() if name not in made.packages]
    differences = [*sorted(changed), *sorted(removed), *sorted(added)]
    origin = f"installed by envkit with profile {made.profile} on {made.made_at[:10]}"
    if not changed and not removed:
        since = f", since added by hand: {listed(differences)}" if added else ", and not changed since"
        yield Finding(status="pass", message=origin + since)
        return
    own = Profile(name=made.profile, added=made.added, left_out=made.left_out)
    wanted = profile if profile.name == made.profile else own
    yield warn(
        f"{origin}, since changed by hand: {listed(differences)}",
        evidence=[*differences, f"envkit.json in {python.prefix}"] if len(differences) > 6 else [],
        remedy=Remedy(text="build it again as it was", commands=[setup(wanted, python)]),
    )


def _inside(package: Package, python: Python) -> bool:
    """Whether a package belongs to the environment itself, not to PYTHONPATH or ~/.local."""
    return package.location.startswith(f"{python.prefix}/")


def _version(package: Package) -> str:
    """As its folder's name says it, which is what setup remembers."""
    if package.metadata.endswith(SUFFIX):
        return package.metadata.removesuffix(SUFFIX).partition("-")[2]
    return package.version or "?"
