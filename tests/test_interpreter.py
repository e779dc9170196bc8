"""Which Python is inspected."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.interpreter import Interpreter, find, in_environment


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def default(folder: Path, **environ: str) -> Interpreter | None:
    return find(environ={"PATH": "/nonexistent", **environ}, folder=str(folder))


def test_the_order_of_the_places_looked_at(tmp_path: Path) -> None:
    assert default(tmp_path) is None
    environ = {"PATH": str(tmp_path / "path")}
    steps = [
        ("path/python", {}, "python on PATH"),
        ("path/python3", {}, "python3 on PATH"),
        (".venv/bin/python", {}, "./.venv"),
        ("conda/bin/python", {"CONDA_PREFIX": str(tmp_path / "conda")}, "$CONDA_PREFIX"),
        ("venv/bin/python", {"VIRTUAL_ENV": str(tmp_path / "venv")}, "$VIRTUAL_ENV"),
    ]
    for place, variables, how in steps:
        executable(tmp_path / place)
        environ.update(variables)
        assert default(tmp_path, **environ) == Interpreter(str(tmp_path / place), how)


def test_an_active_environment_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    executable(tmp_path / ".venv/bin/python")
    found = default(tmp_path, VIRTUAL_ENV=str(tmp_path / "gone"), CONDA_PREFIX="")
    assert found is not None
    assert found.how == "./.venv"


def test_the_project_comes_before_the_environment_envkit_was_started_from(tmp_path: Path) -> None:
    alone = default(tmp_path, VIRTUAL_ENV=sys.prefix)
    assert alone == Interpreter(in_environment(sys.prefix), "$VIRTUAL_ENV, envkit's own environment")
    path = executable(tmp_path / ".venv/bin/python")
    assert default(tmp_path, VIRTUAL_ENV=sys.prefix) == Interpreter(str(path), "./.venv")


def test_envkits_own_python_on_path_is_said_to_be_its_own(tmp_path: Path) -> None:
    found = default(tmp_path, PATH=os.path.join(sys.prefix, "bin"))
    assert found is not None
    assert found.how.endswith("on PATH, envkit's own environment")


def test_a_link_is_kept_for_it_is_what_makes_an_environment(tmp_path: Path) -> None:
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    for asked in (tmp_path / "env", tmp_path / "env/bin/python"):
        assert find(str(asked)) == Interpreter(str(tmp_path / "env/bin/python"), "--python")


def test_a_path_is_made_absolute_and_a_name_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = executable(tmp_path / "bin/python3.99")
    monkeypatch.chdir(tmp_path)
    expected = Interpreter(str(path), "--python")
    assert find("bin/python3.99") == expected
    assert find("python3.99", environ={"PATH": str(tmp_path / "bin")}) == expected


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("gone/python", "--python gone/python: no such file"),
        ("python9", "--python python9: no such file, and no such command on PATH"),
        ("empty", "--python empty: this folder is no environment: it has no bin/python"),
        ("text", "--python text: {folder}/text is not an executable file"),
        ("broken", "--python broken: {folder}/broken/bin/python is not an executable file"),
        (
            "dangling",
            "--python dangling: the Python that this environment was made from is gone: /nonexistent/python",
        ),
        ("", "--python : no such file, and no such command on PATH"),
    ],
)
def test_what_cannot_be_inspected_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("not a program")
    (tmp_path / "broken/bin").mkdir(parents=True)
    (tmp_path / "broken/bin/python").write_text("not a program")
    (tmp_path / "dangling/bin").mkdir(parents=True)
    (tmp_path / "dangling/bin/python").symlink_to("/nonexistent/python")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        find(python, environ={"PATH": "/nonexistent"})
    assert error.value.message == message.format(folder=tmp_path)
    assert error.value.exit_status == 2


def test_an_environment_whose_python_is_gone_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/pyvenv.cfg").touch()
    (tmp_path / ".venv/bin/python").symlink_to("/nonexistent/python")
    found = find(environ={"PATH": os.defpath}, folder=str(tmp_path))
    assert found is not None
    assert found.path == f"{tmp_path}/.venv/bin/python"
