"""Which packages exactly: uv's resolution of a profile, written as a lock that installing reads."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from envkit import harness
from envkit.errors import InputError, SetupError
from envkit.profile import Profile
from envkit.setup.sources import Sources, describe
from envkit.setup.uv import FIND_SECONDS, Failure, explain, find_uv, run_uv
from envkit.versions import satisfies

LOCK_SECONDS = 24 * 3600.0
"""So long a resolution is used again: pins are exact, only what they pull in may have a newer version."""
FAMILY = {"torch", "torchvision", "torchaudio"}
SECOND_TRY = {"no-solution", "network"}


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One package of a lock."""

    name: str
    version: str
    size_bytes: int | None = None
    source: str = ""
    """Host or folder that it comes from."""
    remote: bool = False


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """Every package of an environment, with its version and hashes."""

    lock: str
    """A pylock.toml (PEP 751), in envkit's own cache folder."""
    packages: list[Package]
    torch_index: str = ""
    """Segment of the PyTorch index that was asked: "cpu"; "": the configured sources had it all."""
    age_seconds: float = 0.0


def find_python(profile: Profile, *, wanted: str, sources: Sources, environ: Mapping[str, str]) -> tuple[str, str]:
    """Path and version of the interpreter to build on.

    Args:
        profile: its requires.python must hold.
        wanted: a path, a version ("3.12"), or "": the one envkit runs on if it fits, else one that uv finds.
        sources: where packages come from.
        environ: the environment variables.

    Raises:
        InputError: there is none, or it does not fit the profile.
    """
    needs = profile.requires.python
    own = ".".join(map(str, sys.version_info[:3]))
    if not wanted and satisfies(own, needs) is not False:
        return str(Path(sys.executable).resolve()), own
    path = wanted
    if "/" not in wanted:
        argv = [find_uv(), "python", "find", "--no-project", wanted or needs]
        child = run_uv(argv, sources=sources, environ=environ, deadline_seconds=FIND_SECONDS)
        path = child.stdout.strip()
        if not child.succeeded:
            what = f"Python {wanted}" if wanted else f"Python {needs}, which profile {profile.name} needs,"
            raise InputError(f"{what} was not found", hint="Give a path with --python, or: uv python install 3.12")
    # -E -s and not -I, which Python 2 does not know.
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    child = harness.run([path, "-E", "-s", "-c", code], deadline_seconds=FIND_SECONDS)
    version = child.stdout.strip().rpartition("\n")[2]
    if not child.succeeded or not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise InputError(f"{path} is no usable Python: {child.last_words() or child.why()}")
    if satisfies(version, needs) is False:
        raise InputError(f"{path} is Python {version}, but profile {profile.name} needs {needs}")
    return str(Path(path).absolute()), version


def resolve(
    profile: Profile,
    *,
    python: str,
    sources: Sources,
    environ: Mapping[str, str],
    on_idle: Callable[[int], None] | None = None,
) -> Resolved:
    """Ask uv which packages the profile means for this interpreter.

    The configured sources are asked first, PyTorch's own index when they do not offer the profile's build of it; with
    nothing configured, PyTorch's index first.

    Raises:
        InputError: the profile names no packages.
        SetupError: no source offers them, or none can be reached.
    """
    if not profile.packages:
        raise InputError(f"profile {profile.name} names no packages: nothing to install")
    folder = _cache_folder(environ)
    tries = ["", profile.torch_backend] if sources.lines else [profile.torch_backend, ""]
    tries = tries if profile.torch_backend else [""]
    run = functools.partial(run_uv, sources=sources, environ=environ, on_idle=on_idle)
    failures: list[tuple[str, Failure]] = []
    for backend in tries:
        lock = folder / f"pylock.{_digest(profile, python, backend, sources, environ)}.toml"
        age = _age_seconds(lock)
        failure = None
        if age is None:
            options = ["--python", python, *sources.flags, *(["--torch-backend", backend] if backend else [])]
            child, age = _compile(lock, options, "\n".join(profile.packages), run), 0.0
            failure = None if child.succeeded else explain(child, sources)
        if failure is None:
            packages = read_lock(lock.read_text(encoding="utf-8"))
            foreign = foreign_build(packages, profile.torch_backend, ["torch"], asked=bool(backend))
            if not foreign:
                return Resolved(lock=str(lock), packages=packages, torch_index=backend, age_seconds=age)
            failure = Failure("no-solution", f"the sources offer {foreign}, not a {profile.torch_backend} build", "")
        failures.append((backend, failure))
        if failure.kind not in SECOND_TRY:
            break
    raise _unresolved(profile, failures, sources)


def read_lock(text: str) -> list[Package]:
    """The packages of a pylock.toml as uv writes it: one key a line (Python 3.10 has no TOML reader)."""
    packages = []
    for block in text.split("[[packages]]")[1:]:
        name, version = (re.search(rf'^{key} = "([^"]+)"', block, re.MULTILINE) for key in ("name", "version"))
        if not name:
            continue
        files = block[block.find("\nwheels = ") :] if "\nwheels = " in block else block
        url = re.search(r'(?:url|path) = "([^"]+)"', files)
        size = re.search(r"\bsize = (\d+)", files)
        place = urlsplit(url[1]) if url else urlsplit("")
        remote = place.scheme in {"http", "https"}
        path = Path(unquote(place.path))
        packages.append(
            Package(
                name=name[1],
                version=version[1] if version else "",
                size_bytes=int(size[1]) if size else _file_size(path) if not remote else None,
                source=place.netloc.rpartition("@")[2] if remote else str(path.parent),
                remote=remote,
            )
        )
    return packages


def _compile(lock: Path, options: list[str], stdin: str, run: Callable[..., harness.Child]) -> harness.Child:
    """Write the lock. uv would prefer the versions of an older output file: it sees none."""
    draft = lock.with_name(f"{lock.stem}-{os.getpid()}.toml")
    argv = [find_uv(), "pip", "compile", "-", "--format", "pylock.toml", "-o", str(draft), "--no-header", "--quiet"]
    try:
        child = run([*argv, *options], stdin=stdin)
        if child.succeeded:
            draft.replace(lock)
    finally:
        draft.unlink(missing_ok=True)
    return child


def _unresolved(profile: Profile, failures: list[tuple[str, Failure]], sources: Sources) -> SetupError:
    def asked(backend: str) -> str:
        return f"PyTorch's index for {backend}" if backend else ", ".join(describe(sources))

    told = "; ".join(f"{failure.message} (asked: {asked(backend)})" for backend, failure in failures)
    hint = failures[-1][1].hint
    if any(failure.kind == "no-solution" for _, failure in failures):
        reach = (
            f", or a network that reaches PyTorch's index for {profile.torch_backend}" if profile.torch_backend else ""
        )
        hint = f"Name a source that has it in PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL or UV_INDEX{reach}."
    return SetupError(f"profile {profile.name} cannot be resolved: {told}", hint=hint)


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


def _digest(profile: Profile, python: str, backend: str, sources: Sources, environ: Mapping[str, str]) -> str:
    said = {name: value for name, value in environ.items() if name.startswith("UV_")} | sources.environment
    parts = [sorted(profile.packages), python, backend, sources.flags, sorted(said.items())]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def _cache_folder(environ: Mapping[str, str]) -> Path:
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


def _age_seconds(lock: Path) -> float | None:
    """How old a lock is that may still be used."""
    try:
        age = time.time() - lock.stat().st_mtime
    except OSError:
        return None
    return age if 0 <= age < LOCK_SECONDS else None


def _file_size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
