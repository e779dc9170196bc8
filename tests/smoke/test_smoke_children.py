"""What becomes of the other models when one fails, crashes, hangs or eats all memory; an adapter without framework."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envkit.profile import SmokeRun
from envkit.smoke import framework
from envkit.smoke.run import smoke
from envkit.smoke.types import Event, RunResult

# Trains in no time, on "cpu"; BUILD and STEP are where a test puts its fault.
ADAPTER = """
import os, signal, time
VERSION = "1.0"
def open_device(kind):
    return kind, "a " + kind
def build(model, reference, device):
    BUILD
    def step(number):
        STEP
        return 1.0 / (number + 1)
    def state():
        return [("w", USED, "float32", CHANGED), ("output", USED, "float32", None)]
    return step, state
def out_of_memory(error):
    return "alloc" in str(error)
def peak_memory(device):
    return None
"""

Train = Callable[..., list[RunResult]]


def adapter(build: str = "pass", step: str = "pass", used: str = "device", changed: str = "True") -> str:
    return ADAPTER.replace("BUILD", build).replace("STEP", step).replace("USED", used).replace("CHANGED", changed)


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Train:
    """Train with an adapter of one's own."""
    whole = framework.read_sources("torch")

    def with_adapter(source: str, deadline_seconds: float = 30, device: str = "cpu") -> list[RunResult]:
        monkeypatch.setattr(framework, "read_sources", lambda _name: {**whole, "adapter": source})
        runs = [SmokeRun(framework="torch", models=["mlp", "cnn", "mlp"], device=device)]
        return smoke(sys.executable, runs, deadline_seconds=deadline_seconds).runs

    return with_adapter


def test_without_a_fault_all_pass_in_one_child(train: Train) -> None:
    runs = train(adapter())
    assert [(run.status, run.device_name, run.version) for run in runs] == [("pass", "a cpu", "1.0")] * 3
    assert len({run.import_seconds for run in runs}) == 1


@pytest.mark.parametrize(
    ("fault", "status", "cause", "words"),
    [
        ("os.abort()", "crash", "aborted", "killed by SIGABRT while training cnn"),
        ("os._exit(0)", "crash", "ended-early", "ended with exit status 0 while training cnn"),
        ("raise ValueError('first line\\\\nsecond')", "fail", "framework-error", "ValueError: first line"),
        ("raise MemoryError", "fail", "out-of-memory", "MemoryError"),
        ("raise RuntimeError('cannot alloc')", "fail", "out-of-memory", "cannot alloc"),
        ("time.sleep(600)", "crash", "hang", "no answer within 1 s while training cnn"),
    ],
)
def test_a_fault_in_one_model_leaves_the_others_a_fresh_child(
    train: Train, fault: str, status: str, cause: str, words: str
) -> None:
    runs = train(adapter(step=f"if model == 'cnn' and number == 5: {fault}"), deadline_seconds=1)
    assert [run.status for run in runs] == ["pass", status, "pass"]
    assert runs[1].cause == cause
    assert words in runs[1].message
    assert runs[0].import_seconds != runs[2].import_seconds


def test_the_stage_of_a_fault_is_named(train: Train) -> None:
    assert "while building mlp" in train(adapter(build="os.abort()"))[0].message
    assert "in the first step of mlp" in train(adapter(step="os.abort()"))[0].message


def test_a_device_out_of_memory_is_told_from_the_machine(train: Train) -> None:
    assert {run.cause for run in train(adapter(build="raise RuntimeError('alloc')"), device="cuda")} == {
        "device-out-of-memory"
    }


def test_tensors_on_the_cpu_when_a_gpu_was_asked_for_never_pass(train: Train) -> None:
    runs = train(adapter(used="'cpu'"), device="cuda")
    assert {(run.status, run.cause, run.device_used) for run in runs} == {("fail", "silent-cpu-fallback", "cpu")}
    assert "not on cuda" in runs[0].message
    assert {run.cause for run in train(adapter(used="'cuda'"))} == {"wrong-device"}


def test_a_loss_that_stops_above_the_bound_fails(train: Train) -> None:
    runs = train(adapter(step="return 1.0 if number == 0 else 0.3"))
    assert {(run.model, run.status, run.cause) for run in runs} == {
        ("mlp", "fail", "loss-not-falling"),
        ("cnn", "fail", "loss-not-falling"),
    }
    assert runs[0].message == "the loss went from 1 to 0.3 in 61 steps; below 0.25 was expected"


