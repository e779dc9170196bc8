"""The Dockerfile, built and run by a real engine.

ENVKIT_TEST_BASE_IMAGE names an image on the engine, with what the Dockerfile asks of a base and with the settings
(pip's, certificates) by which its containers reach a package index.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SMALL = ("--memory", "512m", "--cpus", "1.5", "--shm-size", "32m")

pytestmark = pytest.mark.heavy


def docker(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, check=False)


def output(*argv: str) -> str:
    ran = docker(*argv)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    base = os.environ.get("ENVKIT_TEST_BASE_IMAGE")
    if not base:
        pytest.skip("ENVKIT_TEST_BASE_IMAGE names no base image")
    try:
        told = docker("info")
    except FileNotFoundError:
        pytest.skip("docker is not installed")
    if told.returncode != 0:
        pytest.skip("no Docker engine answers")
    name = f"envkit-test:{os.getpid()}"
    arguments = ("--build-arg", f"BASE_IMAGE={base}", "--build-arg", "PROFILE=cpu")
    output("build", "--network", "host", *arguments, "--tag", name, str(ROOT))
    yield name
    output("rmi", "--force", name)


def test_the_container_is_healthy_with_the_profile_it_was_built_from(image: str) -> None:
    report = json.loads(output("run", "--rm", "--network", "none", image, "envkit", "doctor", "--format", "json"))
    assert report["profile"] == "cpu"
    assert not [finding for finding in report["findings"] if finding["status"] not in {"pass", "skip", "warn"}]
    text = output("run", "--rm", "--network", "none", "--shm-size", "1g", image)
    assert text.startswith("✓ healthy: this machine can train with profile cpu\n")
    assert "✓ container     docker\n" in text


def test_the_environment_was_proved_by_training(image: str) -> None:
    again = output("run", "--rm", "--network", "none", image, "sh", "-c", 'envkit setup -p cpu --venv "$VIRTUAL_ENV"')
    assert "nothing to do" in again
    assert "(proved " in again


def test_the_user_is_a_number_that_is_not_root(image: str) -> None:
    user = output("inspect", "--format", "{{.Config.User}}", image).strip()
    assert int(user) > 0
    assert output("run", "--rm", image, "id", "-u").strip() == user


def test_another_user_can_use_the_environment(image: str) -> None:
    said = output("run", "--rm", "--user", "4321:4321", "--network", "none", image)
    assert "can train with profile cpu" in said.partition("\n")[0]


def test_the_limits_of_the_container_are_what_is_judged(image: str) -> None:
    facts = json.loads(output("run", "--rm", *SMALL, image, "envkit", "probe"))
    assert facts["memory"]["facts"]["cgroup_limit_bytes"] == 512 << 20
    assert facts["memory"]["facts"]["shm_total_bytes"] == 32 << 20
    assert facts["cpu"]["facts"]["cgroup_quota_cores"] == 1.5
    ran = docker("run", "--rm", *SMALL, "--env", "COLUMNS=200", image)
    assert ran.returncode == 1
    assert "memory is limited to 512 MiB, profile cpu needs 4.0 GiB [cgroup-memory-limit-low]" in ran.stdout
    assert "limited to 1.5" in ran.stdout
    assert "/dev/shm has 32 MiB" in ran.stdout


@pytest.mark.parametrize(("options", "health"), [((), "healthy"), (SMALL, "unhealthy")])
def test_the_engine_asks_the_doctor(image: str, options: tuple[str, ...], health: str) -> None:
    soon = ("--health-interval", "1s", "--health-start-period", "1ms", "--health-retries", "1")
    container = output("run", "--detach", *soon, *options, image, "sleep", "600").strip()
    try:
        found, deadline = "starting", time.monotonic() + 60
        while found == "starting" and time.monotonic() < deadline:
            time.sleep(0.2)
            found = output("inspect", "--format", "{{.State.Health.Status}}", container).strip()
        assert found == health
    finally:
        output("rm", "--force", container)
