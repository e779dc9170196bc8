"""`envkit doctor --fix` is killed at several moments: the environment stays whole, and the next run mends it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

Broken = tuple[Path, dict[str, str]]
Listing = Callable[[Path], list[tuple[str, int, int]]]
Start = Callable[[dict[str, str]], subprocess.Popen[bytes]]

ARGUMENTS = ("--select", "python,frameworks,profile", "--fix")


def hang_in_cp(folder: Path, reached: Path) -> dict[str, str]:
    """A cp that does half of its work and then hangs."""
    program = reached.parent / "bin/cp"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n/bin/cp -a "$2/../bin" "$3"\ntouch {reached}\nexec sleep 60\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def hang_in_python(folder: Path, reached: Path, *, isolated: bool) -> dict[str, str]:
    """The copy's Python hangs when it is started: by uv, which isolates it, or by the judging doctor."""
    (site,) = folder.glob("lib/python*/site-packages")
    when = f"sys.prefix.endswith('.envkit-new') and bool(sys.flags.isolated) is {isolated}"
    (site / "hang.pth").write_text(
        f"import os, sys, time; 'HANG' in os.environ and {when} and (open({str(reached)!r}, 'w'), time.sleep(60))\n"
    )
    return {"HANG": "1"}


MOMENTS: dict[str, Callable[[Path, Path], dict[str, str]]] = {
    "copying": hang_in_cp,
    "installing": lambda folder, reached: hang_in_python(folder, reached, isolated=True),
    "judging": lambda folder, reached: hang_in_python(folder, reached, isolated=False),
}


@pytest.fixture
def start(broken: Broken, environ: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Begin `envkit doctor --fix`; whatever it has started is ended with the test."""
    folder, world = broken
    begun: list[psutil.Process] = []

    def run(variables: dict[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "envkit", "doctor", "--python", folder, *ARGUMENTS],
            env={**environ, **world, **variables},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        begun.append(psutil.Process(process.pid))
        return process

    yield run
    for process in begun:
        if process.is_running():
            process.kill()


def await_file(path: Path, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Wait for it; the processes that the run has started by then."""
    deadline = time.monotonic() + 20
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_kill_9_the_environment_is_whole_and_the_next_run_mends_it(
    envkit: Callable[..., Any], broken: Broken, listing: Listing, start: Start, moment: str
) -> None:
    folder, world = broken
    reached = folder.parent.with_name("reached")
    variables = MOMENTS[moment](folder, reached)
    before = listing(folder)
    process = start(variables)
    children = await_file(reached, process)
    process.kill()
    out, _ = process.communicate(timeout=20)
    assert b"Plan: mend" in out, "what was going to be done was printed before"
    assert listing(folder) == before
    assert folder.with_name(".venv.envkit-new").exists()
    ran = envkit("doctor", "--python", folder, *ARGUMENTS, env=world)
    assert ran.status == 0, ran.out + ran.err
    assert sorted(path.name for path in folder.parent.iterdir()) == [".venv", ".venv.previous"]
    assert listing(folder.with_name(".venv.previous")) == before
    for child in children:
        if child.is_running():
            child.kill()


def test_ctrl_c_leaves_only_the_old_environment(broken: Broken, listing: Listing, start: Start, tmp_path: Path) -> None:
    folder, _ = broken
    before = listing(folder.parent)
    process = start(hang_in_cp(folder, tmp_path / "reached"))
    await_file(tmp_path / "reached", process)
    process.send_signal(2)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert listing(folder.parent) == before