def test_a_loss_that_is_nan_once_fails_though_it_would_recover(train: Train) -> None:
    run = train(adapter(step="if number == 3: return float('nan')"))[0]
    assert (run.cause, run.steps, run.loss_last) == ("loss-not-finite", 4, None)
    assert run.message == "the loss is nan at step 4"


def test_parameters_that_never_change_fail_though_the_loss_falls(train: Train) -> None:
    assert train(adapter(changed="False"))[0].cause == "parameters-unchanged"


def test_a_failing_on_event_ends_the_children(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    def enough(event: Event) -> None:
        if event.stage == "train":
            raise EnoughError

    whole = framework.read_sources("torch")
    monkeypatch.setattr(
        framework, "read_sources", lambda _name: {**whole, "adapter": adapter(step="if number: time.sleep(600)")}
    )
    started = time.monotonic()
    with pytest.raises(EnoughError):
        smoke(sys.executable, [SmokeRun(framework="torch")], on_event=enough)
    assert time.monotonic() - started < 30


LIMITED = """
import json, sys
from envkit.profile import SmokeRun
from envkit.smoke import framework
from envkit.smoke.run import smoke
whole = framework.read_sources("torch")
framework.read_sources = lambda name: {**whole, "adapter": ADAPTER}
report = smoke(sys.executable, [SmokeRun(framework="torch")])
print(json.dumps([[run.status, run.cause, run.message] for run in report.runs]))
"""


@pytest.fixture
def limited_group() -> Iterator[str]:
    """A memory control group (version 1) with a limit of 128 MiB."""
    folder = Path(f"/sys/fs/cgroup/memory/envkit-test-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"needs a writable memory control group, version 1: {error}")
    try:
        (folder / "memory.limit_in_bytes").write_text(str(128 << 20))
        yield str(folder)
    finally:
        folder.rmdir()


def test_a_child_killed_for_want_of_memory_is_told_with_the_kernels_count(limited_group: str) -> None:
    eater = adapter(build="x = bytearray(os.urandom(1 << 20)) * 400 if model == 'mlp' else 0")
    program = f"ADAPTER = {eater!r}\n{LIMITED}"
    shell = f'echo $$ > {limited_group}/cgroup.procs && exec "$0" -c "$1"'
    ended = subprocess.run(
        ["sh", "-c", shell, sys.executable, program], capture_output=True, text=True, timeout=60, check=True
    )
    mlp, cnn = json.loads(ended.stdout)
    assert mlp[:2] == ["crash", "out-of-memory"], mlp
    assert "killed by SIGKILL while building mlp; the kernel counts 1 out-of-memory kill(s)" in mlp[2]
    assert cnn[0] == "pass"


def test_a_child_refused_memory_says_so() -> None:
    program = f"ADAPTER = {adapter(build='x = bytearray(4 << 30)')!r}\n{LIMITED}"
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -v 1500000; exec "$0" -c "$1"', sys.executable, program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [run[:2] for run in json.loads(ended.stdout)] == [["fail", "out-of-memory"]] * 2


def test_ctrl_c_ends_the_children_too(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    (tmp_path / "torch.py").write_text(
        f"import os, time; open({str(said) + '.new'!r}, 'w').write(str(os.getpid()))\n"
        f"os.rename({str(said) + '.new'!r}, {str(said)!r}); time.sleep(600)"
    )
    program = (
        "import sys\nfrom envkit.profile import SmokeRun\nfrom envkit.smoke.run import smoke\n"
        "try:\n    smoke(sys.executable, [SmokeRun(framework='torch')])\n"
        "except KeyboardInterrupt:\n    sys.exit(130)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(framework.__file__).parents[2]), str(tmp_path)])}
    parent = subprocess.Popen([sys.executable, "-c", program], env=env)
    try:
        while not said.exists():
            assert parent.poll() is None
            time.sleep(0.02)
        parent.send_signal(signal.SIGINT)
        assert parent.wait(30) == 130
    finally:
        parent.kill()
        parent.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.read_text()), 0)
