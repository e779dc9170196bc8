"""What setup is going to do, said before it is done: pure, printed by --dry-run, run by apply, nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from envkit.profile import Profile
from envkit.profile.values import project
from envkit.setup.extensions.extension import Extra
from envkit.setup.resolving.pylock import Package
from envkit.setup.resolving.resolve import Resolved
from envkit.setup.sources.configured import Sources, describe
from envkit.versions import minor

PLAN_SCHEMA = "envkit.plan/1"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that apply does."""

    title: str
    kind: Literal["copy", "run", "judge", "prove", "place"]
    argv: list[str]
    """What runs; for judge and prove the command that does the same by hand."""
    environment: list[str] = []
    """Names of the variables that the sources add for uv: their values may be secret."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one package."""

    name: str
    before: str = ""
    """Its version now; "": it is not installed."""
    after: str = ""
    """"": it is removed."""
    size_bytes: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole setup."""

    schema: str = PLAN_SCHEMA
    profile: str
    """Its name and options as a command line says them: "cuda12 --with jax"."""
    target: str
    building: str
    """The folder beside the target in which the environment is built."""
    replaces: bool
    """There is an environment at the target; it is kept as `<target>.previous`."""
    python: str
    python_version: str
    packages: list[Package]
    moves: list[Move] = []
    """Where the environment is mended: what becomes of each package; all others stay as they are."""
    download_bytes: int
    """At most: what uv's cache has is not fetched again."""
    disk_bytes: int
    lock: str
    lock_sha256: str = ""
    """Of the profile's lock that it is installed from; "" where there is none."""
    assumptions: dict[str, str] = {}
    """What is assumed of a machine that is not there (--assume)."""
    deferred: list[str] = []
    """What cannot be proved here: "smoke torch cuda"."""
    torch_index: str = ""
    extras: list[str] = []
    """Compiled extensions that go with it."""
    exports: dict[str, str] = {}
    """Variables that a shell needs to compile with what is installed: CUDA_HOME."""
    sources: list[str]
    steps: list[Step]
    notes: list[str] = []


def make_plan(
    profile: Profile,
    *,
    uv: str,
    python: str,
    python_version: str,
    target: Path,
    resolved: Resolved,
    sources: Sources,
    extras: Sequence[Extra] = (),
    replaces: bool = False,
    judge: bool = True,
    prove: bool = True,
) -> Plan:
    """The steps from a resolution to an environment in its place.

    Args:
        profile: what is installed.
        uv: absolute path of uv.
        python: absolute path of the interpreter to build on.
        python_version: its version.
        target: absolute path of the environment.
        resolved: every package and version.
        sources: where packages come from.
        extras: compiled extensions that were resolved with it.
        replaces: there is an environment at the target already.
        judge: let doctor judge it before it is put in place.
        prove: let it train (smoke) before it is put in place.
    """
    building = building_folder(target)
    inside = str(building / "bin/python")
    names = sorted(sources.environment)
    own = {project(requirement) for requirement in profile.packages}
    packages = sorted(resolved.packages, key=lambda package: (package.name not in own, package.name))
    prompt = target.parent.name if target.name.startswith(".") else target.name
    create = [uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--no-project"]
    create += [f"--prompt={prompt or 'envkit'}", "--python", python, str(building)]  # one word: it may begin with "-"
    # --no-deps: the lock is complete. An absolute path: uv takes a bare word for a version.
    install = [uv, "pip", "install", "--quiet", "--no-deps", *sources.flags, "--python", inside, "-r", resolved.lock]
    options = ["--profile", profile.path or profile.name, *profile.words[1:], "--python", inside]
    packages_folder = f"lib/python{minor(python_version)}/site-packages"
    links = [
        Step(
            title=f"Linking {place} of {extra.name}",
            kind="run",
            argv=["ln", "-sfn", goal, str(building / packages_folder / extra.home / place)],
        )
        for extra in extras
        for place, goal in extra.links.items()
    ]
    homes = [str(target / packages_folder / extra.home) for extra in extras if extra.home]
    steps = [
        Step(title=f"Creating the environment on Python {python_version}", kind="run", argv=create, environment=names),
        Step(title=f"Installing {count(resolved.packages)}", kind="run", argv=install, environment=names),
        *links,
        *([Step(title="Judging it", kind="judge", argv=["envkit", "doctor", *options])] if judge else []),
        *([Step(title="Proving it by training", kind="prove", argv=["envkit", "smoke", *options])] if prove else []),
        Step(title=f"Putting it in place as {target}", kind="place", argv=[]),
    ]
    return Plan(
        profile=profile.title,
        target=str(target),
        building=str(building),
        replaces=replaces,
        python=python,
        python_version=python_version,
        packages=packages,
        download_bytes=sum(package.size_bytes or 0 for package in resolved.packages if package.remote),
        disk_bytes=profile.requires.disk,
        lock=resolved.lock,
        lock_sha256=resolved.lock_sha256,
        torch_index=resolved.torch_index,
        extras=[extra.name for extra in extras],
        exports={"CUDA_HOME": homes[0]} if homes else {},
        sources=describe(sources),
        steps=steps,
        notes=list(_notes(target, resolved, replaces=replaces)),
    )


def building_folder(target: Path) -> Path:
    """Where an environment is built: beside its target, so that putting it in place is one rename."""
    return target.with_name(f"{target.name}.envkit-new")


def previous_folder(target: Path) -> Path:
    """Where the environment that was replaced is kept."""
    return target.with_name(f"{target.name}.previous")


def _notes(target: Path, resolved: Resolved, *, replaces: bool) -> list[str]:
    notes = []
    if replaces:
        notes.append(f"the environment at {target} is kept as {previous_folder(target)}")
    if resolved.torch_index:
        notes.append(f"PyTorch comes from its own index for {resolved.torch_index}")
    if resolved.locked:
        notes.append(f"every package and hash is that of the lock {resolved.locked}")
    elif resolved.age_seconds:
        notes.append(f"resolved {ago(resolved.age_seconds)}; --upgrade resolves again")
    if resolved.other_locks:
        notes.append(f"resolved, not locked for this Python and platform; locked for {', '.join(resolved.other_locks)}")
    notes += [f"not as locked: {change}" for change in resolved.changes]
    return notes


def size(number: int) -> str:
    """Bytes for people: "1.20 GB", "12 MB", "820 kB"."""
    if number >= 1e9:
        return f"{number / 1e9:.2f} GB"
    return f"{number / 1e6:.0f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"


def ago(seconds: float) -> str:
    """How long since: "just now", "5 min ago", "3 h ago"."""
    if seconds < 60:
        return "just now"
    return f"{seconds / 60:.0f} min ago" if seconds < 5400 else f"{seconds / 3600:.0f} h ago"


def count(packages: Sequence[object]) -> str:
    """How many: "1 package", "2 packages"."""
    return f"{len(packages)} package{'' if len(packages) == 1 else 's'}"
