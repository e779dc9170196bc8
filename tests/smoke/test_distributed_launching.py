"""Ranks that fail, hang, are killed: which is named, and when. A worker without framework."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.smoke.distributed import together
from envkit.smoke.distributed.types import TogetherEvent, World

# Every rank waits for the others in files; FAULT is where a test puts its own. A rank that waits too long says so.
WORKER = """
import os, time
VERSION = "1.0"
def meet(task, modules, say):
    say({"stage": "meet"})
def wait(what, task):
    folder, rank = os.environ["FOLDER"], task["rank"]
    open(f"{folder}/{what}{rank}", "w").close()
    until = time.monotonic() + task["deadline_seconds"]
    while not all(os.path.exists(f"{folder}/{what}{other}") for other in range(task["size"])):
        if time.monotonic() > until or os.path.exists(folder + "/broken"):
            raise TimeoutError("timed out waiting for a peer")
        time.sleep(0.01)
def run(task, modules, world, say):
    rank = task["rank"]
    for step in range(5):
        say({"stage": "train", "model": "mlp", "step": step, "loss": 1.0})
        if step == 3:
            FAULT
        wait(f"step{step}.", task)
def cause(error):
    return type(error).__name__, isinstance(error, TimeoutError)
"""

Train = Callable[..., World]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    """Train three ranks with a fault of one's own; the world, of which only the ranks are judged here."""
    whole = together.read_sources("torch")

    def with_fault(fault: str, deadline_seconds: float = 30, size: int = 3, before: str = "") -> World:
        sources = {"child": whole["child"], "worker": before + WORKER.replace("FAULT", fault)}
        monkeypatch.setattr(together, "read_sources", lambda _framework: dict(sources))
        monkeypatch.setattr(together, "need_equal_shares", lambda *_: None)
        env = {**os.environ, "FOLDER": str(tmp_path)}
        return together.train_together(sys.executable, size, deadline_seconds=deadline_seconds, env=env).worlds[0]

    return with_fault


def statuses(world: World) -> list[tuple[str, str | None]]:
    return [(rank.status, rank.cause) for rank in world.ranks]


def test_ranks_without_a_fault_end_by_themselves(train: Train) -> None:
    assert statuses(train("pass")) == [("pass", None)] * 3


def test_a_rank_that_is_killed_is_named_and_the_others_are_not(train: Train) -> None:
    world = train("if rank == 1: os.kill(os.getpid(), 9)")
    assert statuses(world) == [("skip", "other-rank"), ("crash", "killed"), ("skip", "other-rank")]
    assert "rank 1 on " in world.message
    assert "killed by SIGKILL while training mlp, after step 3" in world.message
    assert world.seconds < 15, "the deadline of 30 s was not waited for"


def test_a_rank_that_stops_is_named_within_two_seconds_of_the_deadline(train: Train) -> None:
    world = train("if rank == 2: os.kill(os.getpid(), 19)", deadline_seconds=4)
    assert statuses(world) == [("skip", "other-rank"), ("skip", "other-rank"), ("crash", "hang")]
    assert "rank 2" in world.message
    assert "no answer within 4 s while training mlp" in world.message
    assert world.ranks[0].words == "TimeoutError: timed out waiting for a peer"
    assert world.seconds < 4 + 2 + 4, "starting three interpreters may take some of it"


def test_when_all_are_silent_the_one_that_is_behind_is_named(train: Train) -> None:
    fault = "if rank == 1: time.sleep(600)\n            say({'stage': 'agree'})"
    world = train(fault, deadline_seconds=2, before="import time\ntime.monotonic = lambda: 0\n")
    assert statuses(world) == [("skip", "other-rank"), ("crash", "hang"), ("skip", "other-rank")]


def test_an_error_of_its_own_is_the_cause_of_the_others_broken_connections(train: Train) -> None:
    fault = (
        "if rank == 0:\n                open(os.environ['FOLDER'] + '/broken', 'w').close(); raise ValueError('bad')"
    )
    world = train(fault)
    assert statuses(world) == [("fail", "ValueError"), ("skip", "other-rank"), ("skip", "other-rank")]
    assert world.ranks[1].message == "ended because of rank 0, while training mlp, after step 3"


def test_a_rank_that_cannot_import_is_named(train: Train) -> None:
    world = train(
        "pass", before="import os\nif os.environ['RANK'] == '1': raise ImportError('libx.so: no such file')\n"
    )
    assert statuses(world)[1] == ("fail", "import-failed")
    assert "libx.so: no such file (while importing the framework)" in world.message


def test_an_interpreter_that_is_not_there_is_said_once_for_all(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert {rank.cause for rank in train("pass").ranks} == {"interpreter-failed"}


def test_what_a_killed_rank_wrote_on_stderr_is_kept(train: Train) -> None:
    fault = "os.write(2, b'NCCL WARN Net: no route\\n')\n            time.sleep(600)"
    assert {rank.words for rank in train(fault, deadline_seconds=2).ranks} == {"NCCL WARN Net: no route"}


def test_a_failing_on_event_leaves_no_rank(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    def enough(event: TogetherEvent) -> None:
        if event.step == 3:
            raise EnoughError

    original = together.train_together
    monkeypatch.setattr(together, "train_together", lambda *args, **given: original(*args, on_event=enough, **given))
    fault = "open(os.environ['FOLDER'] + f'/pid{os.getpid()}', 'w').close(); time.sleep(600)"
    with pytest.raises(EnoughError):
        train(fault)
    for file in tmp_path.glob("pid*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.name[3:]), 0)


PARENT = """
import sys
from envkit.smoke.distributed import together
whole = together.read_sources("torch")
sources = {"child": whole["child"], "worker": WORKER}
together.read_sources = lambda _framework: dict(sources)
print(together.train_together(sys.executable, 2).worlds[0].ranks)
"""


def test_a_rank_that_its_launcher_ends_still_says_a_verdict(tmp_path: Path) -> None:
    """As torchrun does when another rank has ended."""
    program = f"WORKER = {WORKER.replace('FAULT', 'os.kill(os.getppid(), 15)')!r}\n{PARENT}"
    for step in range(3):
        (tmp_path / f"step{step}.1").touch()  # what the other rank would say
    place = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    path = str(Path(together.__file__).parents[3])
    env = {**os.environ, **place, "FOLDER": str(tmp_path), "PYTHONPATH": path}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert "ended by its launcher (SIGTERM) while training mlp, after step 3" in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_rank_outlives_envkit(number: signal.Signals, tmp_path: Path) -> None:
    fault = "open(os.environ['FOLDER'] + f'/pid{os.getpid()}', 'w').close(); time.sleep(600)"
    program = f"WORKER = {WORKER.replace('FAULT', fault)!r}\n{PARENT}"
    env = {**os.environ, "FOLDER": str(tmp_path), "PYTHONPATH": str(Path(together.__file__).parents[3])}
    parent = subprocess.Popen([sys.executable, "-c", program], env=env, stderr=subprocess.DEVNULL)
    try:
        while len(pids := [int(file.name[3:]) for file in tmp_path.glob("pid*")]) < 2:
            assert parent.poll() is None
            time.sleep(0.02)
        parent.send_signal(number)
        parent.wait(30)
    finally:
        parent.kill()
        parent.wait()
    until = time.monotonic() + 20
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
