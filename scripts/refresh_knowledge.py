"""Say what package metadata knows and envkit/knowledge does not: `python scripts/refresh_knowledge.py [--all] [torch]`.

Asks the index that pip is configured for which releases there are (PEP 691) and uv what they require, and changes
nothing: it prints rows in the form of the tables, for a person to put there. What metadata does not tell, the CUDA code
in a wheel, has to be looked up; its place is marked with "?".

--all asks uv about every release of PyTorch, which takes minutes, not only about new ones. Exit status: 0 nothing new,
1 rows were printed, 2 wrong usage, 3 the index could not be asked (offline, or it does not speak JSON).
"""

from __future__ import annotations

# ruff: noqa: INP001 - a script, no package
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast, get_args
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version
from uv import find_uv_bin

from envkit.errors import EnvkitError
from envkit.knowledge import Knowledge
from envkit.knowledge.wheels import Release
from envkit.setup.sources.configured import read_sources
from envkit.versions import minor

Framework = Literal["torch", "tensorflow", "jax"]
TIMEOUT_SECONDS = 30
COMPANIONS = ("torchvision", "torchaudio")
UNKNOWN = "?"


def index() -> str:
    """The index of uv's or pip's configuration, else pip's own.

    Raises:
        LookupError: none is configured, and there is no pip to know its own.
    """
    configured = os.environ.get("UV_DEFAULT_INDEX") or read_sources(os.environ).environment.get("UV_DEFAULT_INDEX")
    if configured:
        return configured
    try:
        from pip._internal.models.index import PyPI  # noqa: PLC0415 - pip has no public name for it
    except ImportError as error:
        raise LookupError("no index is configured, and pip is not installed") from error
    return str(PyPI.simple_url)


def get(url: str, accept: str = "*/*") -> bytes:
    with urlopen(Request(url, headers={"Accept": accept}), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - pip's index
        return bytes(answer.read())


def wheels(base: str, project: str) -> dict[Version, list[dict[str, Any]]]:
    """Release to its wheels for Linux on x86_64, or for any machine: the index's entries, with their CPython `tags`."""
    page = f"{base.rstrip('/')}/{project}/"
    found: dict[Version, list[dict[str, Any]]] = {}
    for file in json.loads(get(page, "application/vnd.pypi.simple.v1+json"))["files"]:
        try:
            _, version, _, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:
            continue
        fitting = [t for t in tags if t.platform == "any" or ("linux" in t.platform and t.platform.endswith("x86_64"))]
        if fitting and not version.is_prerelease and not file.get("yanked"):
            plain = {t.interpreter for t in fitting if t.abi in {t.interpreter, "none"}}
            found.setdefault(version, []).append({**file, "url": urljoin(page, file["url"]), "tags": plain})
    return found


def python_range(files: list[dict[str, Any]], floor: str | None = None) -> str:
    """The Pythons that wheels are for, none older than `floor` allows: tags cp310 and cp311 are ">=3.10,<3.12"."""
    tags = {tag for file in files for tag in file["tags"] if tag.startswith("cp3")}
    minors = sorted(int(tag.removeprefix("cp3")) for tag in tags)
    allowed = [m for m in minors if not floor or SpecifierSet(floor).contains(f"3.{m}.99")]
    return f">=3.{allowed[0]},<3.{allowed[-1] + 1}" if allowed else UNKNOWN


def resolved(python: str, *requirements: str) -> dict[str, str]:
    """Package to the version that uv chooses for requirements on Linux x86_64: it reads metadata, not whole wheels.

    Raises:
        ValueError: they cannot be met, or uv has no answer from the index.
    """
    sources = read_sources(os.environ)
    argv = [
        find_uv_bin(),
        "pip",
        "compile",
        "--quiet",
        "--no-header",
        "--no-annotate",
        "--only-binary=:all:",
        "--no-python-downloads",
    ]
    argv += [f"--python-version={python}", "--python-platform=x86_64-manylinux_2_28", *sources.flags, "-"]
    environment = sources.child_environment(os.environ)
    text = "\n".join(requirements)
    child = subprocess.run(argv, input=text, env=environment, capture_output=True, text=True, check=False)
    if child.returncode:
        raise ValueError(sources.redact(" ".join(child.stderr.split()))[:300])
    lines = [line.partition("==") for line in child.stdout.split("\n")]
    return {name: version for name, _, version in lines if version}


def torch_fields(version: Version, python: str) -> dict[str, str]:
    """The CUDA of PyTorch's wheel on PyPI, by the runtime that it requires, and its companions.

    The newest torchvision that takes it; of torchaudio, whose last release takes every PyTorch, none that is newer.
    """
    minors = [f"3.{m}" for m in range(8, 30) if SpecifierSet(python).contains(f"3.{m}")]
    found = resolved(minors[len(minors) // 2], f"torch=={version}", "torchvision", f"torchaudio<={version}")
    runtime = [name for name in found if name.startswith(("cuda-toolkit", "nvidia-cuda-runtime"))]
    cuda = minor(found[min(runtime)]) if runtime else UNKNOWN
    return {"cuda": cuda, **{name: found.get(name, UNKNOWN) for name in COMPANIONS}}


def rows(framework: Framework, knowledge: Knowledge, base: str, *, everything: bool) -> Iterator[str]:
    """A line for each release that a table lacks or has otherwise than metadata says."""
    known: Mapping[str, Release] = knowledge.releases(framework)
    oldest = min(Version(version) for version in known)
    own = wheels(base, framework)
    binary = wheels(base, "jaxlib") if framework == "jax" else own
    for version in sorted(v for v in own if v >= oldest):
        built = max((v for v in binary if v <= version), default=None)
        floor = own[version][0].get("requires-python") if framework == "jax" else None
        fields = {"python": python_range(binary[built] if built else [], floor)}
        row = known.get(str(version))
        if framework == "torch" and (everything or row is None):
            fields |= torch_fields(version, fields["python"])
        if framework == "tensorflow" and row is None:
            fields |= {"sm": UNKNOWN, "ptx": UNKNOWN}
        wrong = [
            f"{name} {getattr(row, name)}"
            for name, said in fields.items()
            if row is not None and said != UNKNOWN and getattr(row, name, said) != said
        ]
        if row is None or wrong:
            written = [f"{name}: {said if said == UNKNOWN else json.dumps(said)}" for name, said in fields.items()]
            remark = f"the table says {', '.join(wrong)}" if wrong else "new"
            yield f'  "{version}": {{{", ".join(written)}}}  # {remark}'


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if argument != "--all"]
    if any(name not in get_args(Framework) for name in names):
        sys.stderr.write(f"usage: refresh_knowledge.py [--all] [{' '.join(get_args(Framework))}]\n")
        return 2
    knowledge, status = Knowledge(), 0
    for framework in cast("list[Framework]", names or get_args(Framework)):
        try:
            lines = list(rows(framework, knowledge, index(), everything="--all" in arguments))
        except (OSError, ValueError, KeyError, LookupError, EnvkitError) as error:
            sys.stderr.write(f"{framework}: the index could not be asked: {error}\n")
            status = 3
            continue
        sys.stdout.write("\n".join([f"{framework}.yaml: {'nothing new' if not lines else ''}".rstrip(), *lines, ""]))
        status = max(status, int(bool(lines)))
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
