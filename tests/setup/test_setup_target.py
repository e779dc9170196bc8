from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.setup.target import check_target


def environment(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyvenv.cfg").touch()
    return folder


def test_a_new_or_empty_folder_is_built_into(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert check_target(tmp_path / "new") == (tmp_path / "new", False)
    assert check_target(tmp_path / "empty") == (tmp_path / "empty", False)
    assert check_target(tmp_path / "deep/er/env") == (tmp_path / "deep/er/env", False)


def test_an_environment_is_replaced_also_through_a_link(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env")
    (tmp_path / "link").symlink_to(folder)
    assert check_target(folder) == (folder, True)
    assert check_target(tmp_path / "link") == (folder, True)


def test_what_is_no_environment_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "work").mkdir()
    (tmp_path / "work/thesis.tex").touch()
    (tmp_path / "link").symlink_to(tmp_path / "work")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, message in {
        "file": "is a file",
        "work": "no environment",
        "link": "symbolic link",
        "dangling": "symbolic link",
        "file/env": "is a file",
    }.items():
        with pytest.raises(InputError, match=message):
            check_target(tmp_path / name)
    assert (tmp_path / "work/thesis.tex").exists()


def test_a_conda_environment_is_replaced_only_where_that_is_meant(tmp_path: Path) -> None:
    history = tmp_path / "env/conda-meta/history"
    history.parent.mkdir(parents=True)
    history.touch()
    with pytest.raises(InputError, match="no environment"):
        check_target(tmp_path / "env")
    assert check_target(tmp_path / "env", conda=True) == (tmp_path / "env", True)


def test_a_kept_one_whose_removal_was_cut_short_is_in_nobody_s_way(tmp_path: Path) -> None:
    environment(tmp_path / "env")
    (tmp_path / "env.previous").mkdir()
    assert check_target(tmp_path / "env") == (tmp_path / "env", True)


def test_a_folder_named_like_the_kept_one_is_not_overwritten(tmp_path: Path) -> None:
    environment(tmp_path / "env")
    (tmp_path / "env.previous").mkdir()
    (tmp_path / "env.previous/thesis.tex").touch()
    with pytest.raises(InputError, match=r"env\.previous"):
        check_target(tmp_path / "env")


def test_envkit_does_not_replace_the_environment_it_runs_from() -> None:
    if sys.prefix == sys.base_prefix:
        pytest.skip("not run from an environment")
    with pytest.raises(InputError, match="runs from"):
        check_target(Path(sys.prefix))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    if os.geteuid():
        closed.chmod(0o555)
        undo = ["chmod", "755", str(closed)]
    else:
        if subprocess.run(["chattr", "+i", str(closed)], check=False, capture_output=True).returncode:
            pytest.skip("root, and a file system without chattr +i")
        undo = ["chattr", "-i", str(closed)]
    try:
        with pytest.raises(InputError, match="is not writable"):
            check_target(closed / "env")
    finally:
        subprocess.run(undo, check=True)


def test_a_read_only_file_system_is_named(tmp_path: Path) -> None:
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare -m and mount, which take root")
    code = (
        "import sys; from pathlib import Path; from envkit.errors import InputError\n"
        "from envkit.setup.target import check_target\n"
        "try: check_target(Path(sys.argv[1]))\nexcept InputError as error: print(error.message)\n"
    )
    script = f'mount -t tmpfs -o ro tmpfs {tmp_path} && "$0" -c "$1" {tmp_path}/env'
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable, code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"{tmp_path} is on a read-only file system: no environment can be made in it\n"
