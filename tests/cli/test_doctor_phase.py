"""`envkit doctor --phase`: an image judged where it is built, the rest where a container of it starts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]

PROFILE = """\
name: small
requires: {{accelerator: {accelerator}, python: ">=3.8"}}
packages: [alpha==1.0, {second}]
smoke: [{{framework: torch, models: [mlp], device: {device}}}]
"""
FILE = "envkit-deferred.json"
ASSUME = ("--assume", "driver=570,gpu=H100")


@pytest.fixture
def image(tmp_path: Path, world: dict[str, str], bare: Path, install: Callable[..., None]) -> Path:
    """An environment of two packages and profiles of them, for the CPU and for a GPU, in the working folder."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    environment = here / ".venv"
    shutil.copytree(bare, environment, symlinks=True)
    install(environment, "alpha==1.0", "beta==2.0", env=world)
    (here / "cpu.yaml").write_text(PROFILE.format(accelerator="none", second="beta==2.0", device="cpu"))
    (here / "gpu.yaml").write_text(PROFILE.format(accelerator="nvidia", second="beta==2.0", device="cuda"))
    (here / "wrong.yaml").write_text(PROFILE.format(accelerator="none", second="gamma==1.0", device="cpu"))
    return environment


def test_an_image_for_the_cpu_is_built_and_started(image: Path, envkit: Envkit, listing: Callable[..., object]) -> None:
    built = envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml")
    assert built.status == 0, built.out + built.err
    assert built.first_line.startswith("✓ the image is good with profile small; ")
    assert f"and 1 smoke run, by name in {image / FILE}\n" in built.out
    left = json.loads((image / FILE).read_text())
    assert (left["schema"], left["smoke"]) == ("envkit.deferred/1", ["smoke torch cpu"])
    before = listing(image)
    started = envkit("doctor", "--phase", "run", "--ignore", "memory-low")
    assert started.status == 0, started.out + started.err
    assert started.first_line.startswith(("✓ healthy", "▲ can train"))
    assert f"{len(left['checks'])} deferred checks judged: " in started.out
    assert "still deferred: smoke torch cpu; to prove it here: envkit smoke --profile ./cpu.yaml" in started.out
    assert listing(image) == before


def test_the_packages_are_not_looked_into_again(image: Path, envkit: Envkit) -> None:
    python = image / "bin/python"
    target = python.resolve()
    python.unlink()
    python.write_text(f'#!/bin/sh\necho started >> "{image.parent}/starts"\nexec -a "$0" "{target}" "$@"\n')
    python.write_text(python.read_text().replace("#!/bin/sh", "#!/bin/bash"))
    python.chmod(0o755)
    assert envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml").status == 0
    starts = image.parent / "starts"
    assert starts.exists()
    starts.unlink()
    assert "deferred checks judged" in envkit("doctor", "--phase", "run").out
    assert not starts.exists()


def test_an_image_for_a_gpu_needs_to_know_which(image: Path, envkit: Envkit) -> None:
    ran = envkit("doctor", "--phase", "build", "--profile", "./gpu.yaml")
    assert ran.status == 2
    assert ran.error() == "profile small asks for an NVIDIA GPU, and an image is built without one"
    assert "hint: say which machine it is for: --assume driver=570,gpu=H100" in ran.err
    assert not (image / FILE).exists()


def test_what_setup_assumed_need_not_be_said_again(image: Path, envkit: Envkit) -> None:
    made = {"schema": "envkit.environment/1", "profile": "small", "made_at": "2026-11-26T08:14:24+00:00"}
    made |= {"verdict": "judged", "digest": "", "python": "", "python_version": "3.11"}
    made |= {"profile_path": str(image.parent / "gpu.yaml")}
    more = {"deferred": ["smoke torch cuda"], "packages": {}, "assumptions": {"driver": "570", "cc": "9.0"}}
    (image / "envkit.json").write_text(json.dumps({**made, **more}))
    built = envkit("doctor", "--phase", "build")
    assert built.status == 0, built.out + built.err
    left = json.loads((image / FILE).read_text())
    assert left["assumptions"] == {"driver": "570", "cc": "9.0"}
    assert left["smoke"] == ["smoke torch cuda"]


