"""The payload as one program on stdin, in real interpreters, good and bad."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from envkit import harness, target

FOLDER = Path(target.__file__).parent
PYENV = Path.home() / ".pyenv/versions"


def ask(*wanted: str, python: str = sys.executable, cwd: Path | None = None, **env: str) -> harness.Child:
    return harness.run(
        [python, "-"],
        stdin=target.program(wanted),
        deadline_seconds=30,
        cwd=str(cwd) if cwd else None,
        env={**os.environ, **env},
    )


def facts(child: harness.Child, section: str = "python") -> dict[str, Any]:
    (record,) = [record for record in child.records if record["section"] == section]
    assert record["outcome"] == "ok", record["why"]
    found = record["facts"]
    assert isinstance(found, dict)
    return found


def pyenv_python(prefix: str) -> str:
    found = sorted(PYENV.glob(f"{prefix}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {prefix} under ~/.pyenv/versions")
    return str(found[-1])


@pytest.mark.parametrize("name", target.modules())
def test_each_module_parses_on_the_floor(name: str) -> None:
    ast.parse((FOLDER / f"{name}.py").read_text("utf-8"), feature_version=target.FLOOR)


@pytest.mark.parametrize("name", target.modules())
def test_each_module_imports_the_standard_library_and_its_siblings_only(name: str) -> None:
    for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= set(sys.stdlib_module_names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            assert {alias.name for alias in node.names} <= set(target.modules())
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_an_old_python_says_that_it_is_too_old(version: str) -> None:
    child = ask("python", python=pyenv_python(version))
    (record,) = child.records
    assert record["error"] == "unsupported-python"
    assert record["version"].startswith(version)
    assert child.succeeded
    assert child.stderr == ""


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_each_supported_python_answers(version: str) -> None:
    child = ask("python", "torch", "tensorflow", "jax", "torch_deep", python=pyenv_python(version))
    assert facts(child)["version"].startswith(version)
    assert [record["section"] for record in child.records][:4] == ["python", "torch", "tensorflow", "jax"]
    assert child.stderr == ""


def test_noise_on_stdout_and_stderr_is_told_from_the_answer(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; print('noise'); print('more', file=sys.stderr)")
    child = ask("python", PYTHONPATH=str(tmp_path), PYTHONUNBUFFERED="")  # the noise is still in a buffer
    assert facts(child)["environment"]["PYTHONPATH"] == str(tmp_path)
    assert child.stdout == "noise\n"
    assert child.stderr == "more\n"


def test_a_sitecustomize_that_fails_is_survived_and_heard(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('broken here')")
    child = ask("python", PYTHONPATH=str(tmp_path))
    assert facts(child)
    assert "RuntimeError: broken here" in child.stderr


def test_what_a_framework_prints_at_import_goes_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("import os; print('hello'); os.write(1, b'native'); __version__ = '1'")
    child = ask("jax_deep", PYTHONPATH=str(tmp_path), PYTHONUNBUFFERED="1")
    assert child.stdout == ""
    assert "hello" in child.stderr
    assert "native" in child.stderr


def test_the_working_directory_is_not_imported_from(tmp_path: Path) -> None:
    for name in ("json", "importlib", "records", "jax"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken from the working directory')")
    child = ask("python", "jax_deep", cwd=tmp_path)
    assert facts(child)["shadowed"] == {"jax": str(tmp_path / "jax.py")}
    assert facts(child, "jax_deep")["error"] == "ModuleNotFoundError: No module named 'jax'"


def test_a_section_that_fails_leaves_the_others_standing(tmp_path: Path) -> None:
    (tmp_path / "torch-1.0.dist-info").mkdir()
    (tmp_path / "torch-1.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 1.0\n\n")
    (tmp_path / "ast.py").write_text("raise RuntimeError('a polluted path')")
    records = {r["section"]: r for r in ask("torch", "python", PYTHONPATH=str(tmp_path)).records}
    assert records["torch"]["outcome"] == "unknown"
    assert records["torch"]["why"] == "RuntimeError: a polluted path"
    assert records["python"]["outcome"] == "ok"


def test_looking_writes_no_bytecode(tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("__version__ = '1'")
    ask("jax_deep", PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="")
    assert [path.name for path in tmp_path.iterdir()] == ["jax.py"]


def test_a_value_that_is_not_utf8_does_not_break_the_answer() -> None:
    child = ask("python", LD_LIBRARY_PATH=os.fsdecode(b"/lib\xff"))
    facts(child)["environment"]["LD_LIBRARY_PATH"].encode("utf-8")
