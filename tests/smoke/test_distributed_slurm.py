"""A real Slurm of two nodes on this machine: every task of a job step is a rank."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("munged", "slurmctld", "slurmd", "srun"))),
        reason="needs root and an installed Slurm (slurm-wlm, munge)",
    ),
]

CONFIGURATION = """\
ClusterName=t
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
SlurmctldPort={ports[0]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
StateSaveLocation={folder}
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=1024
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=1024
PartitionName=p Nodes=n[1-2] Default=YES State=UP
"""
RANKS = runpy.run_path(str(Path(__file__).parent / "rank_program.py"))


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which srun finds the cluster."""
    folder = tmp_path_factory.mktemp("slurm")
    for parent in (folder, *folder.parents[:3]):  # munge wants to be sure that nobody else writes there
        parent.chmod(parent.stat().st_mode | 0o755)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, ports=_free_ports(3)))
    env = {**os.environ, "SLURM_CONF": str(configuration)}
    munge = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid", "log-file": "munged.log"}
    try:
        options = [f"--{name}={folder / file}" for name, file in {**munge, "seed-file": "munged.seed"}.items()]
        for argv in (["munged", *options], ["slurmctld"], ["slurmd", "-N", "n1"], ["slurmd", "-N", "n2"]):
            subprocess.run(argv, env=env, check=True, stdin=subprocess.DEVNULL, timeout=60)
        until = time.monotonic() + 90
        idle = ["sinfo", "-h", "-t", "idle", "-o", "%D"]
        while subprocess.run(idle, env=env, capture_output=True, text=True, check=False).stdout.strip() != "2":
            assert time.monotonic() < until
            time.sleep(0.2)
        yield env
    finally:
        for file in folder.glob("*.pid"):
            os.kill(int(file.read_text()), signal.SIGTERM)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def run_ranks(slurm: dict[str, str], program: str) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """What each task of a step of two said, and how srun ended."""
    argv = ["srun", "-N2", "-n2", sys.executable, program]
    ended = subprocess.run(argv, env=slurm, capture_output=True, text=True, timeout=400, check=False)
    return sorted(line.strip("<>") for line in ended.stdout.split("\n") if line.startswith("<")), ended


def test_every_task_of_srun_is_a_rank(slurm: dict[str, str], cpu_stack: Path, tmp_path: Path) -> None:
    """Without MASTER_ADDR: the first node's name is no host's here, its address is asked of scontrol."""
    said, ended = run_ranks(slurm, RANKS["write_program"](tmp_path, cpu_stack, models="mlp"))
    assert [line.split(" [")[0] for line in said] == ["0 healthy", "1 healthy"], ended.stderr
    assert ended.returncode == 0


@pytest.mark.parametrize("process", ["os.getpid()", "os.getppid()"], ids=["the rank", "its envkit"])
def test_a_task_of_srun_that_is_killed_is_named(
    process: str, slurm: dict[str, str], cpu_stack: Path, tmp_path: Path
) -> None:
    fault = RANKS["dies_before_lstm"](tmp_path, 1, 9, process)
    said, ended = run_ranks(slurm, RANKS["write_program"](tmp_path, cpu_stack, fault))
    assert said[0].startswith("0 unhealthy "), ended.stderr
    assert "rank 1 on " in said[0]
    assert float(said[0].split("] ")[1].split()[0]) - (tmp_path / "fault").stat().st_mtime < 10
    assert ended.returncode != 0