def test_an_image_for_a_gpu_that_gets_none_is_not_healthy(
    image: Path, envkit: Envkit, nvml: Callable[[str], dict[str, str]]
) -> None:
    built = envkit("doctor", "--phase", "build", "--profile", "./gpu.yaml", *ASSUME, env=nvml(""))
    assert built.status == 0, built.out + built.err
    assert "accelerators  assumed: H100, driver 570\n" in built.out
    left = json.loads((image / FILE).read_text())
    assert left["assumptions"] == {"driver": "570", "cc": "9.0", "gpu": "H100"}
    started = envkit("doctor", "--phase", "run", "--ignore", "memory-low", env=nvml("nvmlDeviceGetCount_v2 * ok 0\n"))
    assert started.status == 1
    assert "no NVIDIA GPU" in started.first_line
    given = envkit("doctor", "--phase", "run", "--format", "json", env=nvml("nvmlDeviceGetCount_v2 * ok 4\n"))
    assert given.json["summary"]["accelerators"].startswith("Stand-in 0, Stand-in 1, Stand-in 2, Stand-in 3, ")
    assert "nvidia-gpu-missing" not in {f["check"] for f in given.json["findings"] if f["status"] == "fail"}
    assert "deferred checks judged" in given.err


def test_packages_that_are_not_the_profile_s_fail_the_build(image: Path, envkit: Envkit) -> None:
    ran = envkit("doctor", "--phase", "build", "--profile", "./wrong.yaml")
    assert ran.status == 1
    assert "gamma of profile small is not installed" in ran.out
    assert not (image / FILE).exists()


def test_other_versions_than_the_profile_s_fail_the_build_unless_it_allows_them(image: Path, envkit: Envkit) -> None:
    build = ("doctor", "--phase", "build", "--profile", "./cpu.yaml")
    profile = PROFILE.format(accelerator="none", second="beta==3", device="cpu")
    (image.parent / "cpu.yaml").write_text(profile)
    ran = envkit(*build)
    assert (ran.status, (image / FILE).exists()) == (1, False)
    assert "other versions than profile small pins: beta" in ran.first_line
    (image.parent / "cpu.yaml").write_text(profile + "checks: {profile-packages-differ: {severity: warn}}\n")
    assert (envkit(*build).status, (image / FILE).exists()) == (0, True)


def test_what_is_ignored_at_build_waits_all_the_same(image: Path, envkit: Envkit) -> None:
    build = ("doctor", "--phase", "build", "--profile", "./cpu.yaml", "--ignore", "machine")
    assert envkit(*build).status == 0
    assert "memory-low" in json.loads((image / FILE).read_text())["checks"]


