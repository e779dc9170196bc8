"""Whatever stands where the probes of the host look, they answer, quickly, and without a traceback."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit import harness
from envkit.probes import files

PROBES = (
    *("limits", "memory_policy", "topology", "clock", "kernel", "network"),
    *("container_engine", "allocation", "disk", "cpu", "memory"),
)
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
FILES = (
    *("proc/self/limits", "proc/self/status", "proc/self/uid_map", "proc/self/cgroup", "proc/self/mountinfo"),
    *("proc/loadavg", "proc/meminfo", "proc/cmdline", "proc/mdstat", "proc/cpuinfo", "proc/4711/stat"),
    *("proc/sys/fs/file-nr", "proc/sys/kernel/pid_max", "proc/sys/kernel/osrelease", "proc/sys/vm/swappiness"),
    *("sys/devices/system/node/online", "sys/devices/system/node/node0/cpulist"),
    *("sys/bus/pci/devices/0000:01:00.0/config", "sys/bus/pci/drivers/nvidia/0000:02:00.0"),
    *("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "sys/kernel/mm/transparent_hugepage/enabled"),
    *("sys/fs/ext4/sda1/errors_count", "sys/devices/system/cpu/cpufreq/policy0/scaling_governor", SECURE_BOOT),
    *("lib/modules/6.8.0/modules.dep", "var/lib/dkms/nvidia/550.54.14", "run/reboot-required.pkgs"),
    *("etc/apt/apt.conf.d/20auto-upgrades", "dev/infiniband/uverbs0", "run/systemd/units"),
    *(
        "sys/class/net/eth0/ifindex",
        "sys/class/net/eth0/device",
        "sys/class/net/eth0/speed",
        "sys/class/net/eth0/master",
    ),
    *("sys/class/infiniband/mlx5_0/fw_ver", "sys/class/infiniband/mlx5_0/ports/1/state", "sys/module/nvidia_peermem"),
    *("sys/class/infiniband/mlx5_0/ports/1/rate", "sys/class/infiniband/mlx5_0/ports/1/counters/link_downed"),
    *("usr/bin/dockerd", "etc/docker/daemon.json", "etc/cdi/nvidia.yaml", "var/run/cdi/nvidia.json", "dev/nvidia0"),
    *("etc/nvidia-container-runtime/config.toml", "usr/lib64/libnvidia-container.so.1", "dev/char/195:0"),
    *("var/run/secrets/kubernetes.io/serviceaccount", "var/run/nvidia-container-devices/GPU-1"),
)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(files.LIMIT_BYTES + 1)


def circle(path: Path) -> None:
    path.symlink_to(path.name)


MAKERS: dict[str, Callable[[Path], Any]] = {
    "folder": Path.mkdir,
    "fifo": os.mkfifo,
    "huge": sparse,
    "circle": circle,
    "empty": Path.touch,
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "numbers": lambda path: path.write_text("99999999999999999999 -1 0\n" * 50),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_host_of_nonsense_is_survived(tmp_path: Path, kind: str) -> None:
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        MAKERS[kind](tmp_path / path)
    started = time.process_time()
    for name in PROBES:
        section = importlib.import_module(f"envkit.probes.{name}").observe(str(tmp_path))
        assert (section.outcome == "ok") == (section.facts is not None), name
    assert time.process_time() - started < 3


NOBODY = """\
import os, sys
if os.getuid() == 0:
    os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for module in modules:
    print(module.__name__, module.observe().outcome)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_user_without_rights_gets_the_sections_all_the_same() -> None:
    names = PROBES[:6]
    code = f"from envkit.probes import {', '.join(names)}\nmodules = [{', '.join(names)}]\n{NOBODY}"
    child = harness.run([sys.executable, "-c", code], deadline_seconds=30)
    assert child.stdout.split() == [word for name in names for word in (f"envkit.probes.{name}", "ok")], child.stderr
