"""What becomes of the other models when one fails, crashes, hangs or eats all memory; an adapter without framework."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.profile import SmokeRun
from envkit.smoke import conclude, framework
from envkit.smoke.run import smoke
from envkit.smoke.types import Event, RunResult

FAULTY = runpy.run_path(str(Path(__file__).parent / "faulty_adapter.py"))
CONTENT, adapter = FAULTY["CONTENT"], FAULTY["adapter"]

Train = Callable[..., list[RunResult]]


@pytest.fixture(autouse=True)
def content(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("judge", "judge_optimizer"):
        monkeypatch.setattr(conclude, name, getattr(conclude, name))  # put back at the end
    exec(CONTENT, {})


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Train:
    """Train with an adapter of one's own."""
    whole = framework.read_sources("torch")

    def with_adapter(source: str, deadline_seconds: float = 30, device: str = "cpu") -> list[RunResult]:
        monkeypatch.setattr(framework, "read_sources", lambda _name: {**whole, "models": "", "adapter": source})
        runs = [SmokeRun(framework="torch", models=["mlp", "cnn", "mlp"], device=device)]
        return smoke(sys.executable, runs, deadline_seconds=deadline_seconds).runs

    return with_adapter


def test_without_a_fault_all_pass_in_one_child(train: Train) -> None:
    runs = train(adapter())
    assert [(run.status, run.device_name, run.version) for run in runs] == [("pass", "a cpu", "1.0")] * 3
    assert len({run.import_seconds for run in runs}) == 1
    assert [[(check.case, check.check) for check in run.checks] for run in runs[:2]] == [
        [("mlp", "device"), ("mlp", "optimizer")],
        [("cnn", "device"), ("cnn-smooth", "device"), ("cnn-smooth", "optimizer")],
    ]


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
    runs = train(adapter(step=f"if self.case.name == 'cnn-smooth' and number == 5: {fault}"), deadline_seconds=1)
    assert [run.status for run in runs] == ["pass", status, "pass"]
    assert runs[1].cause == cause
    assert words in runs[1].message
    assert runs[0].import_seconds != runs[2].import_seconds


def test_the_stage_of_a_fault_is_named(train: Train) -> None:
    assert "while building mlp" in train(adapter(build="os.abort()"))[0].message
    assert "while in the gradient of mlp" in train(adapter(gradient="os.abort()"))[0].message
    assert "in the first step of mlp" in train(adapter(step="os.abort()"))[0].message


def test_a_device_out_of_memory_is_told_from_the_machine(train: Train) -> None:
    assert {run.cause for run in train(adapter(build="raise RuntimeError('alloc')"), device="cuda")} == {
        "device-out-of-memory"
    }


def test_tensors_on_the_cpu_when_a_gpu_was_asked_for_never_pass(train: Train) -> None:
    runs = train(adapter(), device="cuda")
    assert {(run.status, run.cause, run.device_used) for run in runs} == {("fail", "silent-cpu-fallback", "cpu")}
    assert "not on cuda:0" in runs[0].message
    assert {run.cause for run in train(adapter(used="'cuda:1'"), device="cuda")} == {"wrong-device"}
    assert {run.status for run in train(adapter(used="'cuda:0'"), device="cuda")} == {"pass"}


def test_each_device_and_variant_and_precision_is_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = framework.read_sources("torch")
    source = adapter(used="self.device").replace("Network(case)", "Network(case, device)")
    source = source.replace("__init__(self, case):", "__init__(self, case, device):\n        self.device = device")
    source = source.replace('return kind, "a " + kind', 'return "%s:%d" % (kind, index), "a " + kind')
    monkeypatch.setattr(framework, "read_sources", lambda _name: {**whole, "models": "", "adapter": source})
    runs = [SmokeRun(framework="torch", models=["mlp"], device="rocm")]
    report = smoke(sys.executable, runs, indices=[0, 1], variants=["eager", "compiled"], precisions=["float32"])
    assert [(run.device, run.variant, run.status) for run in report.runs] == [
        ("rocm", "eager", "pass"),
        ("rocm", "compiled", "pass"),
        ("rocm:1", "eager", "pass"),
        ("rocm:1", "compiled", "pass"),
    ]


def test_a_precision_that_the_device_lacks_is_skipped(train: Train) -> None:
    runs = train(adapter(build="raise LookupError('the CPU has no TF32')"))
    assert {(run.status, run.cause) for run in runs} == {("skip", "precision-missing")}
    assert runs[0].message == "float32 cannot be used: the CPU has no TF32"


def test_a_key_error_of_the_framework_is_no_missing_precision(train: Train) -> None:
    assert train(adapter(build="{}['conv']"))[0].cause == "framework-error"


def test_a_loss_that_is_nan_once_fails_though_it_would_recover(train: Train) -> None:
    run = train(adapter(step="if number == 3: return float('nan')"))[0]
    assert (run.cause, run.steps, run.loss_last) == ("loss-not-finite", 4, None)
    assert run.message == "mlp: a number is not finite"


def test_parameters_that_never_change_fail_though_the_loss_falls(train: Train) -> None:
    assert train(adapter(changed="7"))[0].cause == "parameters-unchanged"


def test_a_failing_on_event_ends_the_children(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    def enough(event: Event) -> None:
        if event.stage == "train":
            raise EnoughError

    whole = framework.read_sources("torch")
    monkeypatch.setattr(
        framework,
        "read_sources",
        lambda _name: {**whole, "models": "", "adapter": adapter(step="if number: time.sleep(600)")},
    )
    started = time.monotonic()
    with pytest.raises(EnoughError):
        smoke(sys.executable, [SmokeRun(framework="torch")], on_event=enough)
    assert time.monotonic() - started < 30


def test_ctrl_c_ends_the_children_too_and_leaves_no_file(tmp_path: Path) -> None:
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
    (scratch := tmp_path / "scratch").mkdir()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(framework.__file__).parents[2]), str(tmp_path)])}
    env["TMPDIR"] = str(scratch)
    parent = subprocess.Popen([sys.executable, "-c", program], env=env)
    try:
        while not said.exists():
            assert parent.poll() is None
            time.sleep(0.02)
        assert len(list(scratch.iterdir())) == 1
        parent.send_signal(signal.SIGINT)
        assert parent.wait(30) == 130
    finally:
        parent.kill()
        parent.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.read_text()), 0)
    assert list(scratch.iterdir()) == []
