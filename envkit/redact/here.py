"""Who and where this is: what of it could be recognised in a text."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_USERS = ("USER", "LOGNAME", "USERNAME", "SUDO_USER", "SLURM_JOB_USER", "PBS_O_LOGNAME", "LSFUSER")
_HOSTS = ("HOSTNAME", "SLURMD_NODENAME", "SLURM_SUBMIT_HOST", "PBS_O_HOST", "NODE_NAME", "MASTER_ADDR", "LSB_SUB_HOST")
_LISTS = ("SLURM_JOB_NODELIST", "SLURM_NODELIST", "SLURM_STEP_NODELIST", "TPU_WORKER_HOSTNAMES", "LSB_HOSTS")
# Names of accounts and machines that thousands have, and words that a report needs: nobody is known by them.
COMMON = frozenset(
    """
    root user users admin administrator ubuntu debian fedora centos rocky alma arch suse opensuse ec2-user
    azureuser cloud-user opc core vagrant runner jovyan vscode codespace coder gitpod docker podman container
    nobody daemon slurm conda mamba micromamba anaconda miniconda miniforge python pytorch torch tensorflow jax
    nvidia cuda rocm amd intel gpu gpus cpu tpu ml ai dl dev devel test tests tester guest default public shared
    all work worker workers master node nodes host hosts head login server client compute cluster machine
    localhost localdomain docker-desktop raspberrypi jetson home homes data datasets scratch project projects tmp
    temp local share lib lib64 bin sbin usr opt etc var run mnt media srv sys proc boot app apps src code repo
    repos workspace workspaces env envs venv .venv environment cache model models train training build builder
    buildd kernel system memory disk limits network linux windows darwin unknown absent none true false null
    healthy degraded unhealthy pass warn fail skip crash job jobs student students staff group groups lab team shm
    site-packages dist-packages config example domain cdrom usb
    """.split()  # noqa: SIM905 - a list of words to read
)


class Identity(NamedTuple):
    """Names by which this user and this machine could be recognised."""

    home: str = ""
    """The home folder; "": there is none to hide."""
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def identity(*, home: str | None = None, host: str | None = None) -> Identity:
    """This user and this machine, as the system and its scheduler name them; or the home and host given, alone."""
    users = [] if home is not None else [os.environ.get(name, "") for name in _USERS]
    hosts = [host] if host is not None else _hosts()
    home = os.path.expanduser("~") if home is None else home
    if len(home) < 2 or not (home.startswith("/") or home[1:3] == ":\\"):
        home = ""
    users.append(re.split(r"[/\\]", home)[-1])
    return Identity(home, _recognisable(users), _recognisable(hosts))


def _hosts() -> list[str]:
    own = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    named = [own, *(os.environ.get(name, "") for name in _HOSTS)]
    for value in filter(None, map(os.environ.get, _LISTS)):
        for part in re.findall(r"[\w.-]+(?:\[[\d,-]+\])?", value):
            prefix, bracket, numbers = part.partition("[")
            named += [prefix + number for number in _counted(numbers[:-1])] if bracket else [part]
    return named + [name.partition(".")[0] for name in named if not re.fullmatch(r"[\d.]+", name)]


def _counted(numbers: str) -> list[str]:
    """["01", "02", "05"] for Slurm's "01-02,05"; of long ranges the first thousand."""
    found = []
    for part in numbers.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            end = min(int(last or first), int(first) + 999)
            found += [str(number).zfill(len(first)) for number in range(int(first), end + 1)]
    return found


def _recognisable(names: list[str]) -> tuple[str, ...]:
    """Each once, the longest first, without those that are no one's own."""
    chosen = {name for name in names if len(name) > 2 and name.lower() not in COMMON and not name.isdecimal()}
    return tuple(sorted(chosen, key=lambda name: (-len(name), name)))
