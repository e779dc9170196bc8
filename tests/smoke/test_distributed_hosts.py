"""Ranks on two hosts: network namespaces with host names of their own, joined by a cable, started by torchrun."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

RANKS = runpy.run_path(str(Path(__file__).parent / "rank_program.py"))
write_program, dies_before_lstm = RANKS["write_program"], RANKS["dies_before_lstm"]

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare"))),
        reason="network namespaces need root, iproute2 and unshare",
    ),
]

DEADLINE_SECONDS = 60
TORCHRUN = "--nnodes 2 --nproc-per-node 1 --master-addr 10.77.0.1 --master-port 29577 --no-python --node-rank"
Host = list[str]


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    """What to put before a command so that it runs on h1 (10.77.0.1), or on h2 (10.77.0.2)."""
    names = [f"envkit-test-{os.getpid()}-{number}" for number in (1, 2)]
    try:
        for name in names:
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
        cable = f"link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}"
        subprocess.run(["ip", *cable.split()], check=True)
        for number, name in enumerate(names, 1):
            for command in (f"addr add 10.77.0.{number}/24 dev eth0", "link set eth0 up", "link set lo up"):
                subprocess.run(["ip", "-n", name, *command.split()], check=True)
        own_name = 'hostname "$0"; exec "$@"'
        enter = [["ip", "netns", "exec", name, "unshare", "-u", "sh", "-c", own_name] for name in names]
        yield [[*enter[0], "h1"], [*enter[1], "h2"]]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def said(hosts: Sequence[Host], python: Path, program: str) -> list[str]:
    """What the rank on each host said, started by a torchrun there; "" where it said nothing."""
    env = {**os.environ, "GLOO_SOCKET_IFNAME": "eth0"}
    torchrun = [str(python), "-m", "torch.distributed.run", *TORCHRUN.split()]
    processes = [
        subprocess.Popen(
            [*host, *torchrun, str(rank), sys.executable, program],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank, host in enumerate(hosts)
    ]
    try:
        return [process.communicate(timeout=300)[0].strip().strip("<>") for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_two_hosts_train_as_one(hosts: list[Host], cpu_stack: Path, tmp_path: Path) -> None:
    first, second = said(hosts, cpu_stack, write_program(tmp_path, cpu_stack))
    assert first.startswith("0 healthy ['h1', 'h2'] ")
    assert second.startswith("1 healthy ['h1', 'h2'] ")


LOST = "rank 1 on h2: it has ended, or hangs: last heard of "
KILLED = "rank 0 on h1: killed by SIGKILL while training mlp, after step 19"


@pytest.mark.parametrize(
    ("rank", "signal", "process", "words"),
    [
        (1, 9, "os.getpid()", LOST),
        (1, 9, "os.getppid()", LOST),
        (1, 19, "os.getpid()", LOST),
        (0, 9, "os.getpid()", KILLED),
    ],
    ids=["rank 1 killed", "envkit of rank 1 killed", "rank 1 stopped", "rank 0 killed"],
)
def test_a_rank_that_is_lost_is_named_in_time_by_the_report_of_rank_0(  # noqa: PLR0917 - parameters and fixtures
    rank: int, signal: int, process: str, words: str, hosts: list[Host], cpu_stack: Path, tmp_path: Path
) -> None:
    """Within two seconds of the deadline, with gloo's own words."""
    fault = dies_before_lstm(tmp_path, rank, signal, process)
    first, _second = said(hosts, cpu_stack, write_program(tmp_path, cpu_stack, fault, DEADLINE_SECONDS))
    assert first.startswith("0 unhealthy ")
    assert words in first
    seconds = float(first.split("] ")[1].split()[0]) - (tmp_path / "fault").stat().st_mtime
    assert seconds < (DEADLINE_SECONDS + 2 if signal == 19 else 10)
    if rank == 1:
        assert "rank 0 on h1 says: " in first
        assert "gloo" in first
