"""Locks that were damaged, moved, or made for another Python: what is told, and what mends them."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.errors import InputError, SetupError
from envkit.profile import Profile, load_file
from envkit.setup.locks.lock import find_lock, lock_path
from envkit.setup.locks.make import targets
from envkit.setup.plan import ago
from tests.setup.test_lock import HERE, PYTHON, locked, needs_locks, resolved, written

pytestmark = needs_locks


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return written(tmp_path, "alpha==1.0")


@pytest.fixture
def lock(profile: Profile, environ: dict[str, str]) -> Path:
    locked(profile, environ)
    return lock_path(profile, PYTHON, HERE)


def test_every_damage_is_answered_with_the_command_that_mends_it(profile: Profile, lock: Path) -> None:
    whole = lock.read_bytes()
    torn = [b"", whole[:300], whole.replace(b"sha256:", b"sha256:x"), b"\xff\xfe", whole + b"<<<<<<< HEAD\n"]
    for content in [*torn, whole.replace(PYTHON.encode(), b"3.99"), whole.replace(b"# digest", b"# digits")]:
        lock.write_bytes(content)
        with pytest.raises(InputError) as raised:
            find_lock(profile, PYTHON, HERE)
        assert raised.value.message.startswith(str(lock)), content
        assert raised.value.hint == f"Make it again: envkit profiles lock {' '.join(profile.words)}"


def test_what_is_no_file_is_no_lock_that_is_passed_over(profile: Profile, lock: Path) -> None:
    lock.unlink()
    lock.symlink_to("nowhere")
    with pytest.raises(InputError, match="the lock cannot be read: No such file"):
        find_lock(profile, PYTHON, HERE)
    lock.unlink()
    lock.mkdir()
    with pytest.raises(InputError, match="the lock cannot be read: Is a directory"):
        find_lock(profile, PYTHON, HERE)


def test_line_ends_of_windows_are_those_of_git(profile: Profile, lock: Path) -> None:
    lock.write_bytes(lock.read_bytes().replace(b"\n", b"\r\n"))
    found = find_lock(profile, PYTHON, HERE)
    assert found is not None
    assert found.requirements == ["alpha==1.0", "beta==2.0"]


def test_a_lock_that_lost_a_package_of_the_profile_is_refused_before_anything_is_built(
    profile: Profile, lock: Path, environ: dict[str, str]
) -> None:
    head, alpha, beta = lock.read_text().split("\n\n")
    assert "alpha==1.0" in alpha
    lock.write_text(f"{head}\n\n{beta}")
    with pytest.raises(InputError, match="1 packages given, its head expects another number"):
        resolved(profile, environ)
    lock.write_text(f"{head.replace('# packages: 2', '# packages: 1')}\n\n{beta}")
    with pytest.raises(SetupError, match=r"alpha: the profile asks for ==1\.0, the lock has none"):
        resolved(profile, environ)


def test_a_profile_that_is_locked_for_others_only_says_so(
    profile: Profile, lock: Path, environ: dict[str, str]
) -> None:
    lock.rename(lock.with_name("py399-plan9-mips.txt"))
    assert resolved(profile, environ).other_locks == ["py399-plan9-mips"]


def test_a_profile_without_a_newest_python_is_locked_for_any_that_it_allows(tmp_path: Path) -> None:
    path = tmp_path / "open.yaml"
    path.write_text("packages: [alpha==1.0]\nrequires: {python: '>=3.10'}\n")
    profile = load_file(path)
    assert [python for python, _ in targets(profile, ["3.10", "3.13"], [HERE])] == ["3.10", "3.13"]
    for word in ("3.9", "4", "x"):
        with pytest.raises(InputError, match=f"does not allow Python {word}, but"):
            targets(profile, [word], [HERE])


def test_the_age_of_an_answer_is_told_in_words() -> None:
    assert [ago(seconds) for seconds in (3, 150, 7300)] == ["just now", "2 min ago", "2 h ago"]
