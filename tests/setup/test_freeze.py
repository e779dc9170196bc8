"""Freezing: an environment becomes a profile and a lock from which the same one is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from envkit.capture import capture
from envkit.errors import InputError
from envkit.facts import Facts, ok
from envkit.facts.frameworks import Torch
from envkit.facts.machine import System
from envkit.facts.software import Package, Python
from envkit.interpreter import Interpreter
from envkit.profile import load_file
from envkit.setup.locks.freeze import freeze, frozen
from envkit.setup.resolving.platforms import PLATFORMS, own_platform
from envkit.setup.resolving.resolve import resolve
from envkit.setup.sources.configured import read_sources
from envkit.setup.uv import find_uv
from tests.setup.conftest import zip_wheel

SYSTEM = System(os="linux", architecture="x86_64", libc="glibc", libc_version="2.36")


def facts(*packages: Package, torch: Torch | None = None) -> Facts:
    python = Python(executable="/env/bin/python", version="3.12.4", packages=list(packages))
    found = Facts(system=ok(SYSTEM), python=ok(python))
    return Facts(system=found.system, python=found.python, torch=ok(torch)) if torch else found


@pytest.mark.skipif(own_platform() not in PLATFORMS, reason="no locks are made for this platform")
def test_an_environment_is_frozen_and_resolves_to_the_same_again(
    tmp_path: Path, environ: dict[str, str], wheelhouse: Path
) -> None:
    env = tmp_path / "env"
    uv = [find_uv(), "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(env)], check=True, env=environ)
    links = ["--no-index", "--find-links", str(wheelhouse)]
    subprocess.run([*uv, "pip", "install", "--python", str(env), *links, "alpha"], check=True, env=environ)
    found = capture(python=Interpreter(str(env / "bin/python"), "--python"), only=("system", "python"))
    profile = frozen(found, name="good")
    assert profile.packages == ["alpha==1.0", "beta==2.0"]
    sources = read_sources(environ, root=tmp_path / "no-root")
    file = tmp_path / "profiles" / "good.yaml"
    lock = freeze(profile, file, sources=sources, environ=environ)
    assert [len(pin.sha256) for pin in lock.pins] == [1, 1]

    zip_wheel(wheelhouse, "alpha", "2.0")
    again = resolve(load_file(file), python=sys.executable, sources=sources, environ=environ)
    assert [f"{p.name}=={p.version}" for p in again.packages] == ["alpha==1.0", "beta==2.0"]
    assert again.locked == str(tmp_path / "profiles/locks/good" / Path(again.locked).name)
    with pytest.raises(InputError, match="is there already"):
        freeze(profile, file, sources=sources, environ=environ)


def test_what_no_index_has_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"lab \(editable\), mine \(not from an index\)$"):
        frozen(
            facts(
                Package(name="six", version="1.17.0"),
                Package(name="mine", version="1.0", direct=True),
                Package(name="lab", version="0.1", direct=True, editable=True),
            ),
            name="x",
        )


def test_a_frozen_profile_asks_for_a_machine_like_this_one() -> None:
    packages = [Package(name="torch", version="2.10.0+cu128"), Package(name="six", version="1.17.0")]
    profile = frozen(facts(*packages, torch=Torch(version="2.10.0+cu128", cuda="12.8")), name="x")
    needs = profile.requires
    assert (needs.os, needs.architecture, needs.python, needs.glibc) == (["linux"], ["x86_64"], "==3.12.*", ">=2.36")
    assert (needs.accelerator, needs.cuda, profile.torch_backend) == ("nvidia", "12.8", "cu128")
    assert [(run.framework, run.device) for run in profile.smoke] == [("torch", "cuda")]


def test_an_environment_without_packages_cannot_be_frozen() -> None:
    with pytest.raises(InputError, match="no environment with packages"):
        frozen(facts(), name="x")
