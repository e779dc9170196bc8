"""The harness against real bad children."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from envkit import harness

FRAME = "import sys,json\ndef emit(r): sys.stdout.write('\\x1e'+json.dumps(r)+'\\n'); sys.stdout.flush()\n"


def python(code: str, deadline: float = 20.0, **options: object) -> harness.Child:
    return harness.run([sys.executable, "-c", FRAME + code], deadline_seconds=deadline, **options)  # type: ignore[arg-type]


def test_records_are_told_from_noise() -> None:
    child = python(
        "print('noise'); emit({'a': 1}); sys.stdout.write('half '); emit({'b': 'x\\u2028y'}); print('\\x1enot json')"
    )
    assert child.succeeded
    assert child.records == [{"a": 1}, {"b": "x\u2028y"}]
    assert "noise" in child.stdout
    assert "half" in child.stdout


def test_a_record_is_handed_on_while_the_child_runs() -> None:
    seen: list[float] = []
    started = time.monotonic()
    python("emit({'a': 1}); import time; time.sleep(1)", on_record=lambda _: seen.append(time.monotonic() - started))
    assert seen[0] < 0.9


def test_a_hang_costs_its_deadline_and_its_children_die_with_it() -> None:
    code = (
        "import subprocess, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "emit({'pid': p.pid})\ntime.sleep(60)"
    )
    started = time.monotonic()
    child = python(code, deadline=1.0)
    assert time.monotonic() - started < 3.0
    assert child.outcome == "timeout"
    assert child.why() == "no answer within 1 s"
    time.sleep(0.2)
    stat = Path(f"/proc/{child.records[0]['pid']}/stat")
    assert not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_grandchild_that_holds_the_pipe_does_not_keep_us() -> None:
    started = time.monotonic()
    child = python("import subprocess; subprocess.Popen(['sleep', '5']); emit({'done': 1})")
    assert child.succeeded
    assert child.records == [{"done": 1}]
    assert time.monotonic() - started < 4.0


def test_leave_neither_kills_nor_waits() -> None:
    child = python("import os, time; emit({'pid': os.getpid()}); time.sleep(3)", deadline=1.0, on_deadline="leave")
    assert child.left_behind
    os.kill(child.records[0]["pid"], 0)  # still there
    os.kill(child.records[0]["pid"], 9)


def test_a_crash_is_named() -> None:
    child = python("emit({'before': 1}); import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert child.outcome == "signalled"
    assert child.why() == "killed by SIGSEGV"
    assert child.records == [{"before": 1}]


def test_a_program_that_is_not_there() -> None:
    child = harness.run(["/nonexistent/python"], deadline_seconds=1)
    assert child.outcome == "not-started"
    assert "No such file" in child.why()


def test_stdin_larger_than_a_pipe_arrives_whole() -> None:
    child = python("emit({'n': len(sys.stdin.buffer.read())})", stdin=b"x" * 1_000_000)
    assert child.records == [{"n": 1_000_000}]


def test_a_child_that_does_not_read_its_stdin() -> None:
    assert python("emit({'ok': 1})", stdin=b"x" * 1_000_000).records == [{"ok": 1}]


def test_a_flood_of_output_keeps_its_tail_only() -> None:
    child = python("print('x' * 3_000_000); print('end', file=sys.stderr)")
    assert len(child.stdout) <= harness.TAIL_BYTES
    assert child.last_words() == "end"


def test_a_failing_callback_leaves_no_child_behind() -> None:
    pids: list[int] = []

    def interrupt(record: dict[str, int]) -> None:
        pids.append(record["pid"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        python("import os, time; emit({'pid': os.getpid()}); time.sleep(60)", on_record=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
