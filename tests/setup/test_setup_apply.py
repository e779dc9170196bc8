from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup import apply as transaction
from envkit.setup.plan import Plan, building_folder, previous_folder
from envkit.setup.progress import Progress
from envkit.setup.sources.configured import read_sources
from envkit.setup.state import State, up_to_date
from envkit.setup.swap import MARKER, clear_leftovers
from envkit.setup.uv import run_uv

MakePlan = Callable[[Profile, Path], Plan]


def passes(python: Path) -> str:
    return ""


def run(
    plan: Plan,
    profile: Profile,
    environ: dict[str, str],
    *,
    judge: transaction.Verify = passes,
    prove: transaction.Verify = passes,
) -> State:
    sources = read_sources(environ, root=Path(plan.target))
    progress = Progress(io.StringIO())
    return transaction.apply(
        plan, profile, sources=sources, environ=environ, progress=progress, judge=judge, prove=prove
    )


def imported(python: Path) -> str:
    code = "import alpha, beta; print(alpha.version, beta.version)"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("env"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "env"


def test_the_environment_is_verified_before_it_is_put_in_place(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path
) -> None:
    seen = []

    def judge(python: Path) -> str:
        seen.append((imported(python), target.exists()))
        return ""

    state = run(plan_for(profile, target), profile, environ, judge=judge)
    assert seen == [("1.0 2.0", False)]
    assert imported(target / "bin/python") == "1.0 2.0"
    assert state.packages == {"alpha": "1.0", "beta": "2.0"}
    assert state.verdict == "proved"
    assert entries(target.parent) == ["env"]
    assert not (target / MARKER).exists()
    assert up_to_date(target, profile) == state


@pytest.mark.parametrize("step", ["judge", "prove"])
def test_an_environment_that_does_not_pass_is_not_put_in_place(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path, step: str
) -> None:
    with pytest.raises(SetupError, match="did not pass: loss is NaN"):
        run(plan_for(profile, target), profile, environ, **{step: lambda _: "loss is NaN"})
    assert entries(target.parent) == []


def test_the_environment_that_was_there_is_kept_as_previous(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path
) -> None:
    for name in ("first", "second", "third"):
        run(plan_for(profile, target), profile, environ)
        (target / name).touch()
    assert entries(target.parent) == ["env", "env.previous"]
    assert (target / "third").exists()
    assert (previous_folder(target) / "second").exists()
    assert imported(target / "bin/python") == "1.0 2.0"


def test_a_failing_installation_leaves_the_old_environment_as_it_was(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path, wheelhouse: Path
) -> None:
    run(plan_for(profile, target), profile, environ)
    plan = plan_for(profile, target)
    (wheelhouse / "beta-2.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(SetupError, match=r"Installing 2 packages failed: .*beta") as raised:
        run(plan, profile, environ | {"UV_CACHE_DIR": f"{target}-cache"})
    assert "\n" not in raised.value.message
    assert imported(target / "bin/python") == "1.0 2.0"
    assert entries(target.parent) == ["env", "env-cache"]
    assert not Path(plan.lock).exists()


def test_a_wheel_that_changed_since_it_was_resolved_is_refused(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path, wheelhouse: Path
) -> None:
    plan = plan_for(profile, target)
    wheel = wheelhouse / "beta-2.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(SetupError, match="hash mismatch"):
        run(plan, profile, environ | {"UV_CACHE_DIR": f"{target}-cache"})


def test_every_command_that_runs_is_in_the_plan(
    plan_for: MakePlan,
    profile: Profile,
    environ: dict[str, str],
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = []

    def record(argv: list[str], **options: object) -> object:
        ran.append(argv)
        return run_uv(argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(transaction, "run_uv", record)
    plan = plan_for(profile, target)
    run(plan, profile, environ)
    assert ran == [step.argv for step in plan.steps if step.kind == "run"]
    assert [step.kind for step in plan.steps] == ["run", "run", "judge", "prove", "place"]


def test_a_plan_holds_no_credentials(
    profile: Profile, environ: dict[str, str], plan_for: MakePlan, target: Path
) -> None:
    environ["PIP_INDEX_URL"] = "https://me:s3cret@host/simple"
    environ["PIP_PROXY"] = "http://me:s3cret@proxy:1"
    plan = plan_for(profile, target)
    assert "s3cret" not in msgspec.json.encode(plan).decode()
    assert "s3cret" not in Path(plan.lock).read_text()
    assert "HTTPS_PROXY" in plan.steps[1].environment


def test_not_enough_disk_is_said_before_anything_is_touched(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path
) -> None:
    plan = plan_for(profile, target)
    unknown = [msgspec.structs.replace(package, size_bytes=None) for package in plan.packages]
    plan = msgspec.structs.replace(plan, disk_bytes=1 << 60, packages=unknown)
    with pytest.raises(SetupError, match=r"not enough disk space .* GB free"):
        run(plan, profile, environ | {"UV_CACHE_DIR": f"{target}-cache"})  # where nothing is unpacked yet
    assert entries(target.parent) == []


def test_an_old_environment_caught_in_the_middle_of_the_exchange_gets_its_name(tmp_path: Path) -> None:
    target = tmp_path / "env"
    for folder, text in ((target, "new"), (building_folder(target), "old")):
        folder.mkdir()
        (folder / "pyvenv.cfg").write_text(text)
    (target / MARKER).touch()
    clear_leftovers(target)
    assert (previous_folder(target) / "pyvenv.cfg").read_text() == "old"
    assert os.listdir(target) == ["pyvenv.cfg"]


def test_a_folder_in_the_way_that_is_not_envkit_s_is_never_removed(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], target: Path
) -> None:
    plan = plan_for(profile, target)
    building_folder(target).mkdir()
    (building_folder(target) / "thesis.tex").touch()
    with pytest.raises(SetupError, match="in the way"):
        run(plan, profile, environ)
    assert (building_folder(target) / "thesis.tex").exists()
