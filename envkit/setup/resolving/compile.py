"""One question to uv: which packages and files do these requirements mean, from which of the sources."""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from envkit import harness
from envkit.errors import SetupError
from envkit.setup.resolving.conflict import Asked
from envkit.setup.resolving.pylock import Package, read_lock
from envkit.setup.sources.configured import Sources, describe
from envkit.setup.uv import NOTHING_ASKED, Failure, explain, find_uv, run_uv

CACHE_SECONDS = 24 * 3600.0
"""So long an answer is used again: pins are exact, only what they pull in may have a newer version."""
FAMILY = {"torch", "torchvision", "torchaudio"}
SECOND_TRY = {"no-solution", "network", "other-file", "login", "proxy", "certificate"}


class OtherFileError(Exception):
    """A source offers another file than was locked; the message says of which package."""


class Compiled(NamedTuple):
    """uv's answer."""

    file: Path
    """A pylock.toml (PEP 751)."""
    packages: list[Package]
    backend: str
    """Segment of the PyTorch index that was asked; "": the configured sources had it all."""
    age_seconds: float


class Question(NamedTuple):
    """What uv is asked."""

    name: str
    """Of the profile, for messages."""
    requirements: Sequence[str]
    options: Sequence[str]
    backend: str = ""
    """Segment of PyTorch's index that its build must be of; "": any."""
    environment: Mapping[str, str] = {}
    """Variables for uv besides those of the sources."""
    finish: Callable[[str], str] = str
    """Makes what is kept of uv's pylock.toml; raises OtherFileError where a source's answer will not do."""
    key: str = ""
    """What `finish` depends on."""
    asked: Asked = NOTHING_ASKED
    """Who asks, for messages."""
    hint: str = ""
    """What to do where the sources do not have it; "": what uv's words suggest."""


def ask(
    question: Question,
    *,
    folder: Path,
    sources: Sources,
    environ: Mapping[str, str],
    anew: bool = False,
    on_idle: Callable[[int], None] | None = None,
) -> Compiled:
    """Let uv answer, or take its answer of the last 24 hours.

    The configured sources are asked first, PyTorch's own index when they do not offer the profile's build of it; with
    nothing configured, PyTorch's index first.

    Args:
        question: what is asked.
        folder: where the answer is kept.
        sources: where packages come from.
        environ: the environment variables.
        anew: take no older answer.
        on_idle: called with uv's pid now and then.

    Raises:
        SetupError: no source offers it, or none can be reached.
    """
    wanted = question.backend
    tries = ["", wanted] if sources.lines else [wanted, ""]
    run = functools.partial(run_uv, sources=sources, environ={**environ, **question.environment}, on_idle=on_idle)
    failures: list[tuple[str, Failure]] = []
    for backend in tries if wanted and not sources.closed else [""]:
        file = folder / f"pylock.{_digest(question, backend, sources, environ)}.toml"
        age = None if anew or sources.closed else _age_seconds(file)  # a folder may have been filled since
        failure = None
        if age is None:
            # What is locked is right by its hashes: constraints of others have no say in it.
            held = [] if question.key else [w for place in sources.constraints for w in ("--constraints", place)]
            options = [*question.options, *held, *sources.flags, *(["--torch-backend", backend] if backend else [])]
            failure, age = _compile(file, question, options, run, sources), 0.0
        if failure is None:
            packages = read_lock(file.read_text(encoding="utf-8"))
            foreign = foreign_build(packages, wanted, ["torch"], asked=bool(backend))
            if not foreign:
                return Compiled(file, packages, backend, age)
            failure = Failure("no-solution", f"the sources offer {foreign}, not a {wanted} build", "")
        failures.append((backend, failure))
        if failure.kind not in SECOND_TRY:
            break
    raise _unresolved(question, failures, sources)


def _compile(
    file: Path, question: Question, options: list[str], run: Callable[..., harness.Child], sources: Sources
) -> Failure | None:
    """Write the answer. uv would prefer the versions of an older output file: it sees none."""
    draft = file.with_name(f"{file.stem}-{os.getpid()}.toml")
    argv = [find_uv(), "pip", "compile", "-", "--format", "pylock.toml", "-o", str(draft), "--no-header", "--quiet"]
    try:
        child = run([*argv, *options], stdin="\n".join(question.requirements))
        if not child.succeeded:
            return explain(child, sources, asked=question.asked)
        draft.write_text(question.finish(draft.read_text(encoding="utf-8")), encoding="utf-8")
        draft.replace(file)
    except OtherFileError as error:
        return Failure("other-file", str(error), "")
    finally:
        draft.unlink(missing_ok=True)
    return None


def _unresolved(question: Question, failures: list[tuple[str, Failure]], sources: Sources) -> SetupError:
    def asked(backend: str) -> str:
        return f"PyTorch's index for {backend}" if backend else ", ".join(describe(sources))

    told = "; ".join(f"{failure.message} (asked: {asked(backend)})" for backend, failure in failures)
    *_, (_, last) = failures
    unsolved = [failure for _, failure in failures if failure.kind in {"no-solution", "other-file"}]
    hint = last.hint
    if question.hint and unsolved and not sources.offline:
        hint = question.hint
    elif unsolved and last.kind != "contradiction":
        reach = f", or a network that reaches PyTorch's index for {question.backend}" if question.backend else ""
        another = f"Name a source that has it in PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL or UV_INDEX{reach}."
        hint = next((failure.hint for failure in unsolved if failure.hint), another)
    details = "\n".join(failure.text for _, failure in failures)
    return SetupError(f"profile {question.name} cannot be resolved: {told}", hint=hint, details=details)


def foreign_build(packages: list[Package], backend: str, names: Collection[str], *, asked: bool) -> str:
    """The build, of PyTorch's family, that is not the one asked for, as name==version; "" when there is none.

    PyTorch's own index, where it was asked, has builds without a label too (macOS, some of aarch64).

    Args:
        packages: what was resolved.
        backend: segment of the index that the build is to come from; "": any will do.
        names: the packages that matter.
        asked: that index was asked.
    """
    for package in packages if backend else []:
        if package.name not in names or package.name not in FAMILY or package.version.endswith(f"+{backend}"):
            continue
        if not (asked and package.remote and "+" not in package.version):
            return f"{package.name}=={package.version}"
    return ""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The folder for what envkit can make again."""
    home = Path(environ.get("HOME") or "~").expanduser()
    folder = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "envkit"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SetupError(
            f"the cache folder {folder} cannot be made: {error.strerror}",
            hint="Set XDG_CACHE_HOME to a folder that can be written.",
        ) from error
    return folder


def _digest(question: Question, backend: str, sources: Sources, environ: Mapping[str, str]) -> str:
    said = {name: value for name, value in environ.items() if name.startswith("UV_")} | sources.environment
    parts = [sorted(question.requirements), list(question.options), sorted(question.environment.items()), question.key]
    parts += [backend, sources.flags, sources.constraints, sorted(said.items())]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def _age_seconds(file: Path) -> float | None:
    """How old an answer is that may still be used."""
    try:
        age = time.time() - file.stat().st_mtime
    except OSError:
        return None
    return age if 0 <= age < CACHE_SECONDS else None
