"""Which packages exactly mend an environment: uv's resolution of the changes, with everything else held in place."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envkit.checks._packages import listed
from envkit.errors import SetupError
from envkit.facts.software import Python
from envkit.profile import Profile
from envkit.setup.mending import clash, mend
from envkit.setup.mending.choose import Choice, add, leave
from envkit.setup.mending.mend import Changes
from envkit.setup.resolving.compile import SECOND_TRY, foreign_build
from envkit.setup.resolving.pylock import read_lock
from envkit.setup.resolving.resolve import Resolved
from envkit.setup.sources.configured import Sources, describe
from envkit.setup.uv import Failure, explain, find_uv, run_uv
from envkit.versions import torch_index

MOST_SHOWN = 3


def resolve_choice(
    choice: Choice, python: Python, profile: Profile, resolver: Resolver
) -> tuple[Choice, Resolved | None]:
    """The packages that a choice takes; where they have no solution together, those of as many remedies as have one.

    Args:
        choice: what is to be mended.
        python: the environment as it is.
        profile: by which it was judged.
        resolver: of that environment.

    Raises:
        SetupError: it has only one remedy, and that cannot be resolved.
    """
    if not choice.changes.install:
        return choice, None
    try:
        return choice, resolver.resolve(choice.changes)
    except SetupError:
        if len(choice.mended) == 1:
            raise
    best = Choice(left=choice.left)
    for finding in choice.mended:
        more = add(best, finding, python, profile)
        try:
            if more.changes.install:
                resolver.resolve(more.changes)
            best = more
        except SetupError as error:
            best = leave(best, finding, error.message)
    return best, resolver.resolve(best.changes) if best.changes.install else None


def resolve_beside(
    changes: Changes,
    python: Python,
    resolver: Resolver,
    environment: Mapping[str, str],
    *,
    steady: Collection[str] = (),
) -> Resolved:
    """The packages that changes take, where nothing that stays may be left with a requirement that is not met.

    Args:
        changes: what is to become different.
        python: the environment as it is.
        resolver: of that environment.
        environment: the variables of PEP 508 markers there.
        steady: names of packages that stay as they are unless the changes name them.

    Raises:
        SetupError: no source offers them, or something that is installed cannot live with them.
    """
    with contextlib.suppress(SetupError):
        return resolver.resolve(changes, [mend.constraints(changes, python)[0]])
    stay = [p for p in mend.kept(changes, python) if p.version and not p.direct]
    pins = [f"{p.name}=={p.version}" for p in stay if p.name in steady]
    free = resolver.resolve(changes, [pins])
    clashes = clash.broken(free.packages, python, environment, remove=changes.remove)
    if not clashes:
        return free
    # What is resolved anew does not have the old version's requirements; all others have theirs.
    others = [p for p in mend.kept(changes, python) if p.name not in {found.name for found in free.packages}]
    with contextlib.suppress(SetupError):
        found = resolver.resolve(changes, [[*pins, *mend.required(others)]])
        if not clash.broken(found.packages, python, environment, remove=changes.remove):
            return found
    others_to_blame = listed(dict.fromkeys(c.staying.partition(" ")[0] for c in clashes))
    raise SetupError(
        "; ".join(map(str, clashes[:MOST_SHOWN])),
        hint=f"Take {others_to_blame} out of the environment or upgrade it there, or build a new one with --venv.",
    )


@dataclass
class Resolver:
    """Asks uv for pinned and hashed packages that bring changes about."""

    python: Python
    """The environment as it is."""
    folder: Path
    """Where the lock is written."""
    sources: Sources
    environ: Mapping[str, str]
    on_idle: Callable[[int], None]
    """Called with uv's pid now and then."""
    unreachable: dict[str, Failure] = field(default_factory=dict)
    """Indexes of PyTorch's ("": the configured sources) that gave no answer: each costs its deadline once."""

    def resolve(self, changes: Changes, rounds: Sequence[list[str]] | None = None) -> Resolved:
        """What to install.

        Args:
            changes: what is to become different.
            rounds: the constraints to try, one after the other; None for those that mending observes.

        Raises:
            SetupError: no source offers it, it contradicts what stays, or no source can be reached.
        """
        torch = mend.installed(self.python).get("torch")
        backend = changes.torch_backend or torch_index((torch.version if torch else None) or "")
        order = ["", backend] if self.sources.lines else [backend, ""]
        backends = [""] if self.sources.closed else list(dict.fromkeys(order))
        failures: dict[str, Failure] = {}
        for lines in mend.constraints(changes, self.python) if rounds is None else rounds:
            for asked in backends:
                tried = self.unreachable.get(asked) or self._try(changes, lines, asked)
                if isinstance(tried, Resolved):
                    return tried
                failures[asked] = tried
                if tried.kind not in SECOND_TRY:
                    raise self._unresolved(failures)
        raise self._unresolved(failures)

    def _try(self, changes: Changes, constraints: list[str], backend: str) -> Resolved | Failure:
        """The packages that uv finds within constraints, PyTorch's from one index; why not, where it finds none."""
        lock, held = self.folder / "pylock.mend.toml", self.folder / "constraints.txt"
        held.write_text("\n".join(constraints), encoding="utf-8")
        lock.write_text(_preferences(self.python), encoding="utf-8")
        argv = [find_uv(), "pip", "compile", "-", "--format", "pylock.toml", "-o", str(lock), "--no-header", "--quiet"]
        argv += ["--python", self.python.executable, *self.sources.flags, "--constraints", str(held)]
        argv += ["--torch-backend", backend] if backend else []
        for name, package in mend.installed(self.python).items():
            argv += ["--no-emit-package", name] if package.direct else []
        child = run_uv(
            argv,
            sources=self.sources,
            environ=self.environ,
            on_idle=self.on_idle,
            stdin="\n".join(changes.install),
        )
        if not child.succeeded:
            failure = explain(child, self.sources)
            if failure.kind == "network":
                self.unreachable[backend] = failure
            return failure
        found = read_lock(lock.read_text(encoding="utf-8"))
        if foreign := foreign_build(found, changes.torch_backend, changes.packages, asked=bool(backend)):
            return Failure("no-solution", f"the sources offer {foreign}, not a {changes.torch_backend} build", "")
        return Resolved(lock=str(lock), packages=found, torch_index=backend)

    def _unresolved(self, failures: Mapping[str, Failure]) -> SetupError:
        told = "; ".join(
            f"{failure.message} (asked: {f'PyTorch index for {asked}' if asked else ', '.join(describe(self.sources))})"
            for asked, failure in failures.items()
        )
        *_, last = failures.values()
        return SetupError(told, hint=last.hint)


def _preferences(python: Python) -> str:
    """What is installed, as an older lock: uv keeps the versions of one where it can."""
    rows = [
        f'[[packages]]\nname = "{name}"\nversion = "{package.version}"\n'
        for name, package in mend.installed(python).items()
        if package.version and not package.direct
    ]
    # An array that is there even when it is empty: uv wants it.
    packages = "\n".join(rows) if rows else "packages = []\n"
    return f'lock-version = "1.0"\ncreated-by = "envkit"\n{packages}'
