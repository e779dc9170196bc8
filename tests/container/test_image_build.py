"""The Dockerfile, built by real engines: what is cached, what is left in layers, what is said of bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.container.conftest import PASSWORD, Image, Index, arguments, docker, output, said_by_envkit

pytestmark = pytest.mark.heavy

FAULTS: dict[str, tuple[Callable[[str], str], str]] = {
    "cut short": (lambda text: text[: text.index("\nkeras==")], "its head says 40 packages, it has"),
    "no head": (lambda text: text.replace("# packages: 40\n", ""), "its head says no number of packages"),
    "a damaged hash": (lambda text: text.replace("--hash=sha256:", "--hash=sha256:zz", 1), "see above"),
}


def build(context: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return docker("build", *options, str(context), **variables)


def change(context: Path) -> None:
    """One line of envkit's code."""
    file = context / "envkit" / "doctor.py"
    file.write_text(file.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(output("image", "inspect", image))[0]["RootFS"]["Layers"]
    return found


@pytest.fixture
def copy(context: Path, tmp_path: Path) -> Path:
    """The context, to be changed."""
    return shutil.copytree(context, tmp_path / "context")


def test_a_change_of_envkit_fetches_nothing_again(image: Image, base: str, index: Index, copy: Path) -> None:
    change(copy)
    asked = len(index.asked)
    for stage in ("envkit", "wheels"):
        built = build(copy, "--network", "none", *arguments(base, index), "--target", stage)
        assert built.returncode == 0, built.stdout + built.stderr
    assert len(index.asked) == asked


def test_no_layer_and_no_line_of_the_log_has_the_password(image: Image, tmp_path: Path) -> None:
    output("save", image.name, "--output", str(tmp_path / "image.tar"))
    assert output("history", "--no-trunc", image.name).count(PASSWORD) == 0
    assert PASSWORD not in image.log
    secret, overlap = PASSWORD.encode(), b""
    with tarfile.open(tmp_path / "image.tar") as saved:
        files = [member for member in saved if member.isfile()]
        assert len(files) > 5
        for member in files:
            stream = saved.extractfile(member)
            assert stream is not None
            overlap = b""
            while chunk := stream.read(1 << 22):
                assert secret not in overlap + chunk, member.name
                overlap = chunk[-len(secret) :]


def test_what_envkit_remembers_lies_in_a_layer_of_its_own(image: Image) -> None:
    history = output("history", "--no-trunc", "--format", "{{.CreatedBy}}", image.name)
    assert history.count("/home/train/venv") >= 2  # the environment, and what envkit remembers of it
    made = output("run", "--rm", "--entrypoint", "cat", image.name, "/home/train/venv/envkit.json")
    assert json.loads(made)["verdict"] == "proved"
    assert len(json.loads(made)["lock_sha256"]) == 64


def test_buildkit_builds_it_and_keeps_the_large_layer_when_envkit_changes(base: str, copy: Path, index: Index) -> None:
    name = f"envkit-test-buildkit:{os.getpid()}"
    options = (*arguments(base, index, OPTIONS="--no-smoke"), "--tag", name)
    built = build(copy, *options, "--network", "host", DOCKER_BUILDKIT="1")
    if "buildx component is missing" in built.stderr:
        pytest.skip("this client has no BuildKit")
    try:
        assert built.returncode == 0, built.stderr[-4000:]
        assert "can train with profile cpu" in output("run", "--rm", "--entrypoint", "envkit", name, "doctor")
        before = layers(name)
        change(copy)
        asked = len(index.asked)  # pip asks it for each package that it looks for
        built = build(copy, *options, "--network", "host", DOCKER_BUILDKIT="1")
        assert built.returncode == 0, built.stderr[-4000:]
        assert len(index.asked) == asked > 0
        after = layers(name)
        assert before != after
        own = len(layers(base)) + 2  # the base's, the user's, and the environment
        assert before[:own] == after[:own]
    finally:
        docker("rmi", "--force", name)
        docker("builder", "prune", "--force")


def test_buildah_builds_it(base: str, context: Path, index: Index, tmp_path: Path) -> None:
    if not (shutil.which("buildah") and shutil.which("podman")):
        pytest.skip("buildah and podman are not installed")

    def ran(*argv: str) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    output("save", base, "--output", str(tmp_path / "base.tar"))
    there = ran("podman", "load", "--quiet", "--input", str(tmp_path / "base.tar")).split()[-1]
    name = f"localhost/envkit-test:{os.getpid()}"
    options = ("--format", "docker", "--isolation", "chroot", "--pull-never", *arguments(there, index))
    try:
        ran("buildah", "bud", *options, "--build-arg", "OPTIONS=--no-smoke", "--tag", name, str(context))
        told = json.loads(ran("podman", "inspect", name))[0]
        assert told["Config"]["User"] == "10001"
        assert told["Healthcheck"]["Test"] == ["CMD", "envkit", "doctor", "--phase", "run"]
        assert "can train with profile cpu" in ran("podman", "run", "--rm", "--entrypoint", "envkit", name, "doctor")
    finally:
        subprocess.run(["podman", "rmi", "--force", name, there], capture_output=True, check=False)
        subprocess.run(["podman", "image", "prune", "--force"], capture_output=True, check=False)


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_lock_is_said_in_one_line(name: str, base: str, index: Index, copy: Path) -> None:
    edit, words = FAULTS[name]
    for file in (copy / "profiles" / "locks" / "cpu").glob("*.txt"):
        file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")
    built = build(copy, "--network", "host", *arguments(base, index), "--target", "wheels")
    assert built.returncode != 0
    (line,) = said_by_envkit(built)
    assert "the lock" in line
    assert words in line


def test_a_base_without_python_is_said_in_one_line(base: str, index: Index, copy: Path) -> None:
    bare = f"{base.partition(':')[0]}-without-python:{os.getpid()}"
    hidden = f"FROM {base}\nRUN rm -f /usr/bin/python3 /usr/local/bin/python3\n"
    (copy / "Bare").write_text(hidden, encoding="utf-8")
    assert build(copy, "--file", str(copy / "Bare"), "--tag", bare).returncode == 0
    built = build(copy, *arguments(bare, index), "--target", "envkit")
    docker("rmi", "--force", bare)
    assert built.returncode != 0
    (line,) = said_by_envkit(built)
    assert line.startswith("envkit: BASE_IMAGE needs Python >= 3.10 with pip and venv, it has ")


def test_a_gpu_that_a_builder_does_not_have_is_asked_for_before_anything_is_fetched(
    image: Image, base: str, index: Index, context: Path
) -> None:
    built = build(context, "--network", "none", *arguments(base, index, PROFILE="cuda12"), "--target", "envkit")
    assert built.returncode != 0
    (line,) = said_by_envkit(built)
    assert line.startswith("envkit: profile cuda12 trains on nvidia, which a builder does not have: ")
    assert line.endswith('--build-arg OPTIONS="--assume driver=570,gpu=H100"')
    given = arguments(base, index, PROFILE="cuda12", OPTIONS="--assume driver=570,gpu=H100")
    assert build(context, "--network", "none", *given, "--target", "envkit").returncode == 0


def test_a_profile_without_a_lock_for_this_python_says_so(base: str, index: Index, context: Path) -> None:
    built = build(context, *arguments(base, index, VARIANT="with-nothing"), "--target", "wheels")
    assert built.returncode != 0
    (line,) = said_by_envkit(built)
    assert line.startswith("envkit: no lock for this image's Python ")
