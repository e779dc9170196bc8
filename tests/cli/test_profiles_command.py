"""`envkit profiles list | show | validate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from envkit.checks import discover
from envkit.cli.profiles import app
from envkit.errors import InputError
from envkit.profile import ProfileErrors, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_shows_accelerator_purpose_and_place_in_columns(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "lab.yaml").write_text("extends: cuda12\ndescription: The lab.\n")
    (tmp_path / "profiles" / "torn.yaml").write_text("nmae: x\n")
    lines = run("list").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["apple", "apple"],
        ["cpu", "none"],
        ["cuda12", "nvidia"],
        ["cuda12-tensorflow", "nvidia"],
        ["cuda12-torch", "nvidia"],
        ["cuda13", "nvidia"],
        ["lab", "nvidia"],
        ["rocm", "amd"],
        ["torn", "?"],
        ["tpu", "tpu"],
    ]
    assert lines[6].split("  ")[-1] == "./profiles"
    assert "The lab." in lines[6]
    assert "not valid" in lines[8]
    assert (
        len({line.index(place) for line in lines for place in ("built-in", "./profiles") if line.endswith(place)}) == 1
    )


def test_show_gives_yaml_that_is_a_profile_and_json_with_bytes(tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(run("show", "cuda12"))
    assert load("shown.yaml").packages == load("cuda12").packages
    shown = json.loads(run("show", "cuda12", "--format", "json"))
    assert shown["requires"]["disk"] == 14 * 2**30
    assert shown["path"] == str(ROOT / "profiles" / "cuda12.yaml")


def test_show_refuses_an_unknown_name_and_an_unknown_format() -> None:
    with pytest.raises(InputError, match="did you mean `cpu`"):
        run("show", "cpuu")
    with pytest.raises(InputError, match="--format"):
        run("show", "cpu", "--format", "xml")


def test_validate_says_ok_for_each_file() -> None:
    files = [str(path) for path in sorted((ROOT / "profiles").glob("*.yaml"))]
    assert run("validate", *files).splitlines() == [f"{file}: ok" for file in files]


def test_validate_says_every_error_of_every_file_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("requires: {memroy: 1}\n")
    (tmp_path / "a.yaml").write_text("extends: base\n")
    (tmp_path / "b.yaml").write_text("extends: base\nchecks: {no-such-check: {ignore: why}}\n")
    result = CliRunner().invoke(app, ["validate", "a.yaml", "gone.yaml", "b.yaml", "cpu"])
    assert isinstance(result.exception, ProfileErrors)
    assert result.exception.exit_status == 2
    assert result.exception.message.split("\n")[:2] == [
        "base.yaml:1: requires.memroy: unknown key, did you mean `memory`?",
        "gone.yaml: there is no such file",
    ]
    assert [p.key for p in result.exception.problems] == ["requires.memroy", "", "checks.no-such-check"]
    assert result.stdout == f"{ROOT / 'profiles' / 'cpu.yaml'}: ok\n"


def test_validate_knows_the_checks_and_their_thresholds(tmp_path: Path) -> None:
    check = next((c for c in discover().values() if c.thresholds), None)
    if check is None:
        pytest.skip("no check has a threshold")
    good = f"checks: {{{check.id}: {{thresholds: {{{next(iter(check.thresholds))}: 1}}}}}}\n"
    (tmp_path / "good.yaml").write_text(good)
    assert run("validate", "good.yaml") == "good.yaml: ok\n"
    (tmp_path / "bad.yaml").write_text(f"checks: {{{check.id}: {{thresholds: {{nope: 1}}}}}}\n")
    with pytest.raises(ProfileErrors, match="unknown threshold"):
        run("validate", "bad.yaml")
