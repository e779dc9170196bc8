"""Real frameworks on two ranks or devices: the training of one process; real faults; real launchers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.smoke.distributed import together
from envkit.smoke.distributed.types import TogetherReport, World

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).resolve().parents[2]
Train = Callable[..., World]

# What `envkit smoke` does under a launcher, with few models.
RANK = """
import os, sys
sys.path.insert(0, ROOT)
from envkit.smoke.distributed import together
whole = together.read_sources("torch")
together.read_sources = lambda _framework: {**whole, "worker": whole["worker"] + FAULT}
report = together.train_together(PYTHON, deadline_seconds=120, models=["mlp", "lstm"])
world = report.worlds[0]
text = f"{report.rank} {report.status} {[rank.host for rank in world.ranks]} {world.message}"
os.write(1, f"<{text}>".encode() + bytes([10]))
os._exit({"healthy": 0, "unhealthy": 1, "unknown": 3}[report.status])
"""
BEFORE_TRAINING = """
_right = _train
def _train(name, *given):
    FAULT
    return _right(name, *given)
"""


def rank_program(folder: Path, python: Path, fault: str = "") -> str:
    """A file that stands for `envkit smoke`."""
    file = folder / "rank.py"
    values = f"ROOT, PYTHON, FAULT = {str(ROOT)!r}, {str(python)!r}, {fault!r}\n"
    file.write_text(values + RANK)
    return str(file)


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
    assert trained == set(together.TRAINED[framework])
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


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ("", ["0 healthy", "1 healthy"]),
        ("if name == 'lstm' and os.environ['RANK'] == '1': os.kill(os.getpid(), 9)", ["0 unhealthy", "1 unhealthy"]),
    ],
)
def test_torchrun_starts_the_ranks_itself(fault: str, ends: list[str], cpu_stack: Path, tmp_path: Path) -> None:
    program = rank_program(tmp_path, cpu_stack, BEFORE_TRAINING.replace("FAULT", fault) if fault else "")
    torchrun = [str(cpu_stack), "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    ended = subprocess.run(
        [*torchrun, sys.executable, program], capture_output=True, text=True, timeout=300, check=False
    )
    said = sorted(line[1:] for line in ended.stdout.split("\n") if line.startswith("<"))
    assert [line[: len(end)] for line, end in zip(said, ends, strict=True)] == ends, ended.stderr
    assert (ended.returncode == 0) == (not fault)
    assert all("rank 1" in line for line in said) or not fault


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="network namespaces need root and iproute2")
def test_two_hosts_train_as_one(cpu_stack: Path, tmp_path: Path) -> None:
    """Two network namespaces with host names of their own, joined by a cable; RANK as any launcher sets it."""
    program = rank_program(tmp_path, cpu_stack)
    names = [f"envkit-test-{os.getpid()}-{number}" for number in (1, 2)]
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        cable = f"link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}"
        subprocess.run(["ip", *cable.split()], check=True)
        processes = []
        for rank, name in enumerate(names):
            for command in (f"addr add 10.77.0.{rank + 1}/24 dev eth0", "link set eth0 up", "link set lo up"):
                subprocess.run(["ip", "-n", name, *command.split()], check=True)
        for rank, name in enumerate(names):
            place = {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
            env = {
                **os.environ,
                **place,
                "MASTER_ADDR": "10.77.0.1",
                "MASTER_PORT": "29577",
                "GLOO_SOCKET_IFNAME": "eth0",
            }
            own_name = [
                "ip",
                "netns",
                "exec",
                name,
                "unshare",
                "-u",
                "sh",
                "-c",
                f'hostname h{rank + 1}; exec "$@"',
                "sh",
            ]
            argv = [*own_name, sys.executable, program]
            processes.append(subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True))
        said = [process.communicate(timeout=300)[0] for process in processes]
        assert "<0 healthy ['h1', 'h2'] >" in said[0]
        assert "<1 healthy ['h1', 'h2'] >" in said[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)