def test_a_package_that_is_gone_since_is_found(image: Path, envkit: Envkit) -> None:
    assert envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml").status == 0
    for path in (image / "lib").glob("python*/site-packages/beta*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    ran = envkit("doctor", "--phase", "run")
    assert ran.status == 1
    assert "beta of profile small is not installed" in ran.out
    assert "not as it was when the image was built: all of it was judged again" in ran.out


def test_a_path_that_the_start_adds_is_looked_into(image: Path, envkit: Envkit, tmp_path: Path) -> None:
    assert envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml").status == 0
    (tmp_path / "torch.py").touch()
    ran = envkit("doctor", "--phase", "run", env={"PYTHONPATH": str(tmp_path)})
    assert "module-shadowed" in ran.out


def test_without_a_file_what_needs_no_look_into_packages_is_judged(image: Path, envkit: Envkit) -> None:
    ran = envkit("doctor", "--phase", "run", "--profile", "./cpu.yaml", "--ignore", "memory-low", "-v")
    assert ran.status == 0, ran.out + ran.err
    assert "shm-small" in ran.out
    assert "profile-packages-differ" not in ran.out
    assert f"nothing was deferred when the image was built (no {image / FILE})" in ran.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda left: left[: len(left) // 2], "is damaged: "),
        (lambda left: b"[" + left + b"]", "is damaged: "),
        (lambda left: left.replace(b"deferred/1", b"deferred/9"), "schema is 'envkit.deferred/9', expected"),
        (lambda left: left.replace(b'"checks": [', b'"checks": [7, '), "is damaged: "),
        (lambda left: left.replace(b'"prefix"', b'"elsewhere"').replace(b'"executable"', b'"x"'), "is damaged: "),
        (lambda left: left.replace(b'"shm-small"', b'"shm-tiny"'), "which has checks that this one does not: shm-tiny"),
        (lambda left: left.replace(b'"identity": "', b'"identity": "0'), "is of another environment (written on "),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(
    change: Callable[[bytes], bytes], said: str, image: Path, envkit: Envkit
) -> None:
    assert envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml").status == 0
    left = (image / FILE).read_bytes()
    assert change(left) != left
    (image / FILE).write_bytes(change(left))
    ran = envkit("doctor", "--phase", "run")
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error()
    assert "envkit doctor --phase build" in ran.err


def test_a_file_of_an_environment_that_setup_made_anew_is_refused(
    image: Path, envkit: Envkit, world: dict[str, str]
) -> None:
    (image.parent / "bare.yaml").write_text("name: bare\npackages: [alpha==1.0, beta==2.0]\n")
    set_up = ("setup", "--profile", "./bare.yaml", "--venv", "made", "--no-smoke", "--no-doctor")
    assert envkit(*set_up, env=world).status == 0
    unjudged = envkit("doctor", "--phase", "run", "--python", "made", "--ignore", "memory-low")
    assert "with profile bare" in unjudged.first_line
    assert "nothing was deferred" in unjudged.out
    built = envkit("doctor", "--phase", "build", "--python", "made")
    assert built.status == 0, built.out + built.err
    assert "profile bare" in built.first_line
    assert envkit("doctor", "--phase", "run", "--python", "made", "--ignore", "memory-low").status == 0
    state = json.loads((image.parent / "made/envkit.json").read_text())
    (image.parent / "made/envkit.json").write_text(json.dumps({**state, "made_at": "2020-01-01T00:00:00+00:00"}))
    assert "is of another environment" in envkit("doctor", "--phase", "run", "--python", "made").error()


def test_a_build_killed_before_the_file_is_in_place_leaves_the_old_one(image: Path, envkit: Envkit) -> None:
    assert envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml").status == 0
    left = (image / FILE).read_bytes()
    code = (
        "import os, pathlib, runpy, sys\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "sys.argv = ['envkit', 'doctor', '--phase', 'build', '--profile', './cpu.yaml']\n"
        "runpy.run_module('envkit', run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=image.parent, check=False, capture_output=True)
    assert ran.returncode == -9
    assert (image / FILE).read_bytes() == left
    assert envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml").status == 0
    assert [path.name for path in image.iterdir() if path.name.startswith(".envkit-deferred")] == []


def test_an_environment_that_cannot_be_written_to_is_said(
    image: Path, envkit: Envkit, in_mounts: Callable[[str], list[str]]
) -> None:
    read_only = in_mounts(f"mount --bind {image} {image}; mount -o remount,bind,ro {image}")
    ran = envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml", before=read_only)
    assert ran.status == 1
    assert f"{image / FILE} cannot be written: Read-only file system" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--assume", "driver=570"), "--assume belongs to --phase build"),
        (("--phase", "run", "--assume", "driver=570"), "--assume belongs to --phase build"),
        (("--phase", "start"), "--phase: 'start' is not one of build, run"),
        (("--phase", "run", "--facts", "f.json"), "--phase does not go with --facts"),
        (("--phase", "build", "--fix"), "--phase does not go with --facts"),
        (("--phase", "build", "--profile", "./gpu.yaml", "--assume", "gpu=H1"), "gpu=H1 is no GPU that envkit knows"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: tuple[str, ...], said: str, image: Path, envkit: Envkit
) -> None:
    ran = envkit("doctor", *arguments)
    assert ran.status == 2
    assert said in ran.error()


def test_another_profile_than_the_build_s_is_refused(image: Path, envkit: Envkit) -> None:
    assert envkit("doctor", "--phase", "build", "--profile", "./cpu.yaml").status == 0
    ran = envkit("doctor", "--phase", "run", "--profile", "cuda12")
    assert ran.status == 2
    assert "was judged by profile small when it was built, not cuda12" in ran.error()
