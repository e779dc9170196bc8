"""A profile into the Python of a container itself: proved in an environment beside it first, and undone if it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from envkit import harness
from envkit.checks._packages import listed, marker_environment
from envkit.errors import InputError, SetupError
from envkit.facts import Facts
from envkit.facts.software import Package as Installed
from envkit.facts.software import Python
from envkit.profile import Profile
from envkit.setup.existing import journal
from envkit.setup.mending import clash, mend
from envkit.setup.mending.align import Resolver, resolve_beside
from envkit.setup.mending.mend import Changes
from envkit.setup.plan import Move, Plan, Step, count, make_plan
from envkit.setup.sources.configured import Sources
from envkit.setup.state import STATE_FILE
from envkit.setup.uv import find_uv
from envkit.versions import parse_requirement

ASK_SECONDS = 30.0
OWN = "envkit-ml"
BY_DISTRIBUTIONS = {None, "debian", "rpm"}
"""What INSTALLER says of packages that a distribution brings: nothing, as a rule."""
A_VENV = "Build an environment: envkit setup --venv DIR"


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Python has what is installed into it (sysconfig.get_paths())."""

    purelib: str
    platlib: str
    scripts: str
    data: str

    @property
    def folders(self) -> list[str]:
        """Those that hold packages."""
        return list(dict.fromkeys([self.purelib, self.platlib]))


def scheme_of(python: str) -> Scheme:
    """Ask a Python where its packages go: Debian's says /usr/local/lib/python3.11/dist-packages.

    Raises:
        InputError: it does not answer.
    """
    code = "import json, sysconfig; print(json.dumps(sysconfig.get_paths()))"
    child = harness.run([python, "-E", "-s", "-c", code], deadline_seconds=ASK_SECONDS)
    try:
        return msgspec.json.decode(child.stdout.strip().rpartition("\n")[2], type=Scheme)
    except msgspec.DecodeError:
        why = child.last_words() or child.why()
        raise InputError(
            f"--python {python} does not say where its packages go: {why}", hint="Give the path of the system's Python."
        ) from None


def trial_of(root: Path) -> Path:
    """Where the packages are proved before they are installed."""
    return root / "envkit-trial"


def check_system(facts: Facts, scheme: Scheme) -> Python:
    """The inspected Python, which may be changed in place. Touches nothing.

    Raises:
        InputError: this is no container, or that Python is an environment or conda's, or not writable.
    """
    python, container = facts.python.facts, facts.container
    if container.outcome != "ok":
        raise InputError(
            "--system changes the Python that programs of the system run on, and is for containers only: "
            + (f"this is none ({container.why})" if container.outcome == "absent" else container.why),
            hint=A_VENV,
        )
    if python is None:
        raise SetupError(f"the system's Python cannot be looked into: {facts.python.why}")
    if python.virtual_environment or python.conda:
        kind = "an environment" if python.virtual_environment else "conda's"
        into = f"Name the system's with --python; into this one: envkit setup --into {python.prefix}"
        hint = into if python.virtual_environment else A_VENV
        raise InputError(f"{python.executable} is {kind}, not the system's Python", hint=hint)
    for folder in dict.fromkeys([*scheme.folders, scheme.scripts, scheme.data]):
        place = next((p for p in (Path(folder), *Path(folder).parents) if p.exists()), Path("/"))
        if not os.access(place, os.W_OK | os.X_OK):
            raise InputError(f"{folder} is not writable", hint="Run as root, as an image is built, or use --venv.")
    return python


