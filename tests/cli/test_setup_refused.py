"""What `envkit setup` refuses before it does anything, and what a dry run promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text("requires: {python: '>=3.10'}\npackages: [alpha==1.0]\n")
    return file


@pytest.fixture
def setup(envkit: Envkit, world: dict[str, str], tiny: Path) -> Envkit:
    return lambda *arguments, **options: envkit("setup", "--profile", tiny, *arguments, **{"env": world} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rollback", "--dry-run"), "--rollback does not go with --dry-run"),
        (("--rollback", "--profile", "cpu"), "--rollback does not go with --profile"),
        (("--download", "x", "--dry-run"), "--download does not go with --dry-run"),
        (("--into", "x", "--assume", "driver=570"), "--into does not go with --assume"),
        (("--into", "x", "--upgrade"), "--into does not go with --upgrade"),
        (("--into", "x", "--python", "3.12"), "--into does not go with --python"),
        (("--system", "--extras", "vllm"), "--system does not go with --extras"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(envkit: Envkit, options: tuple[str, ...], message: str) -> None:
    ran = envkit("setup", *options)
    assert (ran.status, ran.error(), ran.out) == (2, message, "")


def test_a_rollback_is_not_done_dry(setup: Envkit, envkit: Envkit, tiny: Path, world: dict[str, str]) -> None:
    setup()
    tiny.write_text(tiny.read_text().replace("alpha==1.0", "beta==2.0"))
    setup()
    assert envkit("setup", "--rollback", "--dry-run", env=world).status == 2
    back = envkit("setup", "--rollback", "--format", "json", env=world).json
    assert (back["schema"], back["now"]["packages"]) == ("envkit.rollback/1", {"alpha": "1.0", "beta": "2.0"})


def test_a_dry_run_says_what_a_run_would(setup: Envkit) -> None:
    first = setup("--dry-run")
    assert "Proving it by training" not in first.out, "the profile names nothing to train"
    setup()
    again = setup("--dry-run")
    assert again.out.startswith("✓ nothing to do: .venv is what profile tiny asks for")
    assert setup("--dry-run", "--format", "json").json["environment"]["profile"] == "tiny"
    assert setup("--dry-run", "--upgrade").first_line.startswith("Plan: profile tiny in ")


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        ("memory: 900000 GiB", "of memory, profile tiny needs 900000.0 GiB"),
        ("os: [windows]", "profile tiny is for windows, this is "),
    ],
)
def test_a_machine_that_cannot_be_what_the_profile_wants_is_told_before_anything_is_built(
    setup: Envkit, tiny: Path, tmp_path: Path, needs: str, why: str
) -> None:
    tiny.write_text(f"requires: {{python: '>=3.10', {needs}}}\npackages: [alpha==1.0]\n")
    dry = setup("--dry-run")
    assert dry.status == 0
    assert "note      would stop here: cannot train with profile tiny: " in dry.out
    ran = setup()
    assert ran.status == 1
    assert why in ran.out
    assert "\n\nNothing was changed." in ran.out
    assert "\n\n\n" not in ran.out
    assert "Creating the environment" not in ran.err
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("name", ["d" * 250, "d" * 300, "/".join(["d" * 200] * 30), "~no-such-user-x/env"])
def test_a_folder_that_cannot_be_is_refused_in_one_line(setup: Envkit, name: str) -> None:
    ran = setup("--venv", name)
    assert ran.status == 2
    assert "cannot be looked at: " in ran.error()


def test_a_folder_may_begin_with_a_dash(setup: Envkit, tmp_path: Path) -> None:
    ran = setup("--venv=-env")
    assert ran.status == 0, ran.err
    assert (tmp_path / "here/-env/bin/python").exists()


def test_a_folder_that_is_gone_is_told(envkit: Envkit, tmp_path: Path) -> None:
    gone = ("sh", "-c", 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"', str(tmp_path / "gone"))
    for arguments in (("setup",), ("profiles", "lock", "cpu"), ("profiles", "freeze", "-o", "x")):
        ran = envkit(*arguments, before=gone)
        assert (ran.status, ran.error()) == (2, "the current folder does not exist any more")


def test_the_misspelt_name_of_an_extension_is_told_before_anything_is_resolved(setup: Envkit) -> None:
    ran = setup("--extras", "flash-atn")
    assert (ran.status, "Resolving" in ran.err) == (2, False)
    assert ran.error().startswith("--extras: flash-atn is not known, did you mean 'flash-attn'?")


def test_the_misspelt_name_of_a_package_is_told_with_the_name_that_was_meant(setup: Envkit, tiny: Path) -> None:
    tiny.write_text("packages: [tensorflw==2.21.0]\n")
    ran = setup()
    assert ran.status == 1
    assert "no source offers tensorflw==2.21.0" in ran.err
    assert "  hint: Did you mean tensorflow? If not: name a source that has it" in ran.err


def test_a_python_that_is_not_here_is_told_with_one_that_can_be_had(setup: Envkit, tiny: Path) -> None:
    ran = setup("--python", "3.99")
    assert (ran.status, ran.error()) == (2, "Python 3.99 was not found")
    assert "`uv python list`" in ran.err
    tiny.write_text("requires: {python: '>=3.99'}\npackages: [alpha==1.0]\n")
    ran = setup()
    assert ran.status == 2
    assert "  hint: There is no such Python: change requires.python in " in ran.err


def test_a_wheelhouse_alone_is_asked_for_what_goes_into_an_environment(
    setup: Envkit, bare: Path, tmp_path: Path, make_wheel: Callable[..., Path]
) -> None:
    (house := tmp_path / "house").mkdir()
    make_wheel(house, "alpha", "1.0")
    plan = setup("--into", bare, "--wheelhouse", house, "--dry-run", "--format", "json").json
    assert plan["sources"] == [f"wheelhouse {house} (--wheelhouse), nothing else"]
    ran = setup("--into", bare, "--wheelhouse", tmp_path / "none", "--dry-run")
    assert (ran.status, ran.error()) == (2, f"--wheelhouse {tmp_path / 'none'} is no folder")


def test_the_wheels_of_a_download_are_told_as_json_by_name(setup: Envkit) -> None:
    told = setup("--download", "house", "--format", "json").json["wheelhouse"]
    assert [(file["package"], file["version"]) for file in told["files"]] == [("alpha", "1.0"), ("beta", "2.0")]
    assert told["fetched"] == 2


def test_why_it_failed_is_in_the_json_without_credentials(envkit: Envkit, tiny: Path, world: dict[str, str]) -> None:
    tiny.write_text("packages: [gamma==1.0]\n")
    env = {**world, "PIP_NO_INDEX": "", "PIP_INDEX_URL": "http://me:s3cretword@127.0.0.1:9/simple"}
    ran = envkit("setup", "--profile", tiny, "--offline", "--format", "json", env=env)
    assert (ran.status, ran.json["status"]) == (1, "not ready")
    assert ran.json["error"].startswith("profile tiny cannot be resolved: ")
    assert "s3cretword" not in ran.out + ran.err


def test_a_machine_that_is_assumed_is_advised_by_setup_and_not_by_the_doctor_here(envkit: Envkit) -> None:
    ran = envkit("setup", "--assume", "driver=450", "--dry-run")
    assert ran.status == 1
    assert "hint: `envkit setup --assume driver=450 --profile cuda12` says what to do about it" in ran.err
