"""The file that a build leaves: which are refused, and what tells that an environment is not as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from envkit.errors import InputError
from envkit.facts import Facts
from envkit.facts.software import Python
from envkit.findings import Report
from envkit.phases import deferred
from envkit.phases.deferred import Deferred, contents, pack, read, unpack
from envkit.profile import load

Machine = Callable[[str], Facts]
Build = Callable[..., tuple[Report, Deferred]]
Start = Callable[[Facts, Deferred], Report]


@pytest.fixture
def left(machine: Machine, built: Build) -> Deferred:
    return built(machine("cpu-server"), load("cpu"))[1]


def huge(path: Path) -> None:
    """A terabyte, none of it written."""
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda path: path.mkdir(), "is no file"),
        (os.mkfifo, "is no file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no file"),
        (lambda path: path.symlink_to("gone"), "is no file"),
        (lambda path: path.touch(), "is damaged: "),
        (lambda path: path.write_bytes(b"\xff\xfe{"), "is damaged: "),
        (lambda path: path.write_text("[" * 100_000), "is damaged: "),
        (lambda path: path.write_text('{"schema": ' * 50_000), "is damaged: "),
        (huge, "is damaged: larger than 64 MiB"),
    ],
)
def test_what_is_no_such_file_is_told_in_a_line(place: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    place(tmp_path / deferred.FILE)
    with pytest.raises(InputError) as error:
        read(tmp_path / deferred.FILE)
    assert said in str(error.value)
    assert "envkit doctor --phase build" in error.value.hint


def test_a_file_may_be_a_link_to_another(left: Deferred, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(msgspec.json.encode(replace(left, identity=deferred.identity(tmp_path))))
    (tmp_path / deferred.FILE).symlink_to(there)
    assert read(tmp_path / deferred.FILE).checks == left.checks


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_facts_of_the_machine_do_not_come_from_the_image(change: str, left: Deferred, machine: Machine) -> None:
    memory = pack({"memory": machine("cpu-server").memory})
    image = {**left.image, **memory} if change == "one more" else {"python": left.image["python"]}
    with pytest.raises(InputError, match=r"for which other facts were the image's: (memory|jax, tensorflow, torch)"):
        unpack(replace(left, image=image), Path("file"))


def test_a_file_that_does_not_know_its_python_is_damaged(left: Deferred) -> None:
    image = {**left.image, "python": msgspec.Raw(b'{"outcome": "absent"}')}
    with pytest.raises(InputError, match="does not say which Python"):
        unpack(replace(left, image=image), Path("file"))


@pytest.mark.parametrize("sections", [[], ["nosuch"], ["memory"]])
def test_checks_are_not_skipped_because_a_file_does_not_say_what_they_need(
    sections: list[str], left: Deferred, machine: Machine, started: Start
) -> None:
    with pytest.raises(InputError, match="need more of the machine: allocation, clock, container"):
        started(machine("cpu-server"), replace(left, sections=[s for s in sections if s != "nosuch"]))


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Python:
    """A system's Python, whose user has an empty home, and is in an empty folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    packages = tmp_path / "site-packages"
    packages.mkdir()
    return Python(
        executable="/usr/bin/python3", version="3.11.7", user_site_enabled=True, site_packages=[str(packages)]
    )


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("site-packages/torch-2.10.0.dist-info/METADATA", True),
        ("home/.local/lib/python3.11/site-packages/torch/__init__.py", True),
        ("home/.local/lib/python3.10/site-packages/torch/__init__.py", False),
        ("work/torch.py", True),
        ("work/numpy/__init__.py", True),
        ("work/train.py", False),
        ("work/torch/notes.txt", False),
        ("code/jax/__init__.py", True),
        ("code/alpha-1.0.dist-info/METADATA", True),
        ("code/train.py", False),
        ("libraries/libcudnn.so.9", True),
        ("libraries/libcuda.so.1", False),
    ],
)
def test_what_a_mount_puts_before_the_packages_is_seen(
    path: str, matters: bool, python: Python, tmp_path: Path
) -> None:
    environ = {"PYTHONPATH": str(tmp_path / "code"), "LD_LIBRARY_PATH": str(tmp_path / "libraries")}
    before = contents(python, environ)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    assert (contents(python, environ) != before) is matters
