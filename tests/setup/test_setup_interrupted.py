"""Setup runs in a child, which is interrupted, killed, or meets a second one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from envkit.profile import Profile
from envkit.setup.plan import Plan, building_folder

MakePlan = Callable[[Profile, Path], Plan]

DRIVER = """
import os, sys
from pathlib import Path
import msgspec
from envkit.errors import EnvkitError
from envkit.profile import Profile
from envkit.setup.apply import apply
from envkit.setup.plan import Plan
from envkit.setup.progress import Progress
from envkit.setup.sources.configured import Sources

plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
try:
    apply(plan, Profile(name="tiny"), sources=Sources(), environ=os.environ, progress=Progress(sys.stderr),
          judge=lambda python: "", prove=lambda python: "")
except EnvkitError as error:
    print(error.message)
    sys.exit(error.exit_status)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never answers: downloads from it hang."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield server.getsockname()[1]


@pytest.fixture
def server_that_dies() -> Iterator[int]:
    """A port that promises a megabyte to whoever asks, sends a part of it, and hangs up."""

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"PK\3\4" + bytes(20_000))

    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An environment that must stay whole."""
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text("old")
    return folder


def plan_from(port: int, plan: Plan, file: Path) -> Path:
    """The plan, with its one wheel to be downloaded from a port of this machine."""
    wheel = f'url = "http://127.0.0.1:{port}/alpha-1.0-py3-none-any.whl"'
    Path(plan.lock).write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n\n[[packages]]\nname = "alpha"\nversion = "1.0"\n'
        f'wheels = [{{ {wheel}, hashes = {{ sha256 = "{"0" * 64}" }} }}]\n'
    )
    file.write_bytes(msgspec.json.encode(plan))
    return file


@pytest.fixture
def hanging_plan(plan_for: MakePlan, profile: Profile, target: Path, silent_server: int, tmp_path: Path) -> Path:
    return plan_from(silent_server, plan_for(profile, target), tmp_path / "hanging.json")


def start(plan: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(plan)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def installers(target: Path) -> list[psutil.Process]:
    inside = str(building_folder(target))
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "install" in (words := process.info["cmdline"] or []) and any(word.startswith(inside) for word in words)
    ]


def wait_until_installing(target: Path) -> None:
    deadline = time.monotonic() + 20
    while not installers(target):
        assert time.monotonic() < deadline, "the installation never began"
        time.sleep(0.05)


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    return process.returncode, out


def entries(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.name.startswith("env"))


def test_ctrl_c_ends_at_once_and_leaves_only_the_old_environment(
    hanging_plan: Path, environ: dict[str, str], target: Path
) -> None:
    child = start(hanging_plan, environ)
    wait_until_installing(target)
    assert end(child, signal.SIGINT) == (130, "")
    assert entries(target) == ["env"]
    assert (target / "pyvenv.cfg").read_text() == "old"
    assert installers(target) == []


def test_after_kill_9_the_next_run_clears_up_and_succeeds(
    hanging_plan: Path, environ: dict[str, str], target: Path, plan_for: MakePlan, profile: Profile
) -> None:
    child = start(hanging_plan, environ)
    wait_until_installing(target)
    end(child, signal.SIGKILL)
    assert (target / "pyvenv.cfg").read_text() == "old"
    assert building_folder(target).exists()
    hanging = msgspec.json.decode(hanging_plan.read_bytes(), type=Plan)
    Path(hanging.lock).unlink()
    good = target.parent / "good.json"
    good.write_bytes(msgspec.json.encode(plan_for(profile, target)))
    out, err = start(good, environ).communicate(timeout=60)
    assert (out, entries(target)) == ("", ["env", "env.previous"]), err
    assert (target.parent / "env.previous/pyvenv.cfg").read_text() == "old"
    assert installers(target) == []


def test_a_download_that_is_cut_off_leaves_only_the_old_environment(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path, server_that_dies: int
) -> None:
    plan = plan_from(server_that_dies, plan_for(profile, target), target.parent / "cut.json")
    child = start(plan, environ)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 1, err
    assert out.startswith("Installing 2 packages failed: ")
    assert "alpha" in out
    assert "Traceback" not in err
    assert entries(target) == ["env"]
    assert (target / "pyvenv.cfg").read_text() == "old"


def test_a_second_setup_says_who_is_at_work_and_touches_nothing(
    hanging_plan: Path, environ: dict[str, str], target: Path
) -> None:
    first = start(hanging_plan, environ)
    wait_until_installing(target)
    second = start(hanging_plan, environ)
    out, _ = second.communicate(timeout=20)
    assert (second.returncode, out) == (1, f"another envkit setup works on {target} (process {first.pid})\n")
    assert installers(target)
    end(first, signal.SIGINT)


def test_a_full_disk_is_named_and_nothing_is_left(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], tmp_path: Path
) -> None:
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare -m and mount, which take root")
    disk = tmp_path / "disk"
    disk.mkdir()
    file = tmp_path / "plan.json"
    file.write_bytes(msgspec.json.encode(plan_for(profile, disk / "env")))
    script = f'mount -t tmpfs -o size=100k tmpfs {disk}; "$0" -c "$1" {file}; status=$?; ls -A {disk}; exit $status'
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable, DRIVER],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert "the disk is full" in ran.stdout
    assert len(ran.stdout.splitlines()) == 1, "nothing is left"
    assert "Traceback" not in ran.stderr
