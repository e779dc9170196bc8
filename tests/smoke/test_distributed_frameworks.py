"""Real frameworks on two ranks or devices: the training of one process; real faults; real launchers."""

from __future__ import annotations

import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.smoke.distributed import asked, together
from envkit.smoke.distributed.types import TogetherReport, World

pytestmark = pytest.mark.heavy

RANKS = runpy.run_path(str(Path(__file__).parent / "rank_program.py"))
Train = Callable[..., World]

BEFORE_TRAINING = """
_right = _train
def _train(name, *given):
    FAULT
    return _right(name, *given)
"""


@pytest.fixture
def train(cpu_stack: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Train PyTorch on gloo with a fault of one's own in the worker."""
    whole = together.read_sources("torch")

    def with_fault(fault: str, size: int = 2, deadline_seconds: float = 120, **given: Any) -> World:
        sources = {**whole, "worker": whole["worker"] + fault}
        monkeypatch.setattr(together, "read_sources", lambda _framework: dict(sources))
        given = {"models": ["mlp"], **given}
        return together.train_together(str(cpu_stack), size, deadline_seconds=deadline_seconds, **given).worlds[0]

    return with_fault


def failed(world: World) -> set[str]:
    return {check.name for check in world.checks if check.status == "fail"}


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"])
def test_two_train_as_one(framework: Any, cpu_stack: Path) -> None:
    report: TogetherReport = together.train_together(str(cpu_stack), 2, frameworks=[framework], deadline_seconds=240)
    (world,) = report.worlds
    assert (report.status, world.message) == ("healthy", "")
    trained = {check.case for check in world.checks if check.name == "trajectory"}
    assert trained == set(asked.TRAINED[framework])
    if framework == "torch":
        assert {check.name for check in world.checks} == {
            *("all-reduce", "all-reduce-pairs", "broadcast", "all-gather", "trajectory", "equal-weights")
        }


def test_gradients_that_are_added_instead_of_averaged_are_seen(train: Train) -> None:
    """Adam hardly notices: it divides by the gradient's size. SGD does."""
    fault = (
        "\n_averaging = DistributedDataParallel\n"
        "def DistributedDataParallel(network):\n"
        "    network = _averaging(network)\n"
        "    def add(state, bucket):\n"
        "        done = dist.all_reduce(bucket.buffer(), async_op=True).get_future()\n"
        "        return done.then(lambda sums: sums.value()[0])\n"
        "    network.register_comm_hook(None, add)\n"
        "    return network\n"
    )
    world = train(fault, models=["cnn"])
    assert failed(world) == {"trajectory"}
    assert "exchanged, but not averaged" in world.message


def test_ranks_that_do_not_exchange_gradients_are_seen(train: Train) -> None:
    world = train("\ndef DistributedDataParallel(network):\n    return network\n")
    assert failed(world) == {"trajectory", "equal-weights"}
    assert "the gradients are not exchanged" in world.message


def test_the_pair_between_which_a_number_is_spoilt_is_named(train: Train) -> None:
    fault = (
        "\n_right = dist.all_reduce\n"
        "def _spoilt(values, group=None):\n"
        "    _right(values, group=group)\n"
        "    if group is not None and dist.get_process_group_ranks(group) == [1, 2] and len(values) > 9:\n"
        "        values[7] += 1\n"
        "dist.all_reduce = _spoilt\n"
    )
    world = train(fault, size=4)
    assert failed(world) == {"all-reduce-pairs"}
    assert [check.wrong for check in world.checks if check.name == "all-reduce-pairs"] == [[[1, 2]]]


def test_a_killed_rank_is_named_and_gloo_is_quoted(train: Train) -> None:
    fault = "if name == 'lstm' and os.environ['RANK'] == '1': os.kill(os.getpid(), 9)"
    world = train(BEFORE_TRAINING.replace("FAULT", fault), models=["mlp", "lstm"])
    assert [(rank.status, rank.cause) for rank in world.ranks] == [("skip", "other-rank"), ("crash", "killed")]
    assert "gloo" in world.ranks[0].words


def test_a_rank_that_stops_is_named_within_two_seconds_of_the_deadline(train: Train) -> None:
    stopped = [0.0]

    def heard(event: Any) -> None:
        stopped[0] = time.monotonic()

    fault = BEFORE_TRAINING.replace(
        "FAULT", "if name == 'lstm' and os.environ['RANK'] == '1': os.kill(os.getpid(), 19)"
    )
    world = train(fault, deadline_seconds=40, models=["mlp", "lstm"], on_event=heard)
    assert time.monotonic() - stopped[0] < 42
    assert [rank.cause for rank in world.ranks] == ["other-rank", "hang"]
    assert "Timed out waiting 40000ms" in world.ranks[0].words


def test_a_port_in_use_is_said_of_the_rank_that_holds_the_store(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(together, "_free_port", lambda: taken.getsockname()[1])
        world = train("")
    assert [rank.cause for rank in world.ranks] == ["port-in-use", "other-rank"]


def test_a_backend_that_the_build_lacks_is_said_by_every_rank(train: Train) -> None:
    world = train("", backend="nccl")
    assert {rank.cause for rank in world.ranks} == {"device-missing"}


@pytest.mark.parametrize("fault", [False, True])
def test_torchrun_starts_the_ranks_itself(fault: bool, cpu_stack: Path, tmp_path: Path) -> None:
    dies = RANKS["dies_before_lstm"](tmp_path, 1, 9) if fault else ""
    program = RANKS["write_program"](tmp_path, cpu_stack, dies)
    torchrun = [str(cpu_stack), "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    ended = subprocess.run(
        [*torchrun, sys.executable, program], capture_output=True, text=True, timeout=400, check=False
    )
    lines = sorted(line[1:] for line in ended.stdout.split("\n") if line.startswith("<"))
    status = "unhealthy" if fault else "healthy"
    assert [line.split(" [")[0] for line in lines] == [f"0 {status}", f"1 {status}"], ended.stderr
    assert (ended.returncode == 0) == (not fault)
    assert all("rank 1 on " in line for line in lines) == fault
