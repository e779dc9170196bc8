from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from envkit.errors import InputError, SetupError
from envkit.profile import Profile, Requires
from envkit.setup.resolving.pylock import read_lock
from envkit.setup.resolving.python import find_python
from envkit.setup.resolving.resolve import resolve
from envkit.setup.sources.configured import Sources, read_sources

PYTHON = str(Path(sys.executable).resolve())


def resolved_names(profile: Profile, environ: dict[str, str], root: Path) -> list[str]:
    found = resolve(profile, python=PYTHON, sources=read_sources(environ, root=root), environ=environ)
    return [f"{package.name}=={package.version}" for package in found.packages]


def test_everything_that_a_profile_pulls_in_is_named(profile: Profile, environ: dict[str, str], tmp_path: Path) -> None:
    assert resolved_names(profile, environ, tmp_path) == ["alpha==1.0", "beta==2.0"]


def test_requirements_of_other_platforms_are_left_out(environ: dict[str, str], tmp_path: Path) -> None:
    profile = Profile(name="x", packages=["beta==2.0", "gamma==1.0; sys_platform == 'plan9'"])
    assert resolved_names(profile, environ, tmp_path) == ["beta==2.0"]


def test_a_lock_is_used_again_until_something_changes(
    profile: Profile, environ: dict[str, str], tmp_path: Path, wheelhouse: Path
) -> None:
    sources = read_sources(environ, root=tmp_path)
    first = resolve(profile, python=PYTHON, sources=sources, environ=environ)
    (wheelhouse / "alpha-1.0-py3-none-any.whl").unlink()
    again = resolve(profile, python=PYTHON, sources=sources, environ=environ)
    assert (first.lock, first.age_seconds) == (again.lock, 0.0)
    assert again.age_seconds > 0
    with pytest.raises(SetupError, match="alpha"):
        resolve(profile, python=PYTHON, sources=sources, environ=environ | {"UV_PRERELEASE": "allow"})


def test_a_package_that_no_source_offers_is_named_with_the_sources(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"no source offers gamma==9.*asked: find-links .*wheels") as raised:
        resolved_names(Profile(name="x", packages=["gamma==9"]), environ, tmp_path)
    assert "PIP_FIND_LINKS" in raised.value.hint


def test_requirements_that_contradict_each_other_are_said_in_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SetupError) as raised:
        resolved_names(Profile(name="x", packages=["beta==2.0", "beta==1.0"]), environ, tmp_path)
    assert "beta" in raised.value.message
    assert "\n" not in raised.value.message


def test_a_profile_without_packages_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no packages"):
        resolved_names(Profile(name="empty"), environ, tmp_path)


@pytest.mark.parametrize("configured", [True, False])
def test_another_build_of_pytorch_is_never_taken_silently(
    environ: dict[str, str], tmp_path: Path, wheelhouse: Path, make_wheel: object, configured: bool
) -> None:
    assert callable(make_wheel)
    make_wheel(wheelhouse, "torch", "2.0")
    closed = environ | {"HTTPS_PROXY": "http://127.0.0.1:9"}
    if not configured:
        closed = {name: value for name, value in closed.items() if not name.startswith("PIP_")}
        closed |= {"UV_DEFAULT_INDEX": wheelhouse.as_uri()}
    profile = Profile(name="x", packages=["torch==2.0"], torch_backend="cpu")
    with pytest.raises(SetupError) as raised:
        resolved_names(profile, closed, tmp_path)
    assert "PyTorch's index for cpu" in raised.value.message


def test_the_asked_for_build_of_pytorch_comes_from_the_configured_source(
    environ: dict[str, str], tmp_path: Path, wheelhouse: Path, make_wheel: object
) -> None:
    assert callable(make_wheel)
    make_wheel(wheelhouse, "torch", "2.0+cpu")
    profile = Profile(name="x", packages=["torch==2.0"], torch_backend="cpu")
    assert resolved_names(profile, environ, tmp_path) == ["torch==2.0+cpu"]


def test_without_network_one_line_says_so(profile: Profile, environ: dict[str, str], tmp_path: Path) -> None:
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs unshare -n, which takes root")
    script = tmp_path / "resolve.py"
    script.write_text(
        "import os, sys\nfrom pathlib import Path\nfrom envkit.errors import SetupError\n"
        "from envkit.profile import Profile\nfrom envkit.setup.resolving.resolve import resolve\n"
        "from envkit.setup.sources.configured import Sources\n"
        "try:\n    resolve(Profile(name='x', packages=['six==1.17.0']), python=sys.executable, sources=Sources(),\n"
        "            environ=os.environ)\nexcept SetupError as error:\n    print(error.message)\n"
    )
    open_environ = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
    ran = subprocess.run(
        ["unshare", "-n", sys.executable, str(script)], env=open_environ, capture_output=True, text=True, check=True
    )
    assert "(the default index: no setting names another) cannot be reached" in ran.stdout
    assert len(ran.stdout.splitlines()) == 1


def test_a_lock_says_size_and_source_without_credentials() -> None:
    text = """[[packages]]
name = "far"
version = "1.0"
sdist = { url = "https://files.example/far-1.0.tar.gz", size = 99 }
wheels = [{ url = "https://me:pw@files.example/far-1.0.whl", size = 5, hashes = { sha256 = "0" } }]
"""
    (far,) = read_lock(text)
    assert msgspec.to_builtins(far) == {
        "name": "far",
        "version": "1.0",
        "size_bytes": 5,
        "source": "files.example",
        "remote": True,
    }


def test_the_running_python_is_taken_when_it_fits(profile: Profile, environ: dict[str, str]) -> None:
    path, version = find_python(profile, wanted="", sources=Sources(), environ=environ)
    assert path == PYTHON
    assert version == ".".join(map(str, sys.version_info[:3]))


def test_a_python_that_does_not_fit_the_profile_is_refused(environ: dict[str, str]) -> None:
    profile = Profile(name="old", requires=Requires(python="<3.0"))
    with pytest.raises(InputError, match="needs <3"):
        find_python(profile, wanted=sys.executable, sources=Sources(), environ=environ)
    with pytest.raises(InputError, match=r"Python <3\.0, which profile old needs, was not found"):
        find_python(profile, wanted="", sources=Sources(), environ=environ)


@pytest.mark.parametrize("wanted", ["/no/such/python", "/bin/true", "9.9"])
def test_a_python_that_is_none_is_refused(profile: Profile, environ: dict[str, str], wanted: str) -> None:
    with pytest.raises(InputError, match=r"no usable Python|not found"):
        find_python(profile, wanted=wanted, sources=Sources(), environ=environ)
