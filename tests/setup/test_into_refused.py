"""What is no environment, or one that is not for envkit to change, is refused before anything is looked into."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from envkit.errors import InputError
from envkit.facts.software import Python
from envkit.setup.existing.into import environment_of, interpreter_in


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "is a Python itself, and no environment"),
        ({"externally_managed": True}, "is the system's Python, which its distribution manages, and no environment"),
        ({"virtual_environment": True, "prefix": sys.prefix}, "envkit itself runs from"),
    ],
)
def test_pythons_that_are_not_for_envkit_to_change_are_refused(changes: dict[str, Any], message: str) -> None:
    python = Python(**{"executable": "/usr/bin/python3", "version": "3.11.2", "prefix": "/usr", **changes})
    with pytest.raises(InputError, match=message):
        environment_of(python)


@pytest.mark.parametrize("sign", ["condabin", "envs", "conda-meta/conda-24.1.0-0.json"])
def test_conda_s_own_environment_is_refused(tmp_path: Path, sign: str) -> None:
    (tmp_path / sign).mkdir(parents=True)
    with pytest.raises(InputError, match="conda's own environment"):
        environment_of(Python(executable="python", version="3.12.1", prefix=str(tmp_path), conda=True))


def test_a_path_that_is_no_environment_is_named(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").touch()
    assert interpreter_in(str(venv)) == interpreter_in(str(venv / "bin/python")) == venv / "bin/python"
    windows, dangling = tmp_path / "windows/Scripts/python.exe", tmp_path / "dangling/bin/python"
    for file in (windows, dangling):
        file.parent.mkdir(parents=True)
    windows.touch()
    dangling.symlink_to("/gone/python3")
    for place, message in {
        tmp_path / "none": "no such environment",
        tmp_path: "it has no bin/python",
        tmp_path / "windows": "of Windows",
        tmp_path / "dangling": "is gone: /gone/python3",
    }.items():
        with pytest.raises(InputError, match=message):
            interpreter_in(str(place))
    assert os.path.lexists(dangling)
