"""What is said of a child that gets no memory."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FAULTY = runpy.run_path(str(Path(__file__).parent / "faulty_adapter.py"))
CONTENT, adapter = FAULTY["CONTENT"], FAULTY["adapter"]

LIMITED = """
import json, sys
CONTENT
from envkit.profile import SmokeRun
from envkit.smoke import framework
from envkit.smoke.run import smoke
whole = framework.read_sources("torch")
framework.read_sources = lambda name: {**whole, "models": "", "adapter": ADAPTER}
report = smoke(sys.executable, [SmokeRun(framework="torch")])
print(json.dumps([[run.status, run.cause, run.message] for run in report.runs]))
"""


@pytest.fixture
def limited_group() -> Iterator[str]:
    """A memory control group (version 1) with a limit of 128 MiB."""
    folder = Path(f"/sys/fs/cgroup/memory/envkit-test-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"needs a writable memory control group, version 1: {error}")
    try:
        (folder / "memory.limit_in_bytes").write_text(str(128 << 20))
        yield str(folder)
    finally:
        folder.rmdir()


def test_a_child_killed_for_want_of_memory_is_told_with_the_kernels_count(limited_group: str) -> None:
    eater = adapter(build="x = bytearray(os.urandom(1 << 20)) * 400 if case.name == 'mlp' else 0")
    program = f"ADAPTER = {eater!r}\n{LIMITED.replace('CONTENT', CONTENT)}"
    shell = f'echo $$ > {limited_group}/cgroup.procs && exec "$0" -c "$1"'
    ended = subprocess.run(
        ["sh", "-c", shell, sys.executable, program], capture_output=True, text=True, timeout=60, check=True
    )
    mlp, cnn = json.loads(ended.stdout)
    assert mlp[:2] == ["crash", "out-of-memory"], mlp
    assert "killed by SIGKILL while building mlp; the kernel counts 1 out-of-memory kill(s)" in mlp[2]
    assert cnn[0] == "pass"


def test_a_child_refused_memory_says_so() -> None:
    program = f"ADAPTER = {adapter(build='x = bytearray(4 << 30)')!r}\n{LIMITED.replace('CONTENT', CONTENT)}"
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -v 1500000; exec "$0" -c "$1"', sys.executable, program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [run[:2] for run in json.loads(ended.stdout)] == [["fail", "out-of-memory"]] * 2
