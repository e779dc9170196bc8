"""`options`: what --with adds and --without leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.profile import SmokeRun, load, load_file
from envkit.profile.write import as_yaml

BASE = """
requires: {python: ">=3.10"}
packages: [torch==2.10.0, numpy==2.2.6]
smoke: [{framework: torch}]
options:
  tensorflow:
    default: true
    packages: [tensorflow==2.20.0, keras==3.12.4]
    smoke: [{framework: tensorflow}]
  jax:
    python: ">=3.11"
    packages: [jax==0.10.2, keras==3.13.0]
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(BASE)
    return path


def test_a_profile_has_its_default_options(base: Path) -> None:
    profile = load_file(base)
    assert profile.packages == ["torch==2.10.0", "numpy==2.2.6", "tensorflow==2.20.0", "keras==3.12.4"]
    assert profile.smoke == [SmokeRun(framework="torch"), SmokeRun(framework="tensorflow")]
    assert (profile.variant, profile.requires.python) == ("", ">=3.10")


def test_an_option_is_added_with_the_python_that_it_needs_and_its_pins_win(base: Path) -> None:
    profile = load_file(base, add=["jax"])
    assert profile.packages == ["torch==2.10.0", "numpy==2.2.6", "tensorflow==2.20.0", "jax==0.10.2", "keras==3.13.0"]
    assert profile.requires.python == ">=3.10,>=3.11"
    assert profile.variant == "with-jax"
    assert profile.words == ["base", "--with", "jax"]


def test_a_default_option_is_left_out_with_its_runs(base: Path) -> None:
    profile = load_file(base, leave_out=["tensorflow"])
    assert profile.packages == ["torch==2.10.0", "numpy==2.2.6"]
    assert profile.smoke == [SmokeRun(framework="torch")]
    assert profile.words == ["base", "--without", "tensorflow"]


def test_what_changes_nothing_is_no_variant(base: Path) -> None:
    assert load_file(base, add=["tensorflow", "torch"], leave_out=["jax"]).variant == ""


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"add": ["jaxx"]}, "--with jaxx: the profile has no such option, did you mean jax?"),
        ({"leave_out": ["tensorfow"]}, "--without tensorfow: the profile has no such option, did you mean tensorflow?"),
        ({"leave_out": ["torch"]}, "--without torch: the profile has no such option"),
        ({"add": ["jax"], "leave_out": ["jax"]}, "--with and --without both name jax"),
    ],
)
def test_an_option_that_there_is_not_is_refused(base: Path, chosen: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_file(base, **chosen)
    assert caught.value.message == message


def test_a_profile_that_extends_replaces_the_pins_of_an_option_where_they_stand(base: Path, tmp_path: Path) -> None:
    child = tmp_path / "child.yaml"
    child.write_text("""
extends: base
packages: [tensorflow==2.21.0, numpy==2.3.0]
smoke: [{framework: tensorflow, models: [mlp]}]
options:
  jax: {default: true, packages: [jax==0.11.0]}
""")
    whole = load_file(child)
    assert whole.packages == [
        *("torch==2.10.0", "numpy==2.3.0", "tensorflow==2.21.0", "keras==3.13.0", "jax==0.11.0"),
    ]
    assert whole.smoke[-1] == SmokeRun(framework="tensorflow", models=["mlp"])
    alone = load_file(child, leave_out=["tensorflow", "jax"])
    assert alone.packages == ["torch==2.10.0", "numpy==2.3.0"]
    assert alone.smoke == [SmokeRun(framework="torch")]


def test_a_variant_shown_as_yaml_reads_back_as_the_same_packages(base: Path, tmp_path: Path) -> None:
    profile = load_file(base, add=["jax"], leave_out=["tensorflow"])
    shown = tmp_path / "shown.yaml"
    shown.write_text(as_yaml(profile))
    again = load_file(shown)
    assert (again.packages, again.smoke) == (profile.packages, profile.smoke)


def test_cuda12_torch_is_cuda12_without_tensorflow() -> None:
    assert load("cuda12-torch").packages == load("cuda12", leave_out=["tensorflow"]).packages
    assert load("cuda12-torch", add=["tensorflow"]).packages == load("cuda12").packages
