"""The command line as a user runs it: a process of its own, an empty folder, an environment without surprises."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envkit.setup.uv import find_uv

STAND_IN = runpy.run_path(str(Path(__file__).parents[1] / "nvml/stand_in.py"))
DROPPED = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "NO_COLOR",
    "COLUMNS",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LC_ALL",
    "PYTHONUNBUFFERED",
)


@dataclass(frozen=True)
class Ran:
    """How one command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def first_line(self) -> str:
        return self.out.partition("\n")[0]

    def error(self) -> str:
        """The one line that it said instead of a result."""
        first, *hints = self.err.splitlines()
        assert first.startswith("error: ")
        assert all(line.startswith("  hint: ") for line in hints)
        assert len(hints) < 2
        return first.removeprefix("error: ")


Envkit = Callable[..., Ran]
Broken = tuple[Path, dict[str, str]]


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment variables of a shell that nothing is activated in."""
    return {name: value for name, value in os.environ.items() if name not in DROPPED}


@pytest.fixture
def envkit(tmp_path: Path, environ: dict[str, str]) -> Envkit:
    """Run `envkit ARGUMENTS...`; whatever becomes of it, there is no traceback."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)

    def run(
        *arguments: object,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        cwd: Path = here,
        stdin: str = "",
        timeout: float = 60,
    ) -> Ran:
        ran = subprocess.run(
            [*before, sys.executable, "-m", "envkit", *map(str, arguments)],
            cwd=cwd,
            env={**environ, **(env or {})},
            input=stdin.encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        out, err = ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace")
        assert "Traceback" not in out + err, err
        return Ran(ran.returncode, out, err)

    return run


@pytest.fixture
def in_mounts() -> Callable[[str], list[str]]:
    """Words to put before a command: it runs in mounts of its own, which a shell script has altered."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare -m and mount, which take root")
    return lambda script: ["unshare", "-m", "sh", "-c", f'set -e; {script}; exec "$@"', "sh"]


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing in it."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """Environment variables under which NVML is a stand-in that does what a script says (see tests/nvml/script.h)."""
    folder: Path | None = STAND_IN["build"](tmp_path_factory.mktemp("nvml"))
    if folder is None:
        pytest.skip("no C compiler to build the NVML stand-in with")
    (folder / "libcuda.so.1").touch()  # to be found, nobody loads it

    def play(script: str) -> dict[str, str]:
        (folder / "script").write_text(script)
        return {"NVML_SCRIPT": str(folder / "script"), "LD_LIBRARY_PATH": str(folder)}

    return play


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """An executable file with this shell script in it."""

    def write(script: str) -> Path:
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return write


def zip_wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A wheel of one module, and of a command that prints the path of its Python."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{name}.py": f"version = {version!r}\ndef main():\n    import sys\n    print(sys.prefix)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-where = {name}:main\n",
    }
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))
    return wheel


@pytest.fixture(scope="session")
def make_wheel() -> Callable[..., Path]:
    return zip_wheel


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    """Variables of a machine that knows two packages only, alpha 1.0, which needs beta 2.0, and has empty caches."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    zip_wheel(wheels, "alpha", "1.0", "beta")
    zip_wheel(wheels, "beta", "2.0")
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_NO_CONFIG": "1",
        "UV_HTTP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(wheels),
        "PIP_NO_INDEX": "1",
    }


def uv_install(folder: Path, *requirements: str, env: dict[str, str]) -> None:
    """Install from the wheels of a world, without what they require."""
    argv = [find_uv(), "pip", "install", "--no-index", "--find-links", env["PIP_FIND_LINKS"], "--no-deps"]
    argv += ["--python", folder / "bin/python", *requirements]
    subprocess.run(argv, env={**os.environ, **env}, check=True, capture_output=True)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, make_wheel: Callable[..., Path]) -> Path:
    """Wheels, and an environment of some of them that do not match."""
    folder = tmp_path_factory.mktemp("made")
    wheels = folder / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "jax", "1.0", "jaxlib>=1.0,<=1.0", "beta")
    make_wheel(wheels, "beta", "2.0")
    for version in ("0.9", "1.0", "2.0"):
        make_wheel(wheels, "jaxlib", version)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    env = {"PIP_FIND_LINKS": str(wheels), "UV_CACHE_DIR": str(folder / "cache")}
    uv_install(folder / "env", "jax==1.0", "jaxlib==0.9", "beta==2.0", env=env)
    return folder


@pytest.fixture
def broken(tmp_path: Path, world: dict[str, str], made: Path) -> Broken:
    """An environment that no profile describes: jax and jaxlib do not match, and the user's beta is in it."""
    folder = tmp_path / "here/.venv"
    shutil.copytree(made / "env", folder, symlinks=True)
    shutil.copytree(made / "wheels", tmp_path / "wheels", dirs_exist_ok=True)
    return folder, world


@pytest.fixture
def install() -> Callable[..., None]:
    return uv_install


@pytest.fixture
def listing() -> Callable[[Path], list[tuple[str, int, int]]]:
    """Every path below a folder, with its size and the time of its last change."""

    def look(folder: Path) -> list[tuple[str, int, int]]:
        paths = [(path, path.lstat()) for path in folder.rglob("*")]
        return sorted((str(path.relative_to(folder)), info.st_size, info.st_mtime_ns) for path, info in paths)

    return look
