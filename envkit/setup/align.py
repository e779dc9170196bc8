"""Which packages exactly mend an environment: uv's resolution of the changes, with everything else held in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envkit.errors import SetupError
from envkit.facts.software import Python
from envkit.profile import Profile
from envkit.setup import mend
from envkit.setup.choose import Choice, add, leave
from envkit.setup.mend import Changes
from envkit.setup.resolve import SECOND_TRY, Resolved, foreign_build, read_lock
from envkit.setup.sources import Sources, describe
from envkit.setup.uv import Failure, explain, find_uv, run_uv
from envkit.versions import torch_index


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

    def resolve(self, changes: Changes) -> Resolved:
        """What to install.

        Raises:
            SetupError: no source offers it, it contradicts what stays, or no source can be reached.
        """
        torch = mend.installed(self.python).get("torch")
        backend = changes.torch_backend or torch_index((torch.version if torch else None) or "")
        backends = list(dict.fromkeys(["", backend] if self.sources.lines else [backend, ""]))
        failures: dict[str, Failure] = {}
        for lines in mend.constraints(changes, self.python):
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
    return "\n".join(['lock-version = "1.0"\ncreated-by = "envkit"\n', *rows])
