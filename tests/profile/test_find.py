"""Where a profile's name is looked up."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.profile import available, find, load

ROOT = Path(__file__).parents[2]
BUILT_IN = ["apple", "cpu", "cuda12", "cuda12-tensorflow", "cuda12-torch", "cuda13", "rocm", "tpu"]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The folders ./profiles and the user's, empty."""
    folders = {"./profiles": tmp_path / "work" / "profiles", "user": tmp_path / "config" / "envkit" / "profiles"}
    for folder in folders.values():
        folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folders


def test_the_built_in_ones_are_found_from_anywhere(places: dict[str, Path]) -> None:
    assert [found.name for found in available()] == BUILT_IN
    assert {found.place for found in available()} == {"built-in"}
    assert find("cpu") == ROOT / "profiles" / "cpu.yaml"


def test_a_nearer_place_hides_a_farther_one(places: dict[str, Path]) -> None:
    (places["user"] / "cpu.yaml").write_text("description: user\n")
    assert load("cpu").description == "user"
    (places["./profiles"] / "cpu.yml").write_text("description: here\n")
    assert load("cpu").description == "here"
    assert [f.place for f in available() if f.name == "cpu"] == ["./profiles"]


def test_envkits_own_checkout_is_not_two_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert find("cpu").samefile(ROOT / "profiles" / "cpu.yaml")
    assert {found.place for found in available()} == {"built-in"}


def test_the_configuration_folder_is_in_the_home_where_xdg_is_unset_or_relative(
    places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config" / "envkit" / "profiles").mkdir(parents=True)
    (tmp_path / ".config" / "envkit" / "profiles" / "lab.yaml").write_text("description: lab\n")
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert load("lab").description == "lab"


@pytest.mark.parametrize("path", ["./mine.yaml", "mine.yaml", "sub/mine"])
def test_a_path_is_taken_as_it_is(places: dict[str, Path], path: str) -> None:
    Path("sub").mkdir()
    Path(path).write_text("description: mine\n")
    assert load(path).name == "mine"


def test_an_unknown_name_lists_the_known_ones_and_the_nearest(places: dict[str, Path]) -> None:
    (places["user"] / "lab.yaml").write_text("description: lab\n")
    with pytest.raises(InputError, match="did you mean `cuda12`") as caught:
        find("cuda122")
    assert f"(known: {', '.join(sorted([*BUILT_IN, 'lab']))})" in caught.value.message
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("name", ["", "..", ".", "...", "a..b", "nul\0", "-x", "x" * 5000])
def test_what_can_be_no_name_finds_nothing(places: dict[str, Path], name: str) -> None:
    with pytest.raises(InputError, match="no profile is called"):
        find(name)


@pytest.mark.parametrize("path", ["gone.yaml", "./gone", "/nowhere/x.yaml", "nul\0/x", "x" * 5000 + ".yaml"])
def test_a_path_that_is_not_there_is_said(places: dict[str, Path], path: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        find(path)


def test_what_is_no_profile_in_a_place_is_passed_over(places: dict[str, Path]) -> None:
    (places["user"] / "folder.yaml").mkdir()
    (places["user"] / "notes.txt").write_text("x")
    (places["user"] / "broken.yaml").symlink_to("gone")
    assert [found.name for found in available()] == BUILT_IN
    with pytest.raises(InputError, match="no profile is called `folder`"):
        find("folder")
