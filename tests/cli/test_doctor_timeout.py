"""`envkit doctor --timeout`: the command ends in time, and says what it does not know, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]
TIMEOUT = 2


@pytest.fixture
def timed(envkit: Envkit) -> Envkit:
    """`envkit doctor --timeout 2 ...`, which ends a second later at most, beside what starting Python takes here."""

    def run(*arguments: object, **options: Any) -> Any:
        started = time.monotonic()
        envkit("--version")
        begun = time.monotonic()
        ran = envkit("doctor", "--timeout", TIMEOUT, *arguments, **options)
        assert time.monotonic() - begun < TIMEOUT + 1 + (begun - started)
        return ran

    return run


def test_an_interpreter_that_ignores_every_signal_is_left_and_the_machine_judged(
    timed: Envkit, program: Callable[[str], Path], tmp_path: Path
) -> None:
    python = program("trap '' TERM INT HUP; while :; do sleep 1; done")
    ran = timed("--python", python, "--format", "junit", "--output", tmp_path / "report.xml")
    assert ran.status == 3
    assert f"{python}: no answer within 2 s" in ran.out
    assert "✓ machine" in ran.out
    assert 'name="python-unknown"' in (tmp_path / "report.xml").read_text()


def test_an_import_that_hangs_is_not_known_and_the_rest_decides(timed: Envkit, bare: Path, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("import time; time.sleep(600)")
    (tmp_path / "torch-2.9.0.dist-info").mkdir()
    (tmp_path / "torch-2.9.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0\n")
    ran = timed("--python", bare, "--deep", "--format", "json", env={"PYTHONPATH": str(tmp_path)})
    unknown = {f["check"]: f["message"] for f in ran.json["findings"] if f["status"] == "unknown"}
    assert "no answer within 1." in unknown["torch-deep-unknown"]
    assert ran.status == {"unhealthy": 1, "unknown": 3}[ran.json["status"]]


def test_time_enough_changes_nothing(envkit: Envkit, bare: Path) -> None:
    """The default for a driver is 10 s: a busy node may be given more."""
    quick = envkit("doctor", "--python", bare)
    assert envkit("doctor", "--python", bare, "--timeout", "100").out == quick.out
