"""Probes and payload become facts, whatever is broken; probes are stand-ins, interpreters are real bad programs."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit import __version__, capture
from envkit.facts import SECTIONS, Facts, decode, encode
from envkit.interpreter import Interpreter
from envkit.target import modules

HERE = Interpreter(sys.executable, "--python")
PROBE = "from envkit.facts import ok\nfrom envkit.facts.machine import {type}\n"

Script = Callable[[str], Interpreter]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A shell script in the place of a Python."""

    def write(body: str) -> Interpreter:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return Interpreter(str(path), "--python")

    return write


@pytest.fixture
def probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A package of probes, made of their sources."""

    def make(**sources: str) -> str:
        package = f"probes_{tmp_path.name.replace('-', '_')}"
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        for name, source in sources.items():
            (tmp_path / package / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        return package

    return make


def observe(python: Interpreter | None, *only: str, **options: Any) -> Facts:
    return capture.capture(python=python, only=only or ("python", "torch"), **options)


def test_every_probe_and_the_payload_fill_their_sections() -> None:
    facts = capture.capture(python=HERE)
    assert facts.envkit == __version__
    assert facts.taken_at.endswith("+00:00")
    assert decode(encode(facts), "itself") == facts
    for name in SECTIONS:
        section = getattr(facts, name)
        without = name.endswith("_deep")
        assert (section.why == "not asked") == without, name
        assert (section.outcome == "ok") == (section.facts is not None), name
    assert facts.python.facts is not None
    assert facts.python.facts.found_by == "--python"
    assert facts.python.facts.started_with_noise is None


def test_each_module_of_the_payload_that_observes_has_its_section() -> None:
    for name in modules():
        source = (Path(capture.__file__).parents[1] / "target" / f"{name}.py").read_text()
        assert ("\ndef observe(" in source) == (name in SECTIONS)
        assert ("\ndef observe_deep(" in source) == (f"{name}_deep" in SECTIONS)


def test_options_go_to_the_probes_that_take_them(probes: Callable[..., str]) -> None:
    package = probes(
        cpu=PROBE.format(type="Cpu") + "def observe(root='/'): return ok(Cpu(model=root))",
        system=PROBE.format(type="System") + "def observe(*, target=''): return ok(System(kernel=target))",
        memory=PROBE.format(type="Memory")
        + "def observe(root, *, deadline_seconds): return ok(Memory(shm_free_bytes=int(deadline_seconds)))",
        helper="raise RuntimeError('not a probe')",
    )
    facts = capture.capture(python=None, root="/r", target="/t", deadline_seconds=7, probes=package)
    assert facts.cpu.facts is not None
    assert facts.system.facts is not None
    assert facts.memory.facts is not None
    assert (facts.cpu.facts.model, facts.system.facts.kernel, facts.memory.facts.shm_free_bytes) == ("/r", "/t", 7)
    assert facts.cpu.seconds > 0
    assert facts.disk.why == "not asked"


def test_a_probe_that_hangs_fails_or_cannot_be_imported_is_unknown(probes: Callable[..., str]) -> None:
    package = probes(
        cpu=PROBE.format(type="Cpu") + "def observe(root='/'): return ok(Cpu(model='x'))",
        disk="import time\ndef observe(root='/'): time.sleep(60)",
        memory="def observe(root='/'): raise ValueError('no such line')",
        system="import no_such_module",
        amd="def observe(root='/'): return None",
    )
    started = time.monotonic()
    facts = capture.capture(python=None, deadline_seconds=0.5, probes=package)
    assert time.monotonic() - started < 3
    assert facts.cpu.outcome == "ok"
    assert (facts.disk.outcome, facts.disk.why) == ("unknown", "no answer within 0.5 s")
    assert (facts.memory.outcome, facts.memory.why) == ("unknown", "ValueError: no such line")
    assert facts.system.why == "ModuleNotFoundError: No module named 'no_such_module'"
    assert facts.amd.outcome == "unknown"


def test_a_probe_with_a_deadline_of_its_own_may_answer_just_after_it(probes: Callable[..., str]) -> None:
    body = "import time\ndef observe(*, deadline_seconds): time.sleep(deadline_seconds + 0.2); return ok(Cpu())"
    facts = capture.capture(python=None, deadline_seconds=0.3, probes=probes(cpu=PROBE.format(type="Cpu") + body))
    assert facts.cpu.outcome == "ok"


def test_only_what_is_wanted_is_asked(probes: Callable[..., str]) -> None:
    package = probes(cpu="raise RuntimeError", memory="raise RuntimeError")
    facts = capture.capture(python=HERE, only=("cpu",), probes=package)
    assert facts.cpu.why == "RuntimeError: "
    assert {facts.memory.why, facts.python.why, facts.torch.why} == {"not asked"}


def test_without_a_python_its_sections_are_absent() -> None:
    facts = observe(None, "python", "torch", "torch_deep", deep=True)
    for section in (facts.python, facts.torch, facts.torch_deep):
        assert section.outcome == "absent"
        assert section.why.startswith("no Python found: looked at $VIRTUAL_ENV")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("exit 3", "{path}: ended with exit status 3"),
        ("echo 'no such library' >&2; exit 127", "{path}: ended with exit status 127: no such library"),
        ("kill -SEGV $$", "{path}: killed by SIGSEGV"),
        ("sleep 60", "{path}: no answer within 1 s"),
        ("cat >/dev/null; echo hello", "{path} ended without an answer: is it a Python?"),
        ("exec /no/such/interpreter -", "{path}: ended with exit status 127: "),
    ],
)
def test_a_bad_interpreter_is_named_with_what_it_did(script: Script, body: str, why: str) -> None:
    python = script(body)
    started = time.monotonic()
    facts = observe(python, deadline_seconds=1.0)
    assert time.monotonic() - started < 4
    for section in (facts.python, facts.torch):
        assert section.outcome == "unknown"
        assert section.why.startswith(why.format(path=python.path))


def test_an_interpreter_that_may_not_be_run_or_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("text")
    python = Interpreter(str(tmp_path / "python"), "--python")
    assert observe(python).python.why == f"{python.path}: could not be started: Permission denied"
    (tmp_path / "python").chmod(0o755)
    assert observe(python).python.why.startswith(f"{python.path}: could not be started: Exec format error")


def test_an_old_python_is_named_with_the_floor() -> None:
    path = next(Path.home().glob(".pyenv/versions/2.7.*/bin/python"), None)
    if path is None:
        pytest.skip("no Python 2.7 under ~/.pyenv/versions")
    facts = observe(Interpreter(str(path), "--python"))
    assert facts.python.facts is not None
    assert (facts.python.facts.version, facts.python.facts.looked_into) == (path.parts[-3], False)
    assert facts.torch.why == f"{path} is Python {path.parts[-3]}: envkit looks into 3.8 and newer"


def test_a_python_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    assert observe(HERE).python.why.startswith(f"{sys.executable}: ended with exit status 1: ")
    assert "No module named 'encodings'" in observe(HERE).python.why


def test_noise_before_the_first_question_is_reported(script: Script) -> None:
    facts = observe(script(f'echo "Welcome"; echo "deprecated" >&2; exec "{sys.executable}" "$@"'))
    assert facts.python.facts is not None
    assert facts.python.facts.started_with_noise == "Welcome\ndeprecated"


def test_an_answer_of_the_wrong_shape_is_unknown(script: Script) -> None:
    record = '{"section": "python", "outcome": "ok", "facts": {"executable": 3}}'
    facts = observe(script(f"cat >/dev/null; printf '\\036%s\\n' '{record}'"))
    assert facts.python.outcome == "unknown"
    assert "Expected `str`, got `int`" in facts.python.why
    assert facts.torch.outcome == "unknown"


def test_an_interrupt_ends_the_payload_too(script: Script, tmp_path: Path) -> None:
    python = script(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            observe(python)
    finally:
        signal.signal(signal.SIGALRM, previous)
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"
