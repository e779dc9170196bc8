"""The place that torchrun or srun gave this process: its rank, and where rank 0 is."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import NamedTuple

from envkit import harness
from envkit.errors import InputError

SCONTROL_SECONDS = 10.0
LAUNCHERS = (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"))
"""Variables of torchrun and its like, and of srun: the rank, the number of ranks, the rank among those of this host."""


class Place(NamedTuple):
    """One rank of several that a launcher started."""

    rank: int
    size: int
    local_rank: int
    address: str
    port: int

    def env(self) -> dict[str, str]:
        """As torch.distributed reads it."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.size),
            "LOCAL_RANK": str(self.local_rank),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


def place_of(env: Mapping[str, str]) -> Place | None:
    """The rank that this process is to be; None where no launcher made more than one.

    torchrun and its like set RANK and WORLD_SIZE, srun SLURM_PROCID and, in job steps alone, SLURM_STEP_NUM_TASKS: a
    batch script has SLURM_PROCID=0 and SLURM_NTASKS too, and is no rank.

    Raises:
        InputError: a variable is missing, or is not what it should be.
    """
    names = next((names for names in LAUNCHERS if names[0] in env and names[1] in env), None)
    if names is None:
        _need_both(env)
        return None
    rank, size, local = (_number(env, name, "0") for name in names)
    if rank >= size:
        raise InputError(f"{names[0]}={rank} and {names[1]}={size}: expected a rank below the number of ranks")
    if size == 1:
        return None
    return Place(rank, size, local, _address(env), _port(env))


def _need_both(env: Mapping[str, str]) -> None:
    """Half of what a launcher sets would make each rank train by itself, and call that a success."""
    for name, other in (("RANK", "WORLD_SIZE"), ("WORLD_SIZE", "RANK")):
        if name in env and (name, env[name]) != ("WORLD_SIZE", "1"):
            raise InputError(
                f"{name}={env[name]} is set, {other} is not: is this one rank of several?",
                hint=f"a launcher sets both; to train alone: `env -u {name} envkit smoke`",
            )


def _number(env: Mapping[str, str], name: str, default: str) -> int:
    text = env.get(name, default)
    if not text.isdecimal():
        raise InputError(f"{name}={text!r}: expected a number")
    return int(text)


def _address(env: Mapping[str, str]) -> str:
    """MASTER_ADDR, or the first host of the job step."""
    if env.get("MASTER_ADDR"):
        return env["MASTER_ADDR"]
    nodes = env.get("SLURM_STEP_NODELIST") or env.get("SLURM_JOB_NODELIST")
    hint = "MASTER_ADDR=<host of rank 0> says it"
    if not nodes:
        raise InputError("RANK and WORLD_SIZE are set, MASTER_ADDR is not: where is rank 0?", hint=hint)
    hosts = _scontrol(env, "hostnames", nodes).split()
    if not hosts:
        raise InputError(f"`scontrol show hostnames {nodes}` names no host", hint=hint)
    try:
        socket.getaddrinfo(hosts[0], None)
    except OSError:  # a node's name need not be its host's
        fields = dict(field.partition("=")[::2] for field in _scontrol(env, "node", hosts[0]).split())
        return fields.get("NodeAddr") or hosts[0]
    return hosts[0]


def _scontrol(env: Mapping[str, str], *what: str) -> str:
    return harness.run(["scontrol", "show", *what], deadline_seconds=SCONTROL_SECONDS, env=env).stdout


def _port(env: Mapping[str, str]) -> int:
    """MASTER_PORT, or one that all tasks of a Slurm step agree on without asking."""
    if "MASTER_PORT" in env:
        port = _number(env, "MASTER_PORT", "")
        if not 0 < port < 1 << 16:
            raise InputError(f"MASTER_PORT={port}: expected 1 to 65535")
        return port
    job, step = (_number(env, name, "0") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    return 15000 + (job * 97 + step) % 15000  # below the ports that Linux hands out by itself
