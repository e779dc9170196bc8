"""A deadline for everything together holds, whatever hangs; what had not come by then is unknown."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit import harness, interpreter
from envkit.capture import capture
from envkit.cli import _common
from envkit.errors import CannotTell
from envkit.interpreter import Interpreter

HERE = Interpreter(sys.executable, "--python")
SLACK_SECONDS = 0.8


@pytest.fixture
def within() -> Iterator[None]:
    """All of the test, which sets a deadline of a second."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 1 + SLACK_SECONDS


@pytest.mark.usefixtures("within")
def test_a_probe_that_hangs_has_no_grace_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "hanging_probes"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "disk.py").write_text("import time\ndef observe(): time.sleep(60)")
    (package / "nvidia.py").write_text("import time\ndef observe(deadline_seconds): time.sleep(deadline_seconds + 1.9)")
    (package / "cpu.py").write_text(
        "from envkit.facts import ok\nfrom envkit.facts.machine import Cpu\ndef observe(): return ok(Cpu())"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    facts = capture(python=None, all_within_seconds=1, probes=package.name)
    assert facts.cpu.outcome == "ok"
    assert {facts.disk.why, facts.nvidia.why} == {"no answer within 1 s"}


@pytest.mark.usefixtures("within")
def test_imports_have_what_is_left_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "jax"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import time; time.sleep(60)")
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
        (tmp_path / f"{name}-1.0.dist-info/METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    facts = capture(python=HERE, only=("torch", "torch_deep", "jax", "jax_deep"), deep=True, all_within_seconds=1)
    assert (facts.torch.outcome, facts.torch_deep.outcome, facts.jax_deep.outcome) == ("ok", "unknown", "unknown")
    assert "no answer within 0." in facts.torch_deep.why
    assert "not imported: the time for the whole run was over" in facts.jax_deep.why


@pytest.mark.usefixtures("within")
def test_an_interpreter_that_cannot_even_be_started_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose program lies on a file system that hangs is stuck before it runs."""
    monkeypatch.setattr(harness, "run", lambda *_arguments, **_options: time.sleep(5))
    facts = capture(python=HERE, only=("python", "torch", "torch_deep"), deep=True, all_within_seconds=1)
    why = f"{sys.executable}: no answer within 1 s"
    assert [facts.python.why, facts.torch.why, facts.torch_deep.why] == [why] * 3


@pytest.mark.usefixtures("within")
def test_a_search_for_a_python_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "find", lambda _python: time.sleep(5))
    with pytest.raises(CannotTell, match="no Python to inspect was found within 1 s"):
        _common.capture("", all_within=1)


def test_a_defect_in_the_conversation_is_raised_where_it_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "run", lambda *_arguments, **_options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        capture(python=HERE, only=("python",))
