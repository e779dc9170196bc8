"""`envkit setup` with packages zipped on the spot: plan, build, nothing to do, and what is refused before it begins."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]

TINY = "description: Tiny.\nrequires: {python: '>=3.10'}\npackages: [alpha==1.0]\n"


def contents(folder: Path) -> dict[str, tuple[float, int]]:
    """Every entry of a folder with its time of change and its size."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): (path.lstat().st_mtime, path.lstat().st_size) for path in found}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY)
    return file


@pytest.fixture
def setup(envkit: Envkit, world: dict[str, str], tiny: Path) -> Envkit:
    """Run `envkit setup --profile tiny.yaml --no-smoke ARGUMENTS...` where only the wheelhouse is known."""

    def run(*arguments: object, **options: Any) -> Any:
        return envkit("setup", "--profile", tiny, "--no-smoke", *arguments, **{"env": world} | options)

    return run


def test_it_builds_judges_and_tells_how_to_enter(setup: Envkit, tmp_path: Path) -> None:
    ran = setup()
    assert ran.status == 0, ran.err
    assert ran.first_line.startswith("Plan: profile tiny in ")
    venv = tmp_path / "here/.venv"
    assert f"\n✓ ready: {venv} has profile tiny, judged, " in ran.out
    assert f"  source {venv}/bin/activate  " in ran.out
    assert (tmp_path / "here/.venv/bin/python").exists()
    assert [path.name for path in (tmp_path / "here").iterdir()] == [".venv"]


def test_a_second_run_says_at_once_that_there_is_nothing_to_do(setup: Envkit, tmp_path: Path) -> None:
    setup("--venv", "env")
    before = contents(tmp_path / "here")
    ran = setup("--venv", "env")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("✓ nothing to do: env is what profile tiny asks for")
    assert contents(tmp_path / "here") == before


def test_an_environment_that_has_been_torn_since_is_built_anew(setup: Envkit, tmp_path: Path) -> None:
    setup()
    (package,) = (tmp_path / "here/.venv").glob("lib/python*/site-packages/alpha.py")
    (torn := package.parent / "numpy-2.2.6.dist-info").mkdir()
    (torn / "METADATA").write_text("Name: numpy\nVersion: 2.2.6\n")
    (torn / "RECORD").write_text("numpy/core.so,,\n")
    ran = setup()
    assert ran.status == 0
    assert ran.first_line == (
        "▲ .venv is to be built anew: cannot train with profile tiny: files are missing from numpy"
    )
    assert not torn.exists()
    assert setup().first_line.startswith("✓ nothing to do")


def test_a_changed_profile_replaces_the_environment_and_keeps_the_old_one(
    setup: Envkit, tiny: Path, tmp_path: Path
) -> None:
    setup()
    tiny.write_text(TINY.replace("alpha==1.0", "beta==2.0"))
    assert setup().status == 0
    names = {path.name for path in (tmp_path / "here").glob(".venv/lib/python*/site-packages/*.dist-info")}
    assert names == {"beta-2.0.dist-info"}
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [".venv", ".venv.previous"]


def test_a_dry_run_changes_nothing(setup: Envkit, tmp_path: Path) -> None:
    ran = setup("--dry-run")
    assert ran.status == 0
    assert "alpha 1.0, beta 2.0" in ran.out
    assert contents(tmp_path / "here") == {}
    setup()
    before = contents(tmp_path / "here")
    assert setup("--dry-run").status == 0
    assert contents(tmp_path / "here") == before


def test_the_plan_as_json_has_every_step_with_its_command(setup: Envkit) -> None:
    plan = setup("--dry-run", "--format", "json").json
    assert (plan["schema"], plan["profile"], plan["replaces"]) == ("envkit.plan/1", "tiny", False)
    assert [step["kind"] for step in plan["steps"]] == ["run", "run", "judge", "place"]
    assert all(step["argv"] for step in plan["steps"] if step["kind"] == "run")
    assert [(package["name"], package["version"]) for package in plan["packages"]] == [
        ("alpha", "1.0"),
        ("beta", "2.0"),
    ]


def test_the_result_as_json_holds_plan_and_report(setup: Envkit) -> None:
    ran = setup("--format", "json")
    assert (ran.json["schema"], ran.json["status"]) == ("envkit.setup/1", "ready")
    assert ran.json["plan"]["schema"] == "envkit.plan/1"
    assert ran.json["doctor"]["schema"] == "envkit.report/1"


def test_it_wants_a_profile_that_there_is(envkit: Envkit) -> None:
    ran = envkit("setup", "--profile", "cuda21")
    assert ran.status == 2
    assert "did you mean `cuda12`?" in ran.error() or "did you mean `cuda13`?" in ran.error()


def test_a_broken_profile_says_all_its_errors(setup: Envkit, tiny: Path) -> None:
    tiny.write_text("requires: {pyhton: '>=3.10'}\npackages: alpha\n")
    ran = setup()
    assert ran.status == 2
    assert f"{tiny}:1: requires.pyhton: unknown key, did you mean `python`?" in ran.err
    assert f"{tiny}:2: packages" in ran.err


