"""Frameworks that do not train: a folder with a bad `torch` in a bare interpreter, a verdict for each way to fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from envkit.errors import InputError
from envkit.profile import SmokeRun
from envkit.smoke.run import smoke
from envkit.smoke.types import SmokeReport

TORCH = [SmokeRun(framework="torch")]

SELF_KILL = "import os, signal; os.kill(os.getpid(), signal.{})"


def with_torch(folder: Path, source: str, deadline_seconds: float = 30) -> SmokeReport:
    """The smoke of an interpreter whose `torch` is this source."""
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(source)
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return smoke(sys.executable, TORCH, env=env, deadline_seconds=deadline_seconds)


@pytest.mark.parametrize(
    ("source", "status", "cause", "words"),
    [
        ("raise ImportError('libcudart.so.12: cannot open')", "fail", "import-failed", "libcudart.so.12: cannot open"),
        ("import numpie", "fail", "import-failed", "No module named 'numpie'"),
        ("import sys; sys.exit('no licence')", "fail", "import-failed", "SystemExit: no licence"),
        ("raise MemoryError", "fail", "out-of-memory", "MemoryError"),
        ("import os; os.abort()", "crash", "aborted", "killed by SIGABRT while importing torch"),
        ("import os; os._exit(7)", "crash", "ended-early", "ended with exit status 7 while importing torch"),
        ("import os; os._exit(0)", "crash", "ended-early", "ended with exit status 0 while importing torch"),
        (SELF_KILL.format("SIGSEGV"), "crash", "segmentation-fault", "killed by SIGSEGV while importing torch"),
        (SELF_KILL.format("SIGILL"), "crash", "illegal-instruction", "AVX"),
        (SELF_KILL.format("SIGBUS"), "crash", "bus-error", "/dev/shm"),
        (SELF_KILL.format("SIGKILL"), "crash", "killed", "killed by SIGKILL while importing torch"),
        (
            "import os, sys; sys.stderr.write('what():  std::bad_alloc\\n'); sys.stderr.flush(); os.abort()",
            "crash",
            "out-of-memory",
            "last words: what():  std::bad_alloc",
        ),
    ],
)
def test_an_import_that_fails_is_told_by_its_cause(
    tmp_path: Path, source: str, status: str, cause: str, words: str
) -> None:
    report = with_torch(tmp_path, source)
    assert report.status == "unhealthy"
    assert [(run.model, run.status, run.cause) for run in report.runs] == [
        ("mlp", status, cause),
        ("cnn", status, cause),
    ]
    assert all(words in run.message for run in report.runs)


def test_an_import_that_hangs_ends_at_the_deadline_and_names_the_stage(tmp_path: Path) -> None:
    report = with_torch(tmp_path, "import time; time.sleep(600)", deadline_seconds=1)
    assert [run.cause for run in report.runs] == ["hang", "hang"]
    assert report.runs[0].message == "no answer within 1 s while importing torch"
    assert report.seconds < 30


def test_noise_on_stdout_does_not_reach_the_records(tmp_path: Path) -> None:
    noise = "import os; print('\\x1e{}'); os.write(1, b'\\x1e{\"result\": 1}\\n'); raise ImportError('after noise')"
    report = with_torch(tmp_path, noise)
    assert {run.message for run in report.runs} == {"ImportError: after noise"}


def test_a_missing_framework_fails_and_says_so(tmp_path: Path) -> None:
    env = {"PATH": os.defpath, "PYTHONPATH": ""}
    report = smoke(sys.executable, [SmokeRun(framework="tensorflow", models=["mlp"])], env=env)
    run = report.runs[0]
    assert (run.status, run.cause) == ("fail", "framework-missing")
    assert run.message == "ModuleNotFoundError: No module named 'tensorflow'"


def test_the_working_directory_is_not_importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('imported from the working directory')")
    monkeypatch.chdir(tmp_path)
    assert {run.cause for run in smoke(sys.executable, TORCH).runs} == {"framework-missing"}


def test_one_broken_framework_leaves_the_other_its_own_verdict(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import os; os.abort()")
    (tmp_path / "tensorflow.py").write_text("raise ImportError('another reason')")
    runs = [SmokeRun(framework="torch", models=["cnn"]), SmokeRun(framework="tensorflow", models=["cnn"])]
    for memory in (None, 8 << 30):
        report = smoke(
            sys.executable, runs, memory_available_bytes=memory, env={**os.environ, "PYTHONPATH": str(tmp_path)}
        )
        assert [(run.framework, run.cause) for run in report.runs] == [
            ("torch", "aborted"),
            ("tensorflow", "import-failed"),
        ]


@pytest.mark.parametrize(
    ("text", "status"), [(None, "unknown"), ("#!/bin/sh\necho no Python here >&2\nexit 1\n", "crash")]
)
def test_an_interpreter_that_does_not_start_is_no_pass(tmp_path: Path, text: str | None, status: str) -> None:
    python = tmp_path / "python"
    if text:
        python.write_text(text)
        python.chmod(0o755)
    report = smoke(str(python), TORCH)
    assert report.status == ("unknown" if status == "unknown" else "unhealthy")
    assert {(run.status, run.cause) for run in report.runs} == {(status, "interpreter-failed")}
    assert ("no Python here" if text else "No such file") in report.runs[0].message


def test_a_framework_without_an_adapter_is_unknown() -> None:
    report = smoke(sys.executable, [SmokeRun(framework="mxnet", models=["mlp"])])  # type: ignore[arg-type]
    assert (report.status, report.runs[0].status, report.runs[0].cause) == ("unknown", "unknown", "no-adapter")


def test_nothing_to_run_is_never_a_pass() -> None:
    assert smoke(sys.executable, []).status == "unknown"


def test_an_unknown_model_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(InputError, match="did you mean 'cnn'"):
        smoke(sys.executable, [SmokeRun(framework="torch", models=["cnnn"])])


@pytest.mark.parametrize("version", ["(2, 7)", "(3, 8)"])
def test_a_python_that_is_too_old_is_named(tmp_path: Path, version: str) -> None:
    """A real interpreter that says it is older: site runs before the program does."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.version_info = {version}\n")
    report = smoke(sys.executable, TORCH, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert {(run.status, run.cause) for run in report.runs} == {("fail", "unsupported-python")}
    assert report.runs[0].message == f"Python {version[1]}.{version[4]} is older than 3.9"
