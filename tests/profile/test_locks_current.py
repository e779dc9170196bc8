"""The locks of the built-in profiles: whole, of the profiles as they are now, and naming no place on earth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envkit.profile import Profile, load_file
from envkit.setup.locks.drift import drift
from envkit.setup.locks.lock import find_lock, lock_path, read
from envkit.setup.resolving.platforms import allowed_platforms, allowed_pythons, pins
from envkit.versions import satisfies

PROFILES = Path(__file__).parents[2] / "profiles"
FILES = sorted((PROFILES / "locks").rglob("*.txt"))
NO_SECOND_SOURCE = "only one public file tells the hash of PyTorch's own build"
UNLOCKED = {("cpu", "3.10", "linux-x86_64"): NO_SECOND_SOURCE, ("rocm", "", ""): NO_SECOND_SOURCE}
"""(profile, Python, platform), "" for all, that have no lock, and why."""


def variants(path: Path) -> list[Profile]:
    """A profile as it is, and with each of its options the other way round."""
    plain = load_file(path)
    return [
        plain,
        *(
            load_file(path, leave_out=[name]) if option.default else load_file(path, add=[name])
            for name, option in plain.options.items()
        ),
    ]


ALL = [variant for path in sorted(PROFILES.glob("*.yaml")) for variant in variants(path)]
EVERY = [(p, python, platform) for p in ALL for platform in allowed_platforms(p) for python in allowed_pythons(p)]


def reason(profile: Profile, python: str, platform: str) -> str:
    """Why there is no lock; "" where there must be one."""
    return UNLOCKED.get((profile.name, python, platform)) or UNLOCKED.get((profile.name, "", "")) or ""


def test_there_is_a_lock_for_all_that_a_profile_allows_and_for_nothing_else() -> None:
    expected = {lock_path(*case) for case in EVERY if not reason(*case)}
    assert set(FILES) == expected
    assert len(FILES) > 80


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PROFILES / "locks")) for path in FILES])
def test_a_lock_is_whole_and_names_no_place(path: Path) -> None:
    lock = read(path)
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"://|/|\\(?!\n)|\b(index|find-links|localhost|pypi|pytorch\.org)\b", body(text))
    assert all(len(set(pin.sha256)) == len(pin.sha256) for pin in lock.pins)
    assert [pin.name for pin in lock.pins] == sorted(pin.name for pin in lock.pins)


def body(text: str) -> str:
    """The text below its title, which says how it was made."""
    return text.split("\n", 1)[1]


@pytest.mark.parametrize("profile", ALL, ids=lambda p: f"{p.name} {p.variant}".strip())
def test_the_locks_of_a_profile_are_of_what_it_says_now(profile: Profile) -> None:
    for platform in allowed_platforms(profile):
        for python in allowed_pythons(profile):
            if reason(profile, python, platform):
                continue
            lock = find_lock(profile, python, platform)
            assert lock
            assert drift(lock, profile) == []
            versions = {pin.name: pin.version for pin in lock.pins}
            for name, specifiers in pins(profile, python, platform).items():
                assert satisfies(versions[name], specifiers), (name, versions[name], specifiers)
