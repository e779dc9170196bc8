"""SIGKILL, wherever it strikes: what is at the target runs, and the next setup succeeds and clears up."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.setup.plan import building_folder

Start = Callable[[str], "subprocess.Popen[str]"]

KILLS = 50
NAMES = [f"pack{letter}" for letter in "abcdef"]
MODULES = 150

LOOK = f"""
import importlib, pathlib, sys
found = set()
for name in {NAMES}:
    package = importlib.import_module(name)
    files = list(pathlib.Path(package.__file__).parent.glob("m*.py"))
    found.add((package.version, len(files), min(file.stat().st_size for file in files) > 0))
print(sorted(found))
"""


def zip_package(folder: Path, name: str, version: str) -> None:
    """A wheel of a package with many files, which take their time to be put in place."""
    info = f"{name}-{version}.dist-info"
    files = {f"{name}/m{number}.py": f"number = {number}\n" for number in range(MODULES)}
    files |= {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [*(f"{path},," for path in files), f"{info}/RECORD,,", ""]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "\n".join(rows)}.items():
            archive.writestr(path, text)


@pytest.fixture
def setup(tmp_path: Path, environ: dict[str, str], wheelhouse: Path) -> Start:
    """Start `envkit setup` of a profile with all packages in a version, over the environment at tmp_path/env."""
    for version in ("1.0", "2.0"):
        for name in NAMES:
            zip_package(wheelhouse, name, version)
        packages = "\n".join(f"  - {name}=={version}" for name in NAMES)
        (tmp_path / f"v{version}.yaml").write_text(f"description: Little.\npackages:\n{packages}\n")

    def start(version: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "envkit", "setup", "--profile", f"v{version}.yaml", "--venv", "env"]
        return subprocess.Popen(
            [*argv, "--no-doctor", "--no-smoke"],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def look(target: Path) -> str:
    """The version of every package in it, and that all their files are there: all the same, or it is torn."""
    argv = [str(target / "bin/python"), "-B", "-c", LOOK]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    whole = {f"[('{version}', {MODULES}, True)]": version for version in ("1.0", "2.0")}
    return whole.get(ran.stdout.strip(), f"torn: {ran.stdout} {ran.stderr[-300:]}")


def finish(child: subprocess.Popen[str]) -> float:
    started = time.monotonic()
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 0, said
    return time.monotonic() - started


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("env*"))


@pytest.fixture
def usual(setup: Start) -> float:
    """How long a setup over an existing environment takes, in seconds; version 2.0 is there then."""
    for version in ("1.0", "2.0", "1.0"):
        finish(setup(version))
    return finish(setup("2.0"))


def test_fifty_kills_leave_the_old_environment_or_the_new_one(setup: Start, usual: float, tmp_path: Path) -> None:
    chance, target = random.Random(5), tmp_path / "env"
    begun = replaced = 0
    for number in range(KILLS):
        new, old = ("1.0", "2.0") if number % 2 == 0 else ("2.0", "1.0")
        child = setup(new)
        time.sleep(chance.uniform(0.2, 1.0) * usual)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=20)
        begun += building_folder(target).exists()
        there = look(target)
        assert there in {old, new}, f"kill {number}"
        replaced += there == new
        finish(setup(new))
        assert look(target) == new, f"after kill {number}"
        assert entries(tmp_path) == ["env", "env.previous"], f"after kill {number}"
    assert begun >= KILLS // 10, "most kills came before or after the work"
    assert 0 < replaced < KILLS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_who_is_asked_to_stop_clears_up_at_once(setup: Start, usual: float, tmp_path: Path, number: int) -> None:
    chance, target = random.Random(7), tmp_path / "env"
    there = "2.0"
    for _ in range(5):
        old, new = there, "1.0" if there == "2.0" else "2.0"
        child = setup(new)
        time.sleep(chance.uniform(0.4, 1.0) * usual)
        child.send_signal(number)
        said, _ = child.communicate(timeout=20)
        # Before it has a handler the signal ends it, and past the exchange it comes too late.
        assert child.returncode in {0, 130, -number}, said
        assert entries(tmp_path) == ["env", "env.previous"]
        there = look(target)
        assert there == (new if child.returncode == 0 else old)