def system_plan(
    profile: Profile,
    facts: Facts,
    *,
    scheme: Scheme,
    folder: Path,
    sources: Sources,
    environ: Mapping[str, str],
    on_idle: Callable[[int], None],
    judge: bool = True,
    prove: bool = True,
) -> Plan | None:
    """The steps to a system's Python that has what a profile names; None where it has it.

    Args:
        profile: what is asked for.
        facts: with the sections system, container and python, of the system's Python.
        scheme: of that Python.
        folder: where the lock is written, kept until the plan was applied.
        sources: where packages come from.
        environ: the environment variables.
        on_idle: called with uv's pid now and then.
        judge: let doctor judge the packages before they are installed, and after.
        prove: let them train (smoke) before they are installed.

    Raises:
        InputError: that Python may not be changed; a package that must change is the distribution's.
        SetupError: no source offers the packages, or they cannot live beside something that is installed.
    """
    whole = check_system(facts, scheme)
    if not profile.packages:
        raise InputError(f"profile {profile.name} names no packages: nothing to install")
    python = replace(whole, packages=[p for p in whole.packages if p.location in scheme.folders])
    changes = clash.prepared(Changes(install=profile.packages, torch_backend=profile.torch_backend), python)
    if why := mend.out_of_reach(changes, python):
        raise InputError(f"{why}: envkit does not replace it", hint=A_VENV)
    # All that is there counts, the distribution's own packages too: its tools need them as they are.
    resolved = resolve_beside(
        changes, whole, Resolver(whole, folder, sources, environ, on_idle), marker_environment(facts)
    )
    changes = clash.cleared(changes, resolved.packages, python)
    moves = mend.moves(changes, resolved.packages, python)
    _refuse_owned(moves, whole, scheme)
    if not moves:
        return None
    root = Path(scheme.data)
    trial = make_plan(
        profile,
        uv=find_uv(),
        python=whole.executable,
        python_version=whole.version,
        target=trial_of(root),
        resolved=resolved,
        sources=sources,
        judge=judge,
        prove=prove,
    )
    fetched = [move for move in moves if move.after]
    install = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--break-system-packages", *sources.flags]
    install += ["--python", whole.executable, "-r", resolved.lock]
    aside = root / journal.FOLDER
    doctor = ["envkit", "doctor", "--profile", profile.path or profile.name, "--python", whole.executable]
    steps = [
        *trial.steps[:-1],
        Step(title=f"Keeping what it replaces in {aside}, to undo it", kind="copy", argv=[]),
        Step(
            title=f"Installing {count(fetched)} into {root}",
            kind="run",
            argv=install,
            environment=sorted(sources.environment),
        ),
        *([Step(title="Judging it where it is", kind="judge", argv=doctor)] if judge else []),
        Step(title=f"Recording it in {root / STATE_FILE}", kind="place", argv=[]),
    ]
    return replace(
        trial,
        target=str(root),
        moves=moves,
        replaces=True,
        disk_bytes=2 * trial.disk_bytes,
        steps=steps,
        notes=[*trial.notes, "if something fails all is put back; when all is well, what it replaced is removed"],
    )


def _refuse_owned(moves: list[Move], python: Python, scheme: Scheme) -> None:
    """InputError where something that must change is the distribution's, or envkit itself needs it as it is."""
    there = mend.installed(python)
    coming = {move.name: move.after for move in moves}
    owned = [
        f"{name} {package.version} → {coming[name] or 'removed'} ({package.location})"
        for name, package in there.items()
        if name in coming and coming[name] != package.version and _of_distribution(package, scheme)
    ]
    if owned:
        raise InputError(f"the distribution owns what would have to change: {', '.join(owned)}", hint=A_VENV)
    if Path(python.prefix).resolve() == Path(sys.prefix).resolve():
        needed = [move.name for move in moves if move.before and move.name in _needed_by(OWN, there)]
        if needed:
            hint = "Install envkit apart from it: uv tool install envkit-ml"
            raise InputError(f"envkit itself runs from there, and needs {listed(needed)} as it is", hint=hint)


def _of_distribution(package: Installed, scheme: Scheme) -> bool:
    return package.location not in scheme.folders or package.record is not True or package.installer in BY_DISTRIBUTIONS


def _needed_by(name: str, there: Mapping[str, Installed]) -> set[str]:
    """A package and all that it requires, and so on."""
    found, waiting = set(), [name]
    while waiting:
        package = there.get(waiting.pop())
        if package and package.name not in found:
            found.add(package.name)
            waiting += [r.name for r in map(parse_requirement, package.requires) if r]
    return found
