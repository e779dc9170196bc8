"""The plan that mends an environment: a copy beside it is changed, judged, and takes its place."""

from __future__ import annotations

from pathlib import Path

from envkit import harness
from envkit.checks._packages import remove_bytecode
from envkit.errors import SetupError
from envkit.facts.software import Package as Installed
from envkit.facts.software import Python
from envkit.setup.mending import mend
from envkit.setup.mending.duplicate import copy_command, owner_command, weigh
from envkit.setup.mending.mend import Changes
from envkit.setup.plan import Move, Plan, Step, building_folder, count, previous_folder, size
from envkit.setup.resolving.resolve import Resolved
from envkit.setup.sources.configured import Sources, describe
from envkit.setup.target import only_one

UNPACKED = 3
"""Times the size of a wheel that its files take at most, as a rule; CUDA's libraries take twice."""


def mending_plan(
    changes: Changes,
    python: Python,
    *,
    uv: str,
    target: Path,
    resolved: Resolved | None,
    sources: Sources,
    profile: str = "",
    judge: bool = True,
    prove: bool = False,
    running: int = 0,
) -> Plan:
    """The steps from an environment to a better one in its place.

    Args:
        changes: what is to become different.
        python: the environment as it is.
        uv: absolute path of uv.
        target: its absolute path.
        resolved: the packages to install; None where none is.
        sources: where packages come from.
        profile: by which it is judged, a name or a file, if any.
        judge: let doctor judge the copy before it is put in place.
        prove: let it train (smoke) before it is put in place.
        running: how many programs run from it.
    """
    building = building_folder(target)
    inside, names = str(building / "bin/python"), sorted(sources.environment)
    moves = mend.moves(changes, resolved.packages if resolved else [], python)
    fetched = [move for move in moves if move.after]
    going = [move.name for move in moves if not move.after]
    again = [word for move in fetched if move.before == move.after for word in ("--reinstall-package", move.name)]
    copied, _ = weigh(target)
    steps = [Step(title=f"Copying it, {size(copied)}", kind="copy", argv=copy_command(target, building))]
    steps += [Step(title="Clearing it up", kind="run", argv=argv) for argv in clearing(changes, target, building)]
    # A package that is there twice goes first: by RECORD, or where that is another's, the metadata alone.
    twice = [p for p in python.packages if p.name in python.duplicates and p.name in changes.packages]
    bare = [str(building / _within(_metadata(p), target)) for p in twice if not _has_own_record(p)]
    if bare:
        steps.append(Step(title="Removing metadata of what is not there", kind="run", argv=["rm", "-r", *bare]))
    going = list(dict.fromkeys([*going, *(p.name for p in twice if _has_own_record(p))]))
    if going:
        argv = [uv, "pip", "uninstall", "--quiet", "--python", inside, *going]
        steps.append(Step(title=f"Removing {count(going)}", kind="run", argv=argv, environment=names))
    if resolved and fetched:
        argv = [uv, "pip", "install", "--quiet", "--no-deps", *sources.flags, "--python", inside, *again]
        argv += ["-r", resolved.lock]
        steps.append(Step(title=f"Installing {count(fetched)}", kind="run", argv=argv, environment=names))
    options = [*(["--profile", profile] if profile else []), "--python", inside]
    if judge:
        steps.append(Step(title="Judging it", kind="judge", argv=["envkit", "doctor", *options]))
    if prove:
        argv = ["envkit", "smoke", *options]
        steps.append(Step(title="Proving it by training", kind="prove", argv=argv))
    if owner := owner_command(target, building):
        steps.append(Step(title="Giving it to its owner", kind="run", argv=owner))
    steps.append(Step(title=f"Putting it in place as {target}", kind="place", argv=[]))
    packages = [p for p in (resolved.packages if resolved else []) if p.name in {move.name for move in fetched}]
    return Plan(
        profile=profile,
        target=str(target),
        building=str(building),
        replaces=True,
        python=python.executable,
        python_version=python.version,
        packages=packages,
        moves=moves,
        download_bytes=sum(package.size_bytes or 0 for package in packages if package.remote),
        disk_bytes=copied + UNPACKED * sum(package.size_bytes or 0 for package in packages),
        lock=resolved.lock if resolved else "",
        torch_index=resolved.torch_index if resolved else "",
        sources=describe(sources),
        steps=steps,
        notes=list(_notes(target, resolved, moves, running)),
    )


def clearing(changes: Changes, target: Path, folder: Path) -> list[list[str]]:
    """The commands that clear up what lies about, in the environment itself or in its copy.

    Raises:
        SetupError: some of it lies, by a link, outside the environment.
    """
    commands = []
    if changes.clear:
        commands.append(["rm", "-r", *(str(folder / _within(Path(path), target)) for path in changes.clear)])
    return commands + ([remove_bytecode(str(folder))] if changes.bytecode else [])


def clear_up(changes: Changes, target: Path) -> None:
    """Remove leftovers and bytecode from an environment itself: nothing that it consists of, so no copy is needed.

    Raises:
        SetupError: something could not be removed.
    """
    with only_one(target):
        for argv in clearing(changes, target, target):
            child = harness.run(argv, deadline_seconds=None)
            if not child.succeeded:
                raise SetupError(f"{target} could not be cleared up: {child.last_words() or child.why()}")


def _metadata(package: Installed) -> Path:
    return Path(package.location, package.metadata)


def _has_own_record(package: Installed) -> bool:
    """Whether a package's RECORD names its own metadata: one that somebody copied names another's."""
    try:
        record = (_metadata(package) / "RECORD").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return f"{package.metadata}/" in record


def _within(path: Path, target: Path) -> Path:
    try:
        return path.parent.resolve().relative_to(target.resolve()) / path.name
    except ValueError:
        raise SetupError(f"{path} is not inside {target}") from None


def _notes(target: Path, resolved: Resolved | None, moves: list[Move], running: int) -> list[str]:
    previous = previous_folder(target)
    instead = ", in the place of the one that is there" if previous.exists() else ""
    notes = [f"the environment as it is now is kept as {previous}{instead}"]
    if resolved and resolved.torch_index and any(move.name == "torch" for move in moves):
        notes.append(f"PyTorch comes from its own index for {resolved.torch_index}")
    if running:
        notes.append(f"{running} of its programs are running: end them, or they mix old files and new ones")
    return notes
