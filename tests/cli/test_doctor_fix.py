"""`envkit doctor --fix`: says what can be done and by whom, does what is safe, and nothing else."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.cli._fix import Fix
from envkit.facts import Facts, ok
from envkit.facts.machine import Container
from envkit.findings import Finding, Remedy, Report, Who
from envkit.formats import Style
from envkit.profile import Profile

Envkit = Callable[..., Any]
Broken = tuple[Path, dict[str, str]]
Install = Callable[..., None]
Listing = Callable[[Path], list[tuple[str, int, int]]]

TINY = "description: Tiny.\nrequires: {python: '>=3.10'}\npackages: [alpha==1.0]\n"
JUDGED = ("--select", "python,frameworks,profile")


def packages(folder: Path) -> Path:
    (found,) = folder.glob("lib/python*/site-packages")
    return found


def installed(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(".dist-info") for path in packages(folder).glob("*.dist-info"))


def test_an_environment_without_a_profile_is_mended_in_a_copy_that_takes_its_place(
    envkit: Envkit, broken: Broken, listing: Listing
) -> None:
    folder, env = broken
    site = packages(folder)
    (site / "jax-1.0.dist-info/RECORD").unlink()
    shutil.copytree(site / "beta-2.0.dist-info", site / "beta-1.0.dist-info")
    (site / "beta-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: beta\nVersion: 1.0\n")
    (site / "~eta").mkdir()
    before = listing(folder)
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=env)
    assert ran.status == 0, ran.out + ran.err
    plan = ran.out[ran.out.index(f"Plan: mend {folder}") :]
    for line in ("jaxlib 0.9 → 1.0, ", "jax 1.0, installed again, ", "beta 1.0 and 2.0 → 2.0, ", "Judging it", "~eta"):
        assert line in plan
    assert plan.index("Plan: ") < plan.index("✓ mended: ")
    assert installed(folder) == ["beta-2.0", "jax-1.0", "jaxlib-1.0"]
    assert not (packages(folder) / "~eta").exists()
    assert envkit("doctor", "--python", folder, *JUDGED, env=env).status == 0
    previous = folder.with_name(".venv.previous")
    assert listing(previous) == before
    command = subprocess.run([folder / "bin/jax-where"], capture_output=True, text=True, check=True)
    assert command.stdout.strip() == str(folder), "scripts run in the environment's own place"
    assert "relocatable" not in (folder / "pyvenv.cfg").read_text()


def test_a_dry_run_says_the_whole_plan_and_changes_nothing(
    envkit: Envkit, broken: Broken, tmp_path: Path, listing: Listing
) -> None:
    folder, env = broken
    before = listing(tmp_path / "here")
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", "--dry-run", env=env)
    assert ran.status == 1
    assert "jaxlib 0.9 → 1.0, " in ran.out
    assert "mended" not in ran.out
    assert listing(tmp_path / "here") == before


def test_what_an_interrupted_installer_left_is_cleared_away_without_a_copy(
    envkit: Envkit, broken: Broken, install: Install
) -> None:
    folder, env = broken
    install(folder, "jaxlib==1.0", env=env)
    site = packages(folder)
    (site / "~axlib").mkdir()
    (site / "~axlib/x.so").touch()
    (site / "beta-9.dist-info").mkdir()
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=env)
    assert ran.status == 0, ran.out + ran.err
    assert f"Plan: clear up {folder}" in ran.out
    assert installed(folder) == ["beta-2.0", "jax-1.0", "jaxlib-1.0"]
    assert not (site / "~axlib").exists()
    assert not folder.with_name(".venv.previous").exists()


def test_a_failing_build_leaves_the_environment_whole_and_says_so_in_one_line(
    envkit: Envkit, broken: Broken, tmp_path: Path, listing: Listing
) -> None:
    folder, env = broken
    before = listing(tmp_path / "here")
    cp = tmp_path / "bin/cp"
    cp.parent.mkdir()
    cp.write_text('#!/bin/sh\n/bin/cp "$@"\necho "cp: error writing \'x\': No space left on device" >&2\nexit 1\n')
    cp.chmod(0o755)
    path = {"PATH": f"{cp.parent}:{os.environ['PATH']}"}
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env={**env, **path})
    assert ran.status == 1
    *_, error, hint = ran.err.splitlines()
    assert error.startswith("error: Copying it, ")
    assert "the disk is full" in error
    assert hint == "  hint: Free space, or move uv's cache (UV_CACHE_DIR)."
    assert listing(tmp_path / "here") == before


def test_a_copy_that_has_another_problem_does_not_take_its_place(envkit: Envkit, broken: Broken) -> None:
    folder, env = broken
    spoils = "sys.prefix.endswith('.envkit-new') and os.makedirs(sys.path[-1] + '/~left', exist_ok=True)"
    (packages(folder) / "spoils.pth").write_text(f"import os, sys; {spoils}\n")
    before = installed(folder)
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=env)
    assert ran.status == 1
    *_, error, hint = ran.err.splitlines()
    said = "it would bring another problem: an interrupted installer left behind ~left"
    assert error == f"error: the new environment did not pass: {said}"
    assert hint == f"  hint: {folder} is as it was."
    assert installed(folder) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == [".venv"]


def test_one_remedy_that_cannot_be_had_does_not_keep_the_others_from_being_done(envkit: Envkit, broken: Broken) -> None:
    folder, env = broken
    wheels = Path(env["PIP_FIND_LINKS"])
    (wheels / "jaxlib-1.0-py3-none-any.whl").unlink()
    (packages(folder) / "beta-2.0.dist-info/RECORD").unlink()
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=env)
    assert ran.status == 1
    assert "beta 2.0, installed again" in ran.out
    assert (
        "for you: jax 1.0 and jaxlib do not belong together [jax-jaxlib-mismatch]\n  (not done by envkit: no s"
        in ran.out
    )
    assert (packages(folder) / "beta-2.0.dist-info/RECORD").exists()


def test_what_a_profile_names_is_aligned_and_what_was_added_stays(
    envkit: Envkit, world: dict[str, str], make_wheel: Callable[..., Path], tmp_path: Path, install: Install
) -> None:
    make_wheel(tmp_path / "wheels", "gamma", "3.0")
    profile = tmp_path / "tiny.yaml"
    profile.write_text(TINY)
    assert envkit("setup", "--profile", profile, "--no-smoke", env=world).status == 0
    folder = tmp_path / "here/.venv"
    install(folder, "gamma", env=world)
    (packages(folder) / "alpha-1.0.dist-info").rename(packages(folder) / "gone")
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=world)
    assert ran.status == 0, ran.out + ran.err
    assert "alpha of profile tiny is not installed [frameworks-missing]" in ran.out
    assert installed(folder) == ["alpha-1.0", "beta-2.0", "gamma-3.0"]
    assert envkit("setup", "--profile", profile, "--no-smoke", env=world).out.startswith("✓ nothing to do")


def test_packages_that_no_index_has_are_left_alone(envkit: Envkit, broken: Broken) -> None:
    folder, env = broken
    direct = packages(folder) / "jaxlib-0.9.dist-info/direct_url.json"
    direct.write_text('{"url": "file:///src/jaxlib", "dir_info": {"editable": true}}')
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=env)
    assert ran.status == 1
    assert "(not done by envkit: jaxlib is installed from a folder, a repository or a URL)\n  → install them" in ran.out
    assert not folder.with_name(".venv.previous").exists()


def test_an_environment_of_conda_is_left_alone_and_the_commands_are_printed(envkit: Envkit, broken: Broken) -> None:
    folder, env = broken
    (folder / "conda-meta").mkdir()
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=env)
    assert ran.status == 1
    assert "(not done by envkit: it is conda's)" in ran.out
    assert f"      uv pip install --python {folder}/bin/python jax==1.0 'jaxlib>=1.0,<=1.0'\n" in ran.out


def test_an_installer_at_work_is_waited_for(envkit: Envkit, broken: Broken, tmp_path: Path) -> None:
    folder, env = broken
    pip = tmp_path / "pip"
    pip.write_text("import sys, time\nprint(flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen([folder / "bin/python", pip, "install", "x"], stdout=subprocess.PIPE) as installer:
        assert installer.stdout is not None
        installer.stdout.readline()
        ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", env=env)
        installer.kill()
    assert ran.status == 1
    assert f"an installer is at work in it (process {installer.pid})" in ran.out
    assert installed(folder) == ["beta-2.0", "jax-1.0", "jaxlib-0.9"]


def test_what_it_may_not_do_it_prints_for_whoever_may(envkit: Envkit, bare: Path) -> None:
    ran = envkit("doctor", "--python", bare, "--fix")
    assert ran.status == 1
    assert "for you: neither PyTorch nor TensorFlow nor JAX is installed [frameworks-missing]" in ran.out
    assert "      envkit setup --profile cpu\n" in ran.out


def test_a_report_for_programs_stays_whole(envkit: Envkit, broken: Broken) -> None:
    folder, env = broken
    ran = envkit("doctor", "--python", folder, *JUDGED, "--fix", "--dry-run", "--format", "json", env=env)
    assert ran.json["status"] == "unhealthy"
    assert "Plan: mend" in ran.err


def test_it_mends_this_machine_only(envkit: Envkit) -> None:
    assert envkit("doctor", "--facts", "x", "--fix").error().startswith("--fix mends this machine")
    assert envkit("doctor", "--dry-run").error() == "--dry-run belongs to --fix"


@pytest.mark.parametrize(
    ("who", "container", "said"),
    [
        ("user", True, "for you: m [c]\n  → reboot\n      sudo reboot\n"),
        ("admin", False, "for an administrator: m [c]\n"),
        ("admin", True, "for an administrator of this container's host: m [c]\n"),
        ("vendor", False, "for the vendor of the machine: m [c]\n"),
    ],
)
def test_each_remedy_goes_to_whom_it_concerns(who: Who, container: bool, said: str) -> None:
    remedy = Remedy(text="reboot", commands=[["sudo", "reboot"]], who=who)
    report = Report(
        status="unhealthy", headline="", findings=[Finding(check="c", status="fail", message="m", remedy=remedy)]
    )
    facts = Facts(container=ok(Container(runtime="docker"))) if container else Facts()
    told: list[str] = []
    fix = Fix(
        report,
        facts,
        Profile(),
        examine=lambda _: report,
        deep=False,
        style=Style(),
        say=told.append,
        progress_to=io.StringIO(),
    )
    assert fix.run(dry_run=False) == 1
    assert said in "".join(told)
