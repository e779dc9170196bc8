"""Say what package metadata knows and envkit/knowledge does not: `python scripts/refresh_knowledge.py [torch ...]`.

Reads the index that pip is configured for (PEP 691, PEP 658), prints rows for new releases and for Pythons that
changed, in the form of the tables, and changes nothing: architectures and companions have to be looked up by a person.
"""

from __future__ import annotations

# ruff: noqa: INP001 - a script, no package
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from envkit.knowledge import Knowledge
from envkit.knowledge.tables import Release
from envkit.versions import minor, parse_requirement

PROJECTS = {"torch": "torch", "tensorflow": "tensorflow", "jax": "jaxlib"}
"""Table to the project whose wheels tell the Pythons."""
PINNED = ("nvidia-cudnn", "nvidia-nccl", "triton", "numpy", "protobuf", "keras", "setuptools")
TIMEOUT_SECONDS = 30


def index() -> str:
    """The index of pip's configuration, else pip's own."""
    argv = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    if said:
        return said
    from pip._internal.models.index import PyPI  # noqa: PLC0415 - pip has no public name for it

    return str(PyPI.simple_url)


def get(url: str, accept: str = "*/*") -> bytes:
    with urlopen(Request(url, headers={"Accept": accept}), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - pip's index
        return bytes(answer.read())


def wheels(base: str, project: str) -> Iterator[tuple[Version, str, dict[str, Any]]]:
    """Version, Python tag and file of every released CPython wheel for Linux on x86_64."""
    page = f"{base.rstrip('/')}/{project}/"
    listing = json.loads(get(page, "application/vnd.pypi.simple.v1+json"))
    for file in listing["files"]:
        try:
            _, version, _, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:
            continue
        linux = [t for t in tags if "linux" in t.platform and t.platform.endswith("x86_64")]
        if linux and not version.is_prerelease and not file.get("yanked") and linux[0].abi == linux[0].interpreter:
            yield version, linux[0].interpreter, {**file, "url": urljoin(page, file["url"])}


def python_range(tags: set[str]) -> str:
    """{"cp310", "cp311"} -> ">=3.10,<3.12"."""
    minors = sorted(int(tag.removeprefix("cp3")) for tag in tags if tag.startswith("cp3"))
    return f">=3.{minors[0]},<3.{minors[-1] + 1}" if minors else ""


def pins(file: dict[str, Any]) -> list[str]:
    """What a wheel requires of the packages that matter here."""
    if not (file.get("core-metadata") or file.get("data-dist-info-metadata")):
        return []
    lines = get(f"{file['url']}.metadata").decode("utf-8", "replace").split("\n")
    wanted = [parse_requirement(line.removeprefix("Requires-Dist: ")) for line in lines if "Requires-Dist: " in line]
    return sorted({str(r) for r in wanted if r and r.name.startswith(PINNED)})


def report(framework: str, known: dict[str, str], *, by_series: bool, base: str) -> Iterator[str]:
    """Lines for the releases that a table lacks or has with other Pythons."""
    tags: dict[str, set[str]] = {}
    files: dict[str, dict[str, Any]] = {}
    oldest = min(Version(version) for version in known)
    for version, tag, file in wheels(base, PROJECTS[framework]):
        key = minor(str(version)) if by_series else str(version)
        if version >= oldest:
            tags.setdefault(key, set()).add(tag)
            files[key] = file
    for key in sorted(tags, key=Version):
        said = python_range(tags[key])
        if key not in known:
            yield f'  "{key}": {{python: "{said}"}}  # new; requires {", ".join(pins(files[key])) or "unknown"}'
        elif known[key] != said:
            yield f'  "{key}": {{python: "{said}"}}  # the table says {known[key]}'


def main() -> None:
    knowledge, base = Knowledge(), index()
    tables: dict[str, Mapping[str, Release]] = {
        "torch": knowledge.torch.releases,
        "tensorflow": knowledge.tensorflow.releases,
        "jax": knowledge.jax.releases,
    }
    for framework in sys.argv[1:] or tables:
        known = {version: row.python for version, row in tables[framework].items()}
        lines = list(report(framework, known, by_series=framework == "jax", base=base))
        sys.stdout.write("\n".join([f"{framework}.yaml: {'nothing new' if not lines else ''}", *lines, ""]))


if __name__ == "__main__":
    main()
