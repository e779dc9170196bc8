"""A profile is put into the Python of a container itself, or that Python is as it was."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from envkit.capture import capture
from envkit.errors import InputError, SetupError
from envkit.facts import Facts, absent, ok, unknown
from envkit.facts.machine import Container
from envkit.interpreter import Interpreter
from envkit.profile import Profile
from envkit.setup import state
from envkit.setup.existing import journal
from envkit.setup.existing.in_place import apply_system, recover
from envkit.setup.existing.journal import Journal
from envkit.setup.existing.system import check_system, scheme_of, system_plan
from envkit.setup.plan import Plan
from envkit.setup.progress import Progress
from envkit.setup.sources.configured import read_sources
from envkit.setup.uv import find_uv

MakePlan = Callable[..., Plan | None]
VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
IN_A_CONTAINER = ok(Container(runtime="docker"))


@pytest.fixture
def system(tmp_path: Path, wheelhouse: Path, make_wheel: Callable[..., Path], environ: dict[str, str]) -> Path:
    """A stand-in for a system's Python, marked as managed: beta 1.0 and gamma were installed with pip."""
    make_wheel(wheelhouse, "beta", "1.0")
    make_wheel(wheelhouse, "gamma", "1.0", ("beta",))
    root = tmp_path / "usr"
    (root / "bin").mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), root / "bin" / VERSION)
    (root / "bin/python").symlink_to(VERSION)
    left_out = ("test", "idlelib", "ensurepip", "config-*", "site-packages", "__pycache__", "lib2to3", "tkinter")
    base = Path(sys.base_prefix, "lib", VERSION)
    shutil.copytree(base, root / "lib" / VERSION, ignore=shutil.ignore_patterns(*left_out))
    (root / "lib" / VERSION / "EXTERNALLY-MANAGED").touch()
    argv = [find_uv(), "pip", "install", "--no-index", "--find-links", str(wheelhouse), "--break-system-packages"]
    argv += ["--python", str(root / "bin/python"), "beta==1.0", "gamma"]
    subprocess.run(argv, env=environ, check=True, capture_output=True)
    return root


def look(root: Path, **sections: Any) -> Facts:
    facts = capture(python=Interpreter(str(root / "bin/python"), "--python"), only=["system", "python"])
    return replace(facts, **({"container": IN_A_CONTAINER} | sections))


@pytest.fixture
def plan_for_system(environ: dict[str, str], tmp_path: Path) -> MakePlan:
    def plan(profile: Profile, root: Path) -> Plan | None:
        return system_plan(
            profile,
            look(root),
            scheme=scheme_of(str(root / "bin/python")),
            folder=tmp_path,
            sources=read_sources(environ, root=tmp_path),
            environ=environ,
            on_idle=lambda _: None,
        )

    return plan


def carry_out(plan: Plan | None, profile: Profile, environ: dict[str, str], **changes: Any) -> None:
    assert plan
    passes: dict[str, Any] = {"judge": lambda _: "", "prove": lambda _: ""}
    sources = read_sources(environ, root=Path(plan.target))
    scheme = scheme_of(f"{plan.target}/bin/python")
    progress = Progress(io.StringIO())
    apply_system(
        plan, profile, scheme=scheme, sources=sources, environ=environ, progress=progress, **(passes | changes)
    )


def contents(root: Path) -> dict[str, bytes]:
    """All that is there but what Python compiles."""
    files = (path for path in root.rglob("*") if "__pycache__" not in path.parts)
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in files}


def installed(root: Path) -> list[str]:
    return sorted(f"{name} {version}" for name, version in state.installed(root))


@pytest.fixture
def both() -> Profile:
    return Profile(name="both", packages=["alpha==1.0", "beta==2.0"])


