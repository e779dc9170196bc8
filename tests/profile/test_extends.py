"""`extends`: what is merged, and what leads nowhere, in a circle, or out of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.profile import Problem, Profile, ProfileErrors, Requires, SmokeRun, load, load_file


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def write(tmp_path: Path, **files: str) -> Path:
    """Files by name; the path of the first."""
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path / f"{next(iter(files))}.yaml"


def problems(path: Path) -> list[Problem]:
    with pytest.raises(ProfileErrors) as caught:
        load_file(path)
    return caught.value.problems


BASE = """
name: The base
description: base
requires: {python: ">=3.10", memory: 4 GiB, os: [linux, darwin]}
packages:
  - torch==2.10.0; sys_platform == "linux"
  - torch==2.9.0; sys_platform != "linux"
  - Typing_Extensions==4.1
  - keras==3.12.4
torch_backend: cpu
smoke: [{framework: torch}, {framework: torch, device: cuda}, {framework: jax}]
checks: {a: {ignore: why}, b: {severity: warn}}
"""


def test_each_key_is_merged_by_its_own_rule(tmp_path: Path) -> None:
    child = """
extends: base
requires: {memory: 1 GB, os: [linux]}
packages: [typing.extensions==4.2, torch==2.13.0]
smoke: [{framework: torch, models: [mlp]}]
checks: {a: {severity: fail}, c: {thresholds: {x: 1.5}}}
"""
    path = write(tmp_path, child=child, base=BASE)
    profile = load_file(path)
    assert (profile.name, profile.path) == ("child", str(path))
    assert (profile.description, profile.torch_backend) == ("base", "cpu")
    assert profile.requires == Requires(python=">=3.10", memory=10**9, os=["linux"])
    assert profile.packages == ["keras==3.12.4", "typing.extensions==4.2", "torch==2.13.0"]
    assert profile.smoke == [SmokeRun(framework="jax"), SmokeRun(framework="torch", models=["mlp"])]
    assert {k: (c.severity, c.ignore) for k, c in profile.checks.items()} == {
        "a": ("fail", ""),
        "b": ("warn", ""),
        "c": (None, ""),
    }


def test_an_empty_text_takes_an_inherited_requirement_back(tmp_path: Path) -> None:
    path = write(tmp_path, child="extends: base\nrequires: {python: ''}\n", base=BASE)
    assert load_file(path).requires.python == ""


def test_several_are_merged_from_left_to_right(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        child="extends: [a, b]\nrequires: {disk: 3}\n",
        a="requires: {memory: 1, disk: 1, glibc: '>=2.28'}\npackages: [x==1, y==1]\n",
        b="requires: {memory: 2, disk: 2}\npackages: [y==2]\n",
    )
    profile = load_file(path)
    assert profile.requires == Requires(memory=2, disk=3, glibc=">=2.28")
    assert profile.packages == ["x==1", "y==2"]


def test_a_relative_path_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "one.yml").write_text("extends: two\n")
    (tmp_path / "bases" / "two.yml").write_text("torch_backend: cpu\n")
    assert load_file(write(tmp_path, child="extends: bases/one.yml\n")).torch_backend == "cpu"


def test_a_name_that_is_not_beside_it_means_a_built_in(tmp_path: Path) -> None:
    profile = load_file(write(tmp_path, child="extends: cpu\npackages: [numpy==2.1.3]\n"))
    assert "numpy==2.1.3" in profile.packages
    assert "keras==3.12.4" in profile.packages


def test_a_users_cpu_may_build_on_envkits_own(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "cpu.yaml").write_text("extends: cpu\nrequires: {memory: 5}\n")
    profile = load("cpu")
    assert profile.requires.memory == 5
    assert profile.torch_backend == "cpu"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cpuu", "did you mean `cpu`?"),
        ("../outside.yaml", "leads out of the folder"),
        ("sub/../../outside.yaml", "leads out of the folder"),
        ("./gone.yaml", "there is no such file"),
        ("linked", "leads out of the folder"),
        ("./linked.yaml", "leads out of the folder"),
        ("..", "is no name"),
        ("''", "is no name"),
        ("/etc/hostname", "leads out of the folder"),
    ],
)
def test_what_is_not_there_or_outside_is_refused(tmp_path: Path, name: str, message: str) -> None:
    folder = tmp_path / "inside"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text("torch_backend: cpu\n")
    (folder / "linked.yaml").symlink_to("../outside.yaml")
    (problem,) = problems(write(folder, child=f"name: x\nextends:\n  - {name}\n"))
    assert (problem.line, problem.key) == (3, "extends[0]")
    assert message in problem.message


@pytest.mark.parametrize(
    ("files", "line", "cycle"),
    [
        ({"a": "extends: a\n"}, 1, ["a", "a"]),
        ({"a": "extends: b\n", "b": "name: x\nextends: a\n"}, 2, ["a", "b", "a"]),
        ({"a": "extends: b\n", "b": "extends: c\n", "c": "\nextends: [b]\n"}, 2, ["b", "c", "b"]),
    ],
)
def test_a_cycle_is_told_with_its_whole_chain(
    tmp_path: Path, files: dict[str, str], line: int, cycle: list[str]
) -> None:
    (problem,) = problems(write(tmp_path, **files))
    assert problem.line == line
    assert problem.message == "cycle: " + " → ".join(str(tmp_path / f"{name}.yaml") for name in cycle)


def test_errors_of_every_file_come_in_one_go_and_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        child="extends: [a, b, nowhere]\nname: 1\n",
        a="extends: base\n",
        b="extends: base\nnmae: x\n",
        base="\nrequires: {memory: x}\n",
    )
    assert [(Path(p.file).stem, p.line, p.key) for p in problems(path)] == [
        ("child", 1, "extends[2]"),
        ("child", 2, "name"),
        ("base", 2, "requires.memory"),
        ("b", 2, "nmae"),
    ]


def test_a_very_long_chain_and_a_wide_one_end(tmp_path: Path) -> None:
    chain = {f"p{n}": f"extends: p{n + 1}\n" for n in range(100)}
    (problem,) = problems(write(tmp_path, **chain))
    assert "chain of more than 32 profiles" in problem.message
    lattice = {f"q{n}": f"extends: [q{n + 1}, r{n + 1}]\n" for n in range(25)}
    lattice |= {f"r{n}": f"extends: [q{n + 1}, r{n + 1}]\n" for n in range(25)}
    path = write(tmp_path, **lattice, q25="torch_backend: cpu\n", r25="torch_backend: xpu\n")
    assert load_file(path).torch_backend == "xpu"


def test_the_empty_profile_expects_nothing() -> None:
    assert Profile() == Profile(requires=Requires())
    assert not Profile().wants_gpu
