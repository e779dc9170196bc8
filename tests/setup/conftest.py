"""A whole little world of packages: wheels zipped on the spot, no network, a cache of its own."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.profile import Profile, Requires
from envkit.setup.plan import Plan, make_plan
from envkit.setup.resolving.resolve import resolve
from envkit.setup.sources.configured import read_sources
from envkit.setup.uv import find_uv

MakeWheel = Callable[..., Path]


def zip_wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> Path:
    """A wheel of one module."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {each}\n" for each in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD"
    rows = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, record: "\n".join([*rows, f"{record},,", ""])}.items():
            archive.writestr(path, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def make_wheel() -> MakeWheel:
    return zip_wheel


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    """Two packages: alpha 1.0, which needs beta 2.0."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    zip_wheel(folder, "alpha", "1.0", ("beta",))
    zip_wheel(folder, "beta", "2.0")
    return folder


@pytest.fixture
def environ(tmp_path: Path, wheelhouse: Path) -> dict[str, str]:
    """The environment variables of a machine that knows only the wheelhouse."""
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_NO_CONFIG": "1",
        "UV_HTTP_RETRIES": "0",
        "PIP_FIND_LINKS": str(wheelhouse),
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


@pytest.fixture
def profile() -> Profile:
    return Profile(name="tiny", packages=["alpha==1.0"], requires=Requires(python=">=3.10"))


@pytest.fixture
def plan_for(environ: dict[str, str]) -> Callable[[Profile, Path], Plan]:
    """A real plan, resolved by uv from the wheelhouse."""

    def plan(profile: Profile, target: Path) -> Plan:
        sources = read_sources(environ, root=target.parent / "no-root")
        python = str(Path(sys.executable).resolve())
        resolved = resolve(profile, python=python, sources=sources, environ=environ)
        return make_plan(
            profile,
            uv=find_uv(),
            python=python,
            python_version=".".join(map(str, sys.version_info[:3])),
            target=target,
            resolved=resolved,
            sources=sources,
            replaces=(target / "pyvenv.cfg").exists(),
        )

    return plan
