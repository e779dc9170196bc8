"""The entry point: version, help, wrong usage, completion, a broken installation, and what start-up loads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import envkit as package

Envkit = Callable[..., Any]

PACKAGE = Path(package.__file__).parent
COMMANDS = ["bench", "checks", "diff", "doctor", "explain", "probe", "profiles", "report", "setup", "smoke"]


def script() -> str:
    found = shutil.which("envkit", path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip("envkit is not installed beside this Python")
    return found


def test_the_script_and_the_module_say_the_same_version(envkit: Envkit, environ: dict[str, str]) -> None:
    ran = envkit("--version")
    assert (ran.status, ran.out, ran.err) == (0, f"envkit {package.__version__}\n", "")
    by_script = subprocess.run([script(), "--version"], env=environ, capture_output=True, text=True, check=False)
    assert by_script.stdout == ran.out


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command_with_a_line(envkit: Envkit, option: str) -> None:
    ran = envkit(option)
    assert (ran.status, ran.err) == (0, "")
    listed = [line.split() for line in ran.out.partition("Commands:")[2].splitlines() if line]
    assert [words[0] for words in listed] == COMMANDS
    assert all(len(words) > 2 for words in listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(envkit: Envkit, command: str) -> None:
    ran = envkit(command, "-h")
    assert (ran.status, ran.err) == (0, "")
    assert ran.first_line.startswith(f"Usage: envkit {command} ")


def test_without_a_word_it_shows_its_help(envkit: Envkit) -> None:
    ran = envkit()
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Usage: envkit ")


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["doctro"], "no command is called 'doctro', did you mean 'doctor'?", "`envkit --help` shows them all"),
        (["xyz"], "no command is called 'xyz'", "`envkit --help` shows them all"),
        (["--verison"], "No such option: --verison", "`envkit --help` shows what there is"),
        (["doctor", "--pyhton", "x"], "No such option: --pyhton", "`envkit doctor --help` shows what there is"),
        (["profiles", "lsit"], "No such command 'lsit'.", "`envkit profiles --help` shows what there is"),
        (["checks", "show"], "Missing argument 'ID'.", "`envkit checks show --help` shows what there is"),
    ],
)
def test_wrong_usage_is_one_line_and_a_hint(envkit: Envkit, words: list[str], said: str, hint: str) -> None:
    ran = envkit(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.error().startswith(said)
    assert ran.err.splitlines()[1] == f"  hint: {hint}"


@pytest.mark.parametrize(
    ("variables", "offered"),
    [
        ({"_ENVKIT_COMPLETE": "complete_bash", "COMP_WORDS": "envkit doc", "COMP_CWORD": "1"}, "doctor"),
        ({"_ENVKIT_COMPLETE": "complete_bash", "COMP_WORDS": "envkit doctor --prof", "COMP_CWORD": "2"}, "--profile"),
        ({"_ENVKIT_COMPLETE": "complete_bash", "COMP_WORDS": "envkit profiles v", "COMP_CWORD": "2"}, "validate"),
        ({"_ENVKIT_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "envkit doc"}, '"doctor"'),
        (
            {
                "_ENVKIT_COMPLETE": "complete_fish",
                "_TYPER_COMPLETE_ARGS": "envkit doc",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            },
            "doctor",
        ),
    ],
)
def test_shells_complete_commands_and_options(environ: dict[str, str], variables: dict[str, str], offered: str) -> None:
    ran = subprocess.run([script()], env=environ | variables, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert offered in ran.stdout


def test_completion_behind_a_wrong_word_is_silent(environ: dict[str, str]) -> None:
    variables = {"_ENVKIT_COMPLETE": "complete_bash", "COMP_WORDS": "envkit nope x", "COMP_CWORD": "2"}
    ran = subprocess.run([script()], env=environ | variables, capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == ("", "")


def test_bash_can_load_the_completion_and_offers_with_it(environ: dict[str, str]) -> None:
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    lines = f"""
PATH={Path(script()).parent}:$PATH
eval "$(envkit --show-completion bash)"
COMP_WORDS=(envkit doc) COMP_CWORD=1
_envkit_completion envkit
echo "${{COMPREPLY[@]}}"
"""
    ran = subprocess.run(["bash", "-c", lines], env=environ, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("doctor\n", "")


def broken_copy(folder: Path, module: str, source: str) -> dict[str, str]:
    """Variables under which envkit is a copy of itself with one broken module."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "envkit", ignore=ignored)
    (folder / "envkit" / module).write_text(source)
    return {"PYTHONPATH": str(folder)}


def test_an_error_of_envkit_itself_is_one_line_and_status_3(envkit: Envkit, tmp_path: Path) -> None:
    copy = broken_copy(tmp_path, "doctor.py", "def examine(:\n")
    ran = envkit("doctor", env=copy)
    assert (ran.status, ran.out) == (3, "")
    assert ran.error().startswith("envkit itself failed: SyntaxError: ")
    assert "ENVKIT_TRACEBACK=1" in ran.err
    assert envkit("--version", env=copy).status == 0, "a broken command takes no other with it"


@pytest.mark.parametrize(
    "module",
    ["cli/doctor.py", "errors.py"],
)
def test_a_torn_installation_gives_no_traceback(envkit: Envkit, tmp_path: Path, module: str) -> None:
    ran = envkit("doctor", env=broken_copy(tmp_path, module, "import no_such_module\n"))
    assert ran.status == 3
    assert "no_such_module" in ran.error()


def loaded(environ: dict[str, str], folder: Path, *arguments: str) -> set[str]:
    """Every module that a command imports."""
    argv = [sys.executable, "-X", "importtime", "-m", "envkit", *arguments]
    ran = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 0
    return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}


def test_the_version_loads_next_to_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    heavy = {"rich", "msgspec", "yaml", "psutil", "packaging", "pydantic", "uv", "pynvml", "importlib.metadata"}
    assert loaded(environ, tmp_path, "--version") & heavy == set()


def test_a_healthy_doctor_loads_no_library_that_it_does_not_need(
    environ: dict[str, str], tmp_path: Path, cpu_stack: Path
) -> None:
    heavy = {
        *("rich", "psutil", "packaging", "pydantic", "pynvml", "uv", "importlib.metadata"),
        *("concurrent.futures", "asyncio", "multiprocessing", "ssl", "http.client", "envkit.setup.plan"),
    }
    judge = ("doctor", "--profile", "cpu", "--python", str(cpu_stack))
    assert loaded(environ, tmp_path, *judge) & heavy == set()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("envkit doctor --profile cuda", "cuda12 cuda12-tensorflow cuda12-torch cuda13"),
        ("envkit checks show nvidia-gpu-m", "nvidia-gpu-missing"),
    ],
)
def test_bash_is_offered_the_names_of_profiles_and_checks(environ: dict[str, str], words: str, offered: str) -> None:
    variables = {"_ENVKIT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    ran = subprocess.run([script()], env=environ | variables, capture_output=True, text=True, check=False)
    assert (ran.stdout.split(), ran.stderr) == (offered.split(), "")
