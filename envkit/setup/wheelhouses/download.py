"""Fills a wheelhouse for a machine without a network: the very files of a resolution, whole or not at all.

From the addresses that uv found: no index is asked once more. Files arrive in a folder inside the wheelhouse, and are
renamed when their SHA-256 is right; a kill costs one large file or one batch of small ones.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from envkit.errors import SetupError
from envkit.setup.plan import count, size
from envkit.setup.progress import Progress
from envkit.setup.resolving.pylock import read_lock, wheels
from envkit.setup.sources.configured import Sources
from envkit.setup.target import only_one
from envkit.setup.wheelhouses.pip_download import Pip
from envkit.setup.wheelhouses.wheelhouse import fault, supported_tags

PARTIAL = ".envkit-partial"
BATCH_BYTES = 100e6
"""So much is fetched by one run of pip, each of which takes a second to start."""


class File(msgspec.Struct, frozen=True, order=True):
    """One wheel to have."""

    package: str
    version: str
    url: str
    """Where it is: http(s), file:// or a path."""
    sha256: str
    size_bytes: int | None

    @property
    def filename(self) -> str:
        return unquote(urlsplit(self.url).path.rpartition("/")[2])


class Downloaded(msgspec.Struct, frozen=True):
    """What a wheelhouse has by now."""

    files: list[File]
    size_bytes: int
    """Of all of them."""
    fetched: int
    """How many were not there."""
    fetched_bytes: int


def download(
    pylock: Path,
    folder: Path,
    *,
    python: str,
    python_version: str,
    sources: Sources,
    environ: Mapping[str, str],
    progress: Progress,
) -> Downloaded:
    """Fetch the wheels of a resolution that the folder does not have yet.

    Args:
        pylock: a pylock.toml that uv wrote (Resolved.lock).
        folder: the wheelhouse; it is made.
        python: an interpreter that pip can run on.
        python_version: of the interpreter that the wheels are for: "3.12.5".
        sources: where packages come from.
        environ: the environment variables.
        progress: told what goes on.

    Raises:
        SetupError: a package has no wheel, a file cannot be fetched or is not the one that was resolved, or there is
            no room. What was fetched so far stays, and is not fetched again.
    """
    wanted = wanted_files(pylock.read_text(encoding="utf-8"), python_version)
    folder = folder.expanduser().absolute()
    partial = folder / PARTIAL
    pip = Pip(python, python_version, sources, environ, progress.tick)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            shutil.rmtree(partial, ignore_errors=True)  # of one that was killed
            partial.mkdir()
            try:
                lacking = [file for file in wanted if not _is_there(folder / file.filename, file)]
                _check_room(folder, lacking)
                done = 0
                for batch in _batches(lacking):
                    done += len(batch)
                    progress.begin(f"Fetching {_title(batch)} ({done} of {len(lacking)})")
                    try:
                        _fetch(batch, partial, pip)
                    finally:
                        progress.end()
                    for file in batch:
                        (partial / file.filename).replace(folder / file.filename)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            sizes = {file: (folder / file.filename).stat().st_size for file in wanted}
    except OSError as error:
        raise SetupError(f"{folder} cannot be filled: {error.strerror or error}") from error
    return Downloaded(wanted, sum(sizes.values()), len(lacking), sum(sizes[file] for file in lacking))


def wanted_files(pylock: str, python_version: str) -> list[File]:
    """One wheel for each package of a pylock.toml: where several suit, the one that suits best here.

    Raises:
        SetupError: a package has none.
    """
    found = wheels(pylock)
    rank = {tag: number for number, tag in enumerate(supported_tags(python_version))}
    files = []
    for package in read_lock(pylock):
        offered = []
        for wheel in found[package.name]:
            address = re.search(r'(?:url|path) = "([^"]+)"', wheel.text)
            if address:
                offered.append(File(package.name, package.version, address[1], wheel.sha256, wheel.size_bytes))
        if not offered:
            raise SetupError(
                f"{package.name}=={package.version} has no wheel that could be taken along",
                hint="Build one (pip wheel) into a folder, and name that in PIP_FIND_LINKS.",
            )
        files.append(min(offered, key=lambda file: _rank(file.filename, rank)))
    return files


def _rank(filename: str, rank: Mapping[Tag, int]) -> int:
    return min(rank.get(tag, len(rank)) for tag in parse_wheel_filename(filename)[3])


def _is_there(path: Path, file: File) -> bool:
    return path.is_file() and not fault(path, {file.sha256})


def _check_room(folder: Path, lacking: list[File]) -> None:
    needed = sum(file.size_bytes or 0 for file in lacking)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupError(
            f"not enough disk space in {folder}: {size(free)} free, {size(needed)} needed",
            hint="Free space, or name a folder on another disk.",
        )


def _batches(files: list[File]) -> Iterator[list[File]]:
    """The files in groups that are fetched together."""
    batch: list[File] = []
    for file in files:
        if batch and sum(each.size_bytes or 0 for each in [*batch, file]) > BATCH_BYTES:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _title(batch: list[File]) -> str:
    bytes_ = sum(file.size_bytes or 0 for file in batch)
    what = f"{batch[0].package} {batch[0].version}" if len(batch) == 1 else count(batch)
    return what + (f", {size(bytes_)}" if bytes_ else "")


def _fetch(batch: list[File], partial: Path, pip: Pip) -> None:
    remote = [file for file in batch if file.url.startswith(("http://", "https://"))]
    if remote:
        pip.fetch({f.filename: f"{f.package} @ {f.url} --hash=sha256:{f.sha256}" for f in remote}, partial)
    for file in batch:
        if file not in remote:
            shutil.copyfile(unquote(urlsplit(file.url).path), partial / file.filename)
        if why := fault(partial / file.filename, {file.sha256}):
            raise SetupError(f"{file.filename} is not the file that was resolved: {why}")
