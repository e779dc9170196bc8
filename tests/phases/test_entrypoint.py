"""deploy/container/entrypoint.sh, run by sh, with a stand-in for envkit that ends as it is told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/container/entrypoint.sh"

Popen = subprocess.Popen[str]
Start = Callable[..., Popen]


@pytest.fixture(params=["dash", "bash --posix", "busybox sh"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    """Shells that images have as sh: Debian's, Red Hat's, Alpine's."""
    name, *options = str(request.param).split()
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return [path, *options]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any user may look into, as pytest's are not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(folder: Path, shell: list[str]) -> Start:
    """Run the entry point; `doctor` is what stands in for `envkit`."""

    def run(*command: str, doctor: str = "exit 0", before: tuple[str, ...] = (), **variables: str) -> Popen:
        envkit = folder / "envkit"
        envkit.write_text(f'#!/bin/sh\necho "asked: $*"\n{doctor}\n')
        envkit.chmod(0o755)
        environ = {"PATH": f"{folder}:{os.environ['PATH']}", "TOLD": str(folder / "told"), **variables}
        argv = [*before, *shell, str(SCRIPT), *command]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=folder)

    return run


def test_the_command_gets_its_arguments_its_input_and_the_whole_of_stdout(start: Start) -> None:
    process = start("sh", "-c", 'echo "$0|$1"; cat; exit 7', "a b", "*")
    out, err = process.communicate("typed\n", timeout=30)
    assert (process.returncode, out) == (7, "a b|*\ntyped\n")
    assert err == "asked: doctor --phase run\n"


def test_the_command_takes_the_place_of_the_shell(start: Start) -> None:
    process = start("sh", "-c", "echo $$")
    out, _ = process.communicate(timeout=30)
    assert int(out) == process.pid


@pytest.mark.parametrize("status", [1, 2, 3])
def test_a_container_that_is_not_healthy_ends_with_the_status_of_the_doctor(
    status: int, start: Start, folder: Path
) -> None:
    process = start("touch", "started", doctor=f"exit {status}")
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert "entrypoint: not started: touch (ENVKIT_ON_UNHEALTHY=warn starts it all the same)" in err
    assert not (folder / "started").exists()


def test_it_starts_all_the_same_where_that_is_asked_for(start: Start) -> None:
    process = start("echo", "training", doctor="exit 1", ENVKIT_ON_UNHEALTHY="warn")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "training\n")
    assert "started all the same" in err


@pytest.mark.parametrize("policy", ["ignore", "WARN", " warn", "stop warn", "*", "stop|warn"])
def test_another_policy_is_refused_before_anything_is_asked(policy: str, start: Start) -> None:
    process = start("echo", ENVKIT_ON_UNHEALTHY=policy)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert err == f"entrypoint: ENVKIT_ON_UNHEALTHY={policy}: expected stop or warn\n"


def test_an_empty_policy_is_the_default(start: Start) -> None:
    process = start("echo", "training", doctor="exit 1", ENVKIT_ON_UNHEALTHY="")
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")


def test_an_image_without_envkit_does_not_start_in_silence(start: Start) -> None:
    process = start("echo", "training", doctor="exit 127")
    assert process.wait(30) == 127
    process.communicate()


def test_without_a_command_the_verdict_is_the_status(start: Start) -> None:
    process = start(doctor="exit 3", ENVKIT_ON_UNHEALTHY="warn")
    assert process.wait(30) == 3
    process.communicate()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_doctor_that_waits_for_a_driver(
    number: signal.Signals, status: int, start: Start, folder: Path
) -> None:
    process = start("echo", "training", doctor='touch "$TOLD"; exec sleep 60')
    wait_for(folder / "told")
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (status, "")


def test_docker_stop_is_heeded_by_process_1(start: Start, folder: Path) -> None:
    if os.geteuid() or subprocess.run(["unshare", "-p", "-f", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs root and unshare -p")
    process = start("echo", "training", doctor='touch "$TOLD"; exec sleep 60', before=("unshare", "-p", "-f"))
    wait_for(folder / "told")
    first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    os.kill(int(first), signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (143, "")


def test_the_command_ignores_no_signal_that_the_entry_point_heeds(start: Start) -> None:
    process = start("sh", "-c", "grep -E '^Sig(Ign|Cgt)' /proc/$$/status; :")
    out, _ = process.communicate(timeout=30)
    ignored = int(out.split("SigIgn:")[1].split()[0], 16)
    assert not any(ignored & 1 << (number - 1) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


def test_a_signal_reaches_the_command(start: Start, folder: Path) -> None:
    process = start("sh", "-c", 'trap "echo stopped; exit 9" TERM; touch "$TOLD"; while :; do sleep 0.05; done')
    wait_for(folder / "told")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (9, "stopped\n")


def test_it_works_under_tini(start: Start) -> None:
    if not (tini := shutil.which("tini")):
        pytest.skip("tini is not installed")
    process = start("sh", "-c", "exit 5", before=(tini, "-s", "--"))
    assert process.wait(30) == 5
    process.communicate()


def test_another_user_without_a_home_may_start_it_where_nothing_can_be_written(start: Start) -> None:
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    script = 'mount -o remount,bind,ro / 2>/dev/null || mount --bind -o ro . .; exec "$@"'
    as_other = ("setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups")
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare -m")
    process = start("id", "-u", before=("unshare", "-m", "sh", "-c", script, "sh", *as_other))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "12345\n"), err
