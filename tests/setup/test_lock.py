"""Locks: their text, what they refuse, what is installed from them."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import msgspec
import pytest

from envkit.errors import InputError, SetupError
from envkit.profile import Profile, load_file
from envkit.setup.locks.drift import difference, drift
from envkit.setup.locks.lock import Lock, Pin, find_lock, lock_path, read, render, write
from envkit.setup.locks.make import make_lock, renew, targets
from envkit.setup.resolving.platforms import PLATFORMS, own_platform, uv_target
from envkit.setup.resolving.pylock import wheels
from envkit.setup.resolving.resolve import Resolved, resolve
from envkit.setup.sources.configured import read_sources
from envkit.setup.state import digest
from tests.setup.conftest import zip_wheel

EXECUTABLE = str(Path(sys.executable).resolve())
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
HERE = own_platform()
needs_locks = pytest.mark.skipif(HERE not in PLATFORMS, reason="no locks are made for this platform")
HASH = "0123456789abcdef" * 4
LOCK = Lock(
    profile="tiny",
    python="3.11",
    platform="linux-x86_64",
    digest=HASH,
    made="2026-11-26",
    uv="0.13.9",
    pins=(
        Pin(name="alpha", version="1.0+cpu", sha256=(HASH, HASH[::-1]), size_bytes=12),
        Pin(name="beta-x", version="2!2.0.post1", sha256=(HASH,)),
    ),
)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return written(tmp_path, "alpha==1.0")


def written(folder: Path, *packages: str, more: str = "") -> Profile:
    """A profile in a file."""
    path = folder / "tiny.yaml"
    path.write_text(f"packages: {list(packages)}\nrequires: {{python: '=={PYTHON}.*'}}\n{more}", encoding="utf-8")
    return load_file(path)


def locked(profile: Profile, environ: dict[str, str]) -> Lock:
    """Make a lock of the wheelhouse and put it beside the profile."""
    sources = read_sources(environ, root=Path("/no-root"))
    lock = make_lock(profile, PYTHON, HERE, sources=sources, environ=environ)
    write(lock, lock_path(profile, PYTHON, HERE))
    return lock


def resolved(profile: Profile, environ: dict[str, str], *, upgrade: bool = False) -> Resolved:
    sources = read_sources(environ, root=Path("/no-root"))
    return resolve(profile, python=EXECUTABLE, sources=sources, environ=environ, upgrade=upgrade)


def names(found: Resolved) -> list[str]:
    return [f"{package.name}=={package.version}" for package in found.packages]


def test_a_lock_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "x.txt"
    write(LOCK, path)
    again = read(path)
    assert msgspec.structs.replace(again, path="", sha256="") == LOCK
    assert again.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "where", "expected"),
    [
        (f"    --hash=sha256:{HASH[::-1]}", "    --hash=sha256:12", ":16:", "64 hexadecimal digits"),
        ("beta-x==2!2.0.post1 \\", "beta-x>=2 \\", ":18:", "name==version"),
        ("beta-x==", "alpha==", ":18:", "each package once"),
        ("# 12 bytes", "# twelve bytes", ":13:", "# 1024 bytes"),
        ("--require-hashes", "--index-url https://host/simple", ":10:", "name==version"),
        ("# platform: linux-x86_64\n", "", "x.txt", "`# platform: ...` is missing"),
        (render(LOCK).split("--only-binary :all:")[1], "", ":11:", "a package and its hashes"),
    ],
)
def test_a_broken_lock_says_the_line_and_what_was_expected(
    tmp_path: Path, old: str, new: str, where: str, expected: str
) -> None:
    path = tmp_path / "x.txt"
    path.write_text(render(LOCK).replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read(path)
    assert where in raised.value.message
    assert expected in raised.value.message


def test_what_differs_is_said_package_by_package() -> None:
    def pin(name: str, version: str, sha256: str = HASH) -> Pin:
        return Pin(name=name, version=version, sha256=(sha256,))

    old = [pin("numpy", "2.2.6"), pin("bar", "1.0"), pin("same", "1"), pin("six", "1.17.0")]
    new = [pin("numpy", "2.3.0"), pin("foo", "1.0"), pin("same", "1"), pin("six", "1.17.0", HASH[::-1])]
    told = ["- bar 1.0", "+ foo 1.0", "numpy 2.2.6 → 2.3.0", "six 1.17.0: other files (1 gone, 1 new)"]
    assert difference(old, new) == told
    assert difference(old, old) == []


@needs_locks
def test_the_locked_versions_are_taken_though_newer_ones_came(
    profile: Profile, environ: dict[str, str], wheelhouse: Path
) -> None:
    locked(profile, environ)
    zip_wheel(wheelhouse, "beta", "3.0")
    found = resolved(profile, environ)
    path = lock_path(profile, PYTHON, HERE)
    assert names(found) == ["alpha==1.0", "beta==2.0"]
    assert (found.locked, found.lock_sha256) == (str(path), read(path).sha256)


@needs_locks
def test_upgrade_passes_over_the_lock_and_says_what_moves(
    profile: Profile, environ: dict[str, str], wheelhouse: Path
) -> None:
    locked(profile, environ)
    zip_wheel(wheelhouse, "beta", "3.0")
    found = resolved(profile, environ, upgrade=True)
    assert names(found) == ["alpha==1.0", "beta==3.0"]
    assert found.changes == ["beta 2.0 → 3.0"]
    assert (found.locked, found.lock_sha256) == ("", "")


@needs_locks
def test_another_file_of_a_locked_version_is_refused(
    profile: Profile, environ: dict[str, str], wheelhouse: Path, tmp_path: Path
) -> None:
    lock = locked(profile, environ)
    resolved(profile, environ)
    zip_wheel(wheelhouse, "beta", "2.0", ("alpha",))
    again = environ | {"UV_CACHE_DIR": str(tmp_path / "other-cache")}
    with pytest.raises(SetupError, match=r"another file of beta 2\.0 than was locked") as raised:
        resolved(profile, again)
    assert "--upgrade" in raised.value.hint
    pins = {pin.name: pin.sha256 for pin in lock.pins}
    wheel = next(wheelhouse.glob("beta*"))
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() not in pins["beta"]


@needs_locks
def test_a_profile_that_has_changed_since_is_refused_with_the_difference(
    environ: dict[str, str], tmp_path: Path
) -> None:
    locked(written(tmp_path, "alpha==1.0"), environ)
    with pytest.raises(SetupError, match=r"beta: the profile asks for ==9\.0, the lock has 2\.0") as raised:
        resolved(written(tmp_path, "alpha==1.0", "beta==9.0"), environ)
    assert "--upgrade" in raised.value.hint
    assert "envkit profiles lock" in raised.value.hint


def test_a_change_that_no_pin_contradicts_is_drift_too(profile: Profile) -> None:
    lock = msgspec.structs.replace(LOCK, digest=digest(profile))
    assert drift(lock, profile) == []
    assert "have changed since" in drift(lock, msgspec.structs.replace(profile, torch_backend="cu128"))[0]


@needs_locks
@pytest.mark.parametrize(("key", "value"), [("python", "3.99"), ("platform", "darwin-x86"), ("profile", "other")])
def test_the_lock_of_another_python_or_platform_is_refused(
    profile: Profile, environ: dict[str, str], key: str, value: str
) -> None:
    lock = locked(profile, environ)
    write(msgspec.structs.replace(lock, **{key: value}), lock_path(profile, PYTHON, HERE))
    with pytest.raises(InputError, match=f"a lock for .*{value}.*but profile tiny, Python {PYTHON}, {HERE}"):
        find_lock(profile, PYTHON, HERE)


@needs_locks
def test_only_wheels_that_suit_the_python_and_platform_are_locked(
    profile: Profile, environ: dict[str, str], wheelhouse: Path
) -> None:
    other = next(word for word in PLATFORMS if word != HERE and word.startswith("linux"))
    machine = PLATFORMS[other].machine
    wheel = zip_wheel(wheelhouse, "beta", "2.0", ("alpha",))
    foreign = wheel.rename(wheelhouse / f"beta-2.0-cp311-cp311-manylinux_2_28_{machine}.whl")
    (wheelhouse / "beta-2.0.tar.gz").write_bytes(b"no sdist is looked at")
    plain = zip_wheel(wheelhouse, "beta", "2.0")
    pins = {pin.name: pin.sha256 for pin in locked(profile, environ).pins}
    assert pins["beta"] == (hashlib.sha256(plain.read_bytes()).hexdigest(),)
    assert hashlib.sha256(foreign.read_bytes()).hexdigest() not in pins["beta"]


@needs_locks
def test_what_is_installed_is_of_the_locked_files_alone(profile: Profile, environ: dict[str, str]) -> None:
    lock = locked(profile, environ)
    kept = wheels(Path(resolved(profile, environ).lock).read_text(encoding="utf-8"))
    assert {name: tuple(w.sha256 for w in files) for name, files in kept.items()} == {
        pin.name: pin.sha256 for pin in lock.pins
    }


@needs_locks
def test_a_check_shows_what_would_be_locked_now_and_writes_nothing(
    profile: Profile, environ: dict[str, str], wheelhouse: Path
) -> None:
    lock = locked(profile, environ)
    before = lock_path(profile, PYTHON, HERE).read_bytes()
    assert renew(profile, lock, check=True) == ("unchanged", [])
    zip_wheel(wheelhouse, "beta", "3.0")
    sources = read_sources(environ, root=Path("/no-root"))
    newer = make_lock(profile, PYTHON, HERE, sources=sources, environ=environ)
    assert renew(profile, newer, check=True) == ("changed", ["beta 2.0 → 3.0"])
    assert lock_path(profile, PYTHON, HERE).read_bytes() == before
    assert renew(profile, newer, check=False)[0] == "changed"
    assert names(resolved(profile, environ)) == ["alpha==1.0", "beta==3.0"]


def test_the_oldest_glibc_that_the_profile_allows_is_resolved_for(tmp_path: Path) -> None:
    def platform(glibc: str) -> str:
        needs = msgspec.structs.replace(Profile().requires, glibc=glibc)
        return uv_target(Profile(requires=needs), "3.12", "linux-aarch64")[0][-1]

    assert platform(">=2.31") == "aarch64-manylinux_2_31"
    assert platform(">=2.30") == platform("") == "aarch64-manylinux_2_28"


def test_a_python_or_platform_that_the_profile_does_not_allow_is_refused(profile: Profile) -> None:
    with pytest.raises(InputError, match=r"does not allow Python 2\.7, but"):
        targets(profile, ["2.7"], [])
    with pytest.raises(InputError, match="does not allow platform plan9, but linux-x86_64"):
        targets(profile, [], ["plan9"])
