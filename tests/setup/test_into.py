"""A profile is put into an environment that exists: what must change changes, in a copy, and nothing else does."""

from __future__ import annotations

import io
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
from envkit.facts import Facts
from envkit.interpreter import Interpreter
from envkit.profile import Profile
from envkit.setup import state
from envkit.setup.apply import apply
from envkit.setup.existing.into import environment_of, into_plan
from envkit.setup.plan import Plan, previous_folder
from envkit.setup.progress import Progress
from envkit.setup.sources.configured import read_sources
from envkit.setup.uv import find_uv

MakeWheel = Callable[..., Path]
Into = Callable[..., Plan | None]
Install = Callable[..., None]


@pytest.fixture
def install(environ: dict[str, str]) -> Install:
    """Install from the wheelhouse as a user does."""

    def run(folder: Path, *requirements: str) -> None:
        argv = [find_uv(), "pip", "install", "--no-index", "--find-links", environ["PIP_FIND_LINKS"]]
        argv += ["--python", str(folder / "bin/python"), *requirements]
        subprocess.run(argv, env=environ, check=True, capture_output=True)

    return run


@pytest.fixture
def venv(tmp_path: Path, wheelhouse: Path, make_wheel: MakeWheel, install: Install) -> Path:
    """An environment of the user's with an old beta, and gamma, which the profile knows nothing of."""
    make_wheel(wheelhouse, "beta", "1.0")
    make_wheel(wheelhouse, "gamma", "1.0", ("beta<3",))
    folder = tmp_path / "my env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install(folder, "beta==1.0", "gamma")
    return folder


@pytest.fixture
def conda(tmp_path: Path, install: Install) -> Path:
    """A stand-in for an environment of conda: a whole Python, whose beta conda installed."""
    folder = tmp_path / "conda env"
    base, version = Path(sys.base_prefix), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / "bin").mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), folder / "bin" / version)
    (folder / "bin/python").symlink_to(version)
    left_out = ("test", "idlelib", "ensurepip", "config-*", "site-packages", "__pycache__", "lib2to3", "tkinter")
    shutil.copytree(base / "lib" / version, folder / "lib" / version, ignore=shutil.ignore_patterns(*left_out))
    install(folder, "beta==2.0")
    (folder / "conda-meta").mkdir()
    (folder / "conda-meta/history").touch()
    files = f'"lib/{version}/site-packages/beta.py", "lib/{version}/site-packages/beta-2.0.dist-info/METADATA"'
    (folder / "conda-meta/beta-lib-2.0-0.json").write_text(f'{{"name": "beta-lib", "files": [{files}]}}')
    return folder


def look(folder: Path) -> Facts:
    return capture(python=Interpreter(str(folder / "bin/python"), "--into"), only=["system", "python"])


@pytest.fixture
def plan_into(environ: dict[str, str], tmp_path: Path) -> Into:
    def plan(profile: Profile, folder: Path) -> Plan | None:
        facts = look(folder)
        assert facts.python.facts
        return into_plan(
            profile,
            facts,
            target=environment_of(facts.python.facts),
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
    apply(plan, profile, sources=sources, environ=environ, progress=Progress(io.StringIO()), **(passes | changes))


def moves(plan: Plan | None) -> list[tuple[str, str, str]]:
    assert plan
    return sorted((move.name, move.before, move.after) for move in plan.moves)


def installed(folder: Path) -> list[str]:
    return sorted(f"{name} {version}" for name, version in state.installed(folder))


def test_only_what_must_change_is_planned_and_changed(
    venv: Path, plan_into: Into, profile: Profile, environ: dict[str, str]
) -> None:
    profile = replace(profile, packages=["alpha==1.0", "beta==2.0"])
    plan = plan_into(profile, venv)
    assert moves(plan) == [("alpha", "", "1.0"), ("beta", "1.0", "2.0")]
    assert installed(venv) == ["beta 1.0", "gamma 1.0"], "planning touches nothing"
    carry_out(plan, profile, environ)
    assert installed(venv) == ["alpha 1.0", "beta 2.0", "gamma 1.0"]
    assert installed(previous_folder(venv)) == ["beta 1.0", "gamma 1.0"]
    made = state.read(venv)
    assert made
    assert made.packages == {"alpha": "1.0", "beta": "2.0"}, "gamma is the user's, who may change it"


def test_what_suits_is_held_and_when_all_does_nothing_is_to_do(
    venv: Path, plan_into: Into, profile: Profile, environ: dict[str, str]
) -> None:
    plan = plan_into(profile, venv)
    assert moves(plan) == [("alpha", "", "1.0")], "alpha is content with the old beta"
    carry_out(plan, profile, environ)
    assert plan_into(profile, venv) is None


def test_what_was_installed_from_a_folder_is_held_where_it_suits_and_still_works(
    venv: Path, plan_into: Into, profile: Profile, environ: dict[str, str], tmp_path: Path
) -> None:
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "gamma-1.0.dist-info/direct_url.json").write_text('{"url": "file:///src", "dir_info": {"editable": true}}')
    (site / "gamma.py").rename(tmp_path / "gamma.py")
    (site / "gamma.pth").write_text(f"{tmp_path}\n")
    profile = replace(profile, packages=["alpha", "gamma>=1"])
    plan = plan_into(profile, venv)
    assert moves(plan) == [("alpha", "", "1.0")]
    carry_out(plan, profile, environ)
    ran = subprocess.run(
        [venv / "bin/python", "-c", "import gamma; print(gamma.__file__)"], capture_output=True, check=True
    )
    assert ran.stdout.decode() == f"{tmp_path}/gamma.py\n"
    with pytest.raises(InputError, match=r"^gamma is installed from a folder, .*: envkit does not replace it"):
        plan_into(replace(profile, packages=["gamma==2.0"]), venv)


