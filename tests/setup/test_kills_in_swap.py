"""Environments change places too fast for a kill to hit by chance: here it strikes at each step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
import os, shutil, signal, sys
from itertools import count
from pathlib import Path
from envkit import harness
from envkit.setup import rollback, swap
from envkit.setup.plan import building_folder, previous_folder
from envkit.setup.target import only_one

root, action, exchange = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "exchange"
target = root / "env"
previous, building = previous_folder(target), building_folder(target)
harness.run = lambda *_, **__: harness.Child("exited", exit_status=0)
if not exchange:
    swap._exchange = lambda first, second: False
GOOD = {
    "setup": [{"env": "old", "env.previous": "older"}, {"env": "old"}, {"env": "new", "env.previous": "old"}],
    "rollback": [{"env": "old", "env.previous": "older"}, {"env": "older", "env.previous": "old"}],
}


def environment(folder, name):
    for path in ("pyvenv.cfg", "bin/python", "lib/package.py"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


def whole(folder, marked=()):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in marked]
    names = {path.read_text() for path in files}
    assert len(files) == 3 and len(names) == 1, (moment, folder, files)
    return names.pop()


def hook_for(moment):
    seen = count(1)

    def hook(event, arguments):
        if event.startswith(("os.", "open", "shutil.")) and next(seen) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


for moment in count(1):
    shutil.rmtree(root)
    environment(target, "old")
    environment(previous, "older")
    if action == "setup":
        environment(building, "new")
        (building / swap.MARKER).touch()
    child = os.fork()
    if child == 0:
        if action == "setup":
            with only_one(target):
                sys.addaudithook(hook_for(moment))
                swap.put_in_place(target)
        else:
            sys.addaudithook(hook_for(moment))
            rollback.rollback(target)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    if exchange or target.exists():
        assert whole(target, marked={swap.MARKER}) in {"old", "new", "older"}, moment
    rollback.recover(target)
    there = {path.name: whole(path) for path in root.iterdir()}
    assert there in GOOD[action], (moment, there)
    if not killed:
        assert there == GOOD[action][-1]
        break
print(moment)
"""


@pytest.mark.parametrize("how", ["exchange", "renames"])
@pytest.mark.parametrize("action", ["setup", "rollback"])
def test_a_kill_at_any_step_leaves_whole_environments(tmp_path: Path, action: str, how: str) -> None:
    """`renames`: where the file system cannot exchange, the target may be gone until the next run."""
    world = tmp_path / "world"
    world.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER, str(world), action, how],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 10, "too few moments"