def test_a_folder_with_something_else_in_it_is_left_alone(setup: Envkit, tmp_path: Path) -> None:
    folder = tmp_path / "here/thesis"
    folder.mkdir()
    (folder / "thesis.tex").write_text("words")
    before = contents(tmp_path / "here")
    ran = setup("--venv", "thesis")
    assert (ran.status, ran.out) == (2, "")
    assert ran.error() == f"{folder} is a folder with files in it and no environment: it is left alone"
    assert contents(tmp_path / "here") == before


def test_a_file_and_a_link_to_a_file_are_left_alone(setup: Envkit, tmp_path: Path) -> None:
    (tmp_path / "here/file").write_text("words")
    (tmp_path / "here/link").symlink_to("file")
    assert setup("--venv", "file").error() == f"{tmp_path}/here/file is a file, not an environment"
    assert setup("--venv", "file/env").error() == f"{tmp_path}/here/file is a file: no environment can be made in it"
    ran = setup("--venv", "link")
    assert ran.status == 2
    assert "symbolic link" in ran.error()
    assert (tmp_path / "here/file").read_text() == "words"


@pytest.mark.parametrize(
    ("python", "said"),
    [("2.7", "Python 2.7 was not found"), ("/no/python", "no usable Python"), (None, "killed by SIG")],
)
def test_a_python_to_build_on_that_cannot_be_used(
    setup: Envkit, program: Callable[[str], Path], python: str | None, said: str
) -> None:
    ran = setup("--python", python or program("kill -SEGV $$"))
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error()


def test_a_python_2_to_build_on_is_named_as_too_old(setup: Envkit) -> None:
    old = next(iter(sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python"))), None)
    if old is None:
        pytest.skip("no Python 2.7 here")
    ran = setup("--python", old)
    assert ran.status == 2
    assert "is Python 2.7" in ran.error()


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is an NVIDIA GPU here")
def test_a_gpu_profile_without_a_gpu_is_refused_before_anything_is_downloaded(
    envkit: Envkit, world: dict[str, str], tmp_path: Path
) -> None:
    ran = envkit("setup", "--profile", "cuda12", env=world)
    assert ran.status == 1
    assert ran.first_line.startswith("✗ cannot train with profile cuda12: there is no NVIDIA GPU")
    assert "Nothing was changed." in ran.out
    assert contents(tmp_path / "here") == {}
    assert not Path(world["UV_CACHE_DIR"]).exists()


def test_envkits_own_environment_is_never_replaced(setup: Envkit) -> None:
    if sys.prefix == sys.base_prefix:
        pytest.skip("envkit runs in no environment here")
    ran = setup("--venv", sys.prefix)
    assert ran.status == 2
    assert "envkit itself runs from" in ran.error() or "symbolic link" in ran.error()
    assert os.path.exists(sys.executable)


def test_looking_leaves_the_environment_as_it_is(setup: Envkit, envkit: Envkit, tmp_path: Path) -> None:
    setup()
    folder = tmp_path / "here/.venv"
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "early.py").write_text("")
    (site_packages / "early.pth").write_text("import early\n")  # runs before anything of the payload
    before = contents(folder)
    envkit("doctor", "--python", folder)
    envkit("probe", "--python", folder, "--deep")
    envkit("smoke", "--python", folder)
    assert contents(folder) == before


def test_a_profile_that_wants_more_of_the_machine_is_not_satisfied_by_the_same_packages(
    setup: Envkit, tiny: Path
) -> None:
    setup("--no-doctor")
    tiny.write_text(TINY.replace("requires: {", "requires: {memory: 900 TiB, "))
    ran = setup()
    assert ran.status == 1
    assert "needs 921600.0 GiB" in ran.first_line


def test_an_environment_that_was_never_judged_is_judged_the_next_time(setup: Envkit, tmp_path: Path) -> None:
    setup("--no-doctor")
    state = tmp_path / "here/.venv/envkit.json"
    assert '"installed"' in state.read_text()
    assert "nothing to do" in setup().first_line
    assert '"judged"' in state.read_text()


def test_the_profile_of_an_environment_is_a_fact_of_it(
    setup: Envkit, envkit: Envkit, tiny: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    setup()
    home = {"HOME": str(tmp_path / "here")}  # so that its path is redacted
    folder = tmp_path / "here/.venv"
    here = envkit("doctor", "--python", folder, "--format", "json", env=home).json
    facts = tmp_path / "facts.json"
    facts.write_text(envkit("probe", "--python", folder, env=home).out)
    there = envkit("doctor", "--facts", facts, "--format", "json", env=home).json
    assert here["profile"] == there["profile"] == "tiny"
    assert [f["check"] for f in here["findings"]] == [f["check"] for f in there["findings"]]