def test_two_requirements_that_cannot_hold_together_are_named(
    venv: Path, plan_into: Into, profile: Profile, wheelhouse: Path, make_wheel: MakeWheel
) -> None:
    make_wheel(wheelhouse, "beta", "3.0")
    with pytest.raises(SetupError) as raised:
        plan_into(replace(profile, packages=["beta==3.0"]), venv)
    assert raised.value.message == "it takes beta 3.0, but gamma 1.0, which is installed, needs beta<3"
    assert "Take gamma out" in (raised.value.hint or "")


def test_what_comes_anew_may_drop_its_old_requirements_but_nobody_else_s(  # noqa: PLR0917
    venv: Path, plan_into: Into, profile: Profile, wheelhouse: Path, make_wheel: MakeWheel, install: Install
) -> None:
    for version in ("1.0", "1.5", "2.0"):
        make_wheel(wheelhouse, "zeta", version)
    make_wheel(wheelhouse, "epsilon", "1.0", ("zeta<2",))
    install(venv, "epsilon", "zeta==1.0")
    make_wheel(wheelhouse, "beta", "3.0")
    make_wheel(wheelhouse, "gamma", "2.0", ("beta>=3",))
    make_wheel(wheelhouse, "delta", "1.0", ("gamma>=2", "zeta>=1.5"))
    plan = plan_into(replace(profile, packages=["delta"]), venv)
    anew = [("beta", "1.0", "3.0"), ("delta", "", "1.0"), ("gamma", "1.0", "2.0")]
    assert moves(plan) == [*anew, ("zeta", "1.0", "1.5")]


def test_another_tensorflow_gives_way_and_the_plan_says_so(  # noqa: PLR0917
    venv: Path, plan_into: Into, profile: Profile, wheelhouse: Path, make_wheel: MakeWheel, install: Install
) -> None:
    for name in ("tensorflow", "tensorflow-cpu"):
        make_wheel(wheelhouse, name.replace("-", "_"), "2.20")
    install(venv, "tensorflow-cpu", "tensorflow")
    plan = plan_into(replace(profile, packages=["tensorflow==2.20"]), venv)
    assert moves(plan) == [("tensorflow", "2.20", "2.20"), ("tensorflow-cpu", "2.20", "")]
    assert plan
    assert [step.title for step in plan.steps][1:3] == ["Removing 1 package", "Installing 1 package"]


def test_a_failure_leaves_the_environment_as_it_was(
    venv: Path, plan_into: Into, profile: Profile, environ: dict[str, str]
) -> None:
    plan = plan_into(profile, venv)
    with pytest.raises(SetupError, match="did not pass: loss is NaN"):
        carry_out(plan, profile, environ, prove=lambda _: "loss is NaN")
    assert installed(venv) == ["beta 1.0", "gamma 1.0"]
    assert sorted(path.name for path in venv.parent.iterdir() if path.name.startswith("my")) == ["my env"]


def test_in_conda_s_environment_only_what_conda_did_not_install_changes(
    conda: Path, plan_into: Into, profile: Profile, environ: dict[str, str]
) -> None:
    profile = replace(profile, packages=["alpha==1.0", "beta>=2"])
    plan = plan_into(profile, conda)
    assert moves(plan) == [("alpha", "", "1.0")]
    assert plan
    assert "conda knows nothing of what is installed here: it may undo it later" in plan.notes
    code = "import sys, alpha, beta; print(sys.prefix, alpha.version, beta.version)"
    seen = []

    def judge(python: Path) -> str:
        seen.append(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
        return ""

    carry_out(plan, profile, environ, judge=judge)
    assert seen == [f"{conda}.envkit-new 1.0 2.0"], "the copy works where it is judged"
    ran = subprocess.run([conda / "bin/python", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{conda} 1.0 2.0\n"
    assert plan_into(profile, conda) is None
    assert (previous_folder(conda) / "conda-meta").is_dir()


def test_what_conda_installed_stays_where_there_is_another_way(  # noqa: PLR0917
    conda: Path, plan_into: Into, profile: Profile, wheelhouse: Path, make_wheel: MakeWheel, install: Install
) -> None:
    for version, requires in {"1.0": (), "2.0": (), "3.0": ("beta>=3",)}.items():
        make_wheel(wheelhouse, "gamma", version, requires)
    install(conda, "gamma==1.0")
    make_wheel(wheelhouse, "beta", "3.0")
    plan = plan_into(replace(profile, packages=["gamma>=2"]), conda)
    assert moves(plan) == [("gamma", "1.0", "2.0")]
    make_wheel(wheelhouse, "delta", "1.0", ("gamma>=2",))
    install(conda, "gamma==1.0")
    plan = plan_into(replace(profile, packages=["delta"]), conda)
    assert moves(plan) == [("delta", "", "1.0"), ("gamma", "1.0", "2.0")]


def test_what_conda_installed_and_must_change_is_refused_with_conda_s_command(
    conda: Path, plan_into: Into, profile: Profile, wheelhouse: Path, make_wheel: MakeWheel
) -> None:
    make_wheel(wheelhouse, "beta", "1.0")
    with pytest.raises(InputError, match=r"^conda installed what would have to change: beta 2.0 → 1.0$") as raised:
        plan_into(replace(profile, packages=["beta<2"]), conda)
    assert f"conda install --prefix '{conda}' beta-lib=1.0" in (raised.value.hint or "")