def test_it_is_proved_beside_the_system_s_python_and_then_installed_into_it(
    system: Path, plan_for_system: MakePlan, both: Profile, environ: dict[str, str]
) -> None:
    before = contents(system)
    plan = plan_for_system(both, system)
    assert plan
    assert [(m.name, m.before, m.after) for m in plan.moves] == [("alpha", "", "1.0"), ("beta", "1.0", "2.0")]
    assert [step.kind for step in plan.steps] == ["run", "run", "judge", "prove", "copy", "run", "judge", "place"]
    assert contents(system) == before
    seen = []

    def judge(python: Path) -> str:
        code = "import alpha, beta; print(alpha.version, beta.version)"
        ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        seen.append((python.parents[1].name, ran.stdout, installed(system)))
        return ""

    carry_out(plan, both, environ, judge=judge)
    now = ["alpha 1.0", "beta 2.0", "gamma 1.0"]
    assert seen == [("envkit-trial.envkit-new", "1.0 2.0\n", ["beta 1.0", "gamma 1.0"]), ("usr", "1.0 2.0\n", now)]
    made = state.read(system)
    assert made
    assert (made.profile, made.packages) == ("both", {"alpha": "1.0", "beta": "2.0"})
    assert sorted(os.listdir(system)) == ["bin", "envkit.json", "lib"]
    assert plan_for_system(both, system) is None


@pytest.mark.parametrize("where", ["envkit-trial.envkit-new", "usr"])
def test_a_failure_at_any_step_puts_everything_back(
    system: Path, plan_for_system: MakePlan, both: Profile, environ: dict[str, str], where: str
) -> None:
    before = contents(system)
    plan = plan_for_system(both, system)
    with pytest.raises(SetupError, match="did not pass: loss is NaN"):
        carry_out(plan, both, environ, judge=lambda p: "loss is NaN" if p.parents[1].name == where else "")
    assert contents(system) == before


def test_an_installation_that_fails_puts_everything_back(
    system: Path, plan_for_system: MakePlan, both: Profile, environ: dict[str, str]
) -> None:
    before = contents(system)
    plan = plan_for_system(both, system)
    assert plan

    def prove(python: Path) -> str:
        Path(plan.lock).write_text("no lock")
        return ""

    with pytest.raises(SetupError, match=r"^Installing 2 packages into .* failed: "):
        carry_out(plan, both, environ, prove=prove)
    assert contents(system) == before


@pytest.mark.parametrize("moment", ["drafting", "begun", "installed", "final"])
def test_what_a_killed_run_began_is_undone_or_was_final(system: Path, moment: str) -> None:
    site = system / "lib" / VERSION / "site-packages"
    replaced = [str(file) for file in journal.recorded(site / "beta-1.0.dist-info") if file.exists()]
    new = [str(site / "alpha/deep/new.py"), str(site / "beta.py"), str(system / "bin/alpha")]
    before = contents(system)
    if moment == "drafting":
        (system / journal.FOLDER).mkdir()
        (system / journal.FOLDER / "draft").write_text("{")
    else:
        journal.begin(system, Journal(replaced=replaced, new=new, installer=[]))
        assert not (site / "beta-1.0.dist-info").exists()
    if moment in {"installed", "final"}:
        (site / "alpha/deep/__pycache__").mkdir(parents=True)
        for file in (*new, str(site / "alpha/deep/__pycache__/new.cpython-311.pyc")):
            Path(file).write_text("new")
    if moment == "final":
        (system / journal.FOLDER / journal.FILE).unlink()
        before = {path: data for path, data in contents(system).items() if journal.FOLDER not in path}
    assert recover(scheme_of(str(system / "bin/python"))) is (moment in {"begun", "installed"})
    assert contents(system) == before
    assert recover(scheme_of(str(system / "bin/python"))) is False


@pytest.mark.parametrize("spoil", ["installer", "record"])
def test_what_the_distribution_owns_is_not_touched(
    system: Path, plan_for_system: MakePlan, both: Profile, spoil: str
) -> None:
    metadata = system / "lib" / VERSION / "site-packages/beta-1.0.dist-info"
    if spoil == "installer":
        (metadata / "INSTALLER").write_text("debian\n")
    else:
        (metadata / "RECORD").unlink()
    with pytest.raises(InputError, match=r"^the distribution owns what would have to change: beta 1.0 → 2.0 \("):
        plan_for_system(both, system)


def test_only_the_python_of_a_container_is_changed(system: Path, tmp_path: Path) -> None:
    scheme = scheme_of(str(system / "bin/python"))
    check_system(look(system), scheme)
    with pytest.raises(InputError, match="for containers only: this is none \\(no sign\\)"):
        check_system(look(system, container=absent("no sign")), scheme)
    with pytest.raises(InputError, match="for containers only: no answer"):
        check_system(look(system, container=unknown("no answer")), scheme)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    with pytest.raises(InputError, match="is an environment, not the system's Python") as raised:
        check_system(look(venv), scheme)
    assert raised.value.hint.endswith(f"envkit setup --into {venv}")
