from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.profile import Profile
from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.uv import find_uv, run_uv
from envkit.setup.wheelhouses.wheelhouse import MOST_NAMED, check_wheelhouse, sha256_of, wheelhouse_lock

TINY = Profile(name="tiny")
ALPHA, BETA = "alpha-1.0-py3-none-any.whl", "beta-2.0-py3-none-any.whl"


def locked(folder: Path) -> dict[str, tuple[str, set[str]]]:
    return {"alpha": ("1.0", {sha256_of(folder / ALPHA)}), "beta": ("2.0", {sha256_of(folder / BETA)})}


def refusal(folder: Path, packages: dict[str, tuple[str, set[str]]]) -> str:
    with pytest.raises(InputError) as raised:
        check_wheelhouse(folder, packages, python_version="3.12.5", profile=TINY)
    assert "--download" in raised.value.hint
    return raised.value.message


def test_a_whole_wheelhouse_passes_with_hashes_and_without(wheelhouse: Path) -> None:
    check_wheelhouse(wheelhouse, locked(wheelhouse), python_version="3.12.5", profile=TINY)
    check_wheelhouse(wheelhouse, {"alpha": ("1.0", ()), "beta": ("2.0.0", ())}, python_version="3.12.5", profile=TINY)


def test_all_that_is_missing_corrupt_or_for_another_machine_is_named_at_once(
    wheelhouse: Path, make_wheel: Callable[..., Path]
) -> None:
    wanted = locked(wheelhouse) | {"gamma": ("3.0", set()), "delta": ("4.0", set())}
    whole = (wheelhouse / ALPHA).read_bytes()
    (wheelhouse / ALPHA).write_bytes(whole[:-9])
    make_wheel(wheelhouse, "delta", "4.0").rename(wheelhouse / "delta-4.0-cp39-cp39-win_amd64.whl")
    (wheelhouse / "nonsense.whl").write_bytes(b"")
    assert refusal(wheelhouse, wanted).partition("will not do: ")[2] == (
        f"missing: gamma==3.0; corrupt: {ALPHA} (its SHA-256 is not the lock's); "
        "for another Python or platform than Python 3.12.5 here: delta-4.0-cp39-cp39-win_amd64.whl"
    )


def test_a_truncated_wheel_is_found_where_no_hash_is_known(wheelhouse: Path) -> None:
    (wheelhouse / BETA).write_bytes((wheelhouse / BETA).read_bytes()[:100])
    assert "corrupt: beta-2.0-py3-none-any.whl (no complete zip file)" in refusal(wheelhouse, {"beta": ("2.0", set())})


def test_one_good_wheel_of_several_is_enough(wheelhouse: Path, make_wheel: Callable[..., Path]) -> None:
    wanted = locked(wheelhouse)
    make_wheel(wheelhouse, "alpha", "1.0").rename(wheelhouse / "alpha-1.0-cp39-cp39-win_amd64.whl")
    make_wheel(wheelhouse, "alpha", "1.0", ("beta",))
    check_wheelhouse(wheelhouse, wanted, python_version="3.12.5", profile=TINY)


def test_many_are_shortened(tmp_path: Path) -> None:
    wanted: dict[str, tuple[str, set[str]]] = {f"p{number}": ("1", set()) for number in range(MOST_NAMED + 5)}
    assert refusal(tmp_path, wanted).endswith("and 5 more")


def test_each_profile_python_and_platform_has_a_lock_of_its_own(tmp_path: Path) -> None:
    path = wheelhouse_lock(tmp_path, Profile(name="cpu"), "3.12", "linux-x86_64")
    assert path.name == "envkit-lock-cpu-py312-linux-x86_64.txt"


def ask(sources: Sources, environ: dict[str, str], requirement: str) -> str:
    child = run_uv(
        [find_uv(), "pip", "compile", "-", "--no-header", "--no-annotate", *sources.flags],
        sources=sources,
        environ=environ,
        stdin=requirement,
    )
    return child.stdout if child.succeeded else child.stderr


def test_with_a_wheelhouse_nothing_else_is_asked_whatever_is_configured(
    environ: dict[str, str], wheelhouse: Path, tmp_path: Path, make_wheel: Callable[..., Path]
) -> None:
    house, other = tmp_path / "a, b", tmp_path / "other"
    wheelhouse.rename(house)
    other.mkdir()
    make_wheel(other, "alpha", "9.0")
    own = tmp_path / "home/.config/uv/uv.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f'find-links = ["{other}"]\n')
    told = {
        "UV_FIND_LINKS": str(other),
        "UV_INDEX": "http://127.0.0.1:9/simple",
        "UV_INDEX_OWN_PASSWORD": "s3cret",
        "UV_TORCH_BACKEND": "cpu",
        "UV_EXCLUDE_NEWER": "2020-01-01",
        "PIP_EXTRA_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_FIND_LINKS": str(other),
        "PIP_CONFIG_FILE": "/no/such/file",
    }
    closed = environ | told
    del closed["UV_NO_CONFIG"]
    sources = read_sources(closed, wheelhouse=house)
    assert (sources.closed, sources.offline) == (True, True)
    assert sources.lines == [f"wheelhouse {house} (--wheelhouse), nothing else"]
    assert ask(sources, closed, "alpha").split() == ["alpha==1.0", "beta==2.0"]
    assert "alpha==9.0" in ask(read_sources(environ | {"PIP_FIND_LINKS": str(other)}), environ, "alpha")


@pytest.mark.parametrize("wrong", ["no/such", "empty"])
def test_a_wheelhouse_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="--wheelhouse"):
        read_sources({}, wheelhouse=tmp_path / wrong)
