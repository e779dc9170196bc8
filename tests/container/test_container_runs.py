"""Containers of the built image: what doctor sees of their limits, and what the engine is told of their health."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.container.conftest import Image, docker, output

LIMITS = ("--memory", "512m", "--cpus", "1.5", "--pids-limit", "200", "--shm-size", "32m", "--cpuset-cpus", "1")
SOON = ("--health-interval", "1s", "--health-start-period", "1ms", "--health-retries", "2")
QUIET = ("--rm", "--network", "none")
VENV = "/home/train/venv"

pytestmark = pytest.mark.heavy


def envkit(image: Image, *argv: str, options: tuple[str, ...] = ()) -> str:
    return output("run", *QUIET, *options, "--entrypoint", "envkit", image.name, *argv)


@contextmanager
def container(image: Image, *options: str) -> Iterator[str]:
    """One that runs until the test ends."""
    name = output("run", "--detach", *SOON, *options, "--entrypoint", "sleep", image.name, "600").strip()
    try:
        yield name
    finally:
        output("rm", "--force", name)


def health(name: str, *, other_than: str) -> str:
    deadline = time.monotonic() + 120
    found = other_than
    while found == other_than and time.monotonic() < deadline:
        time.sleep(0.2)
        found = output("inspect", "--format", "{{.State.Health.Status}}", name).strip()
    return found


def test_the_container_is_healthy_with_the_profile_it_was_built_from(image: Image) -> None:
    report = json.loads(envkit(image, "doctor", "--format", "json"))
    assert report["profile"] == "cpu"
    assert not [finding for finding in report["findings"] if finding["status"] not in {"pass", "skip", "warn"}]
    text = envkit(image, "doctor", options=("--shm-size", "1g"))
    assert text.startswith("✓ healthy: this machine can train with profile cpu\n")
    assert "✓ container     docker\n" in text


def test_it_trains_in_the_container(image: Image) -> None:
    said = envkit(image, "smoke", "--framework", "torch", "--model", "mlp")
    assert said.startswith("✓ smoke: 1 of 1 runs computed what they should")


def test_the_environment_was_proved_by_training(image: Image) -> None:
    again = envkit(image, "setup", "--profile", "cpu", "--venv", VENV)
    assert "nothing to do" in again
    assert "(proved, made " in again


def test_the_entry_point_judges_and_then_becomes_the_command(image: Image) -> None:
    verdict = docker("run", *QUIET, "--shm-size", "1g", image.name)
    assert (verdict.returncode, verdict.stdout) == (0, "")
    assert "profile cpu" in verdict.stderr
    assert output("run", *QUIET, image.name, "echo", "it runs") == "it runs\n"
    refused = docker("run", *QUIET, *LIMITS, image.name, "echo", "it runs")
    assert (refused.returncode, refused.stdout) == (1, "")


def test_the_user_is_a_number_that_is_not_root(image: Image) -> None:
    user = output("inspect", "--format", "{{.Config.User}}", image.name).strip()
    assert int(user) > 0
    assert output("run", *QUIET, "--entrypoint", "id", image.name, "-u").strip() == user


def test_another_user_can_use_the_environment(image: Image) -> None:
    said = envkit(image, "doctor", options=("--user", "4321:4321"))
    assert "can train with profile cpu" in said.partition("\n")[0]


def test_the_limits_of_the_container_are_what_is_judged(image: Image) -> None:
    facts = json.loads(envkit(image, "probe", options=LIMITS))
    memory, cpu = facts["memory"]["facts"], facts["cpu"]["facts"]
    assert memory["cgroup_limit_bytes"] == 512 << 20
    assert memory["shm_total_bytes"] == 32 << 20
    assert cpu["cgroup_quota_cores"] == 1.5
    assert cpu["affinity_threads"] == 1
    assert facts["limits"]["facts"]["cgroup_tasks_limit"] == 200
    ran = docker("run", *QUIET, *LIMITS, "--env", "COLUMNS=200", "--entrypoint", "envkit", image.name, "doctor", "-v")
    assert ran.returncode == 1
    assert "memory is limited to 512 MiB, profile cpu needs 4.0 GiB [cgroup-memory-limit-low]" in ran.stdout
    assert "/dev/shm has 32 MiB" in ran.stdout


@pytest.mark.parametrize(("options", "expected"), [(("--shm-size", "1g"), "healthy"), (LIMITS, "unhealthy")])
def test_the_engine_asks_the_doctor(image: Image, options: tuple[str, ...], expected: str) -> None:
    with container(image, "--network", "none", *options) as name:
        assert health(name, other_than="starting") == expected


@pytest.mark.parametrize("broken", ["lib/python3*/site-packages/torch", "lib/python3*/site-packages/numpy", "bin"])
def test_what_breaks_in_a_running_container_makes_it_unhealthy(image: Image, broken: str) -> None:
    with container(image, "--network", "none", "--shm-size", "1g") as name:
        assert health(name, other_than="starting") == "healthy"
        output("exec", name, "sh", "-c", f"rm -r {VENV}/{broken}")
        assert health(name, other_than="healthy") == "unhealthy"
