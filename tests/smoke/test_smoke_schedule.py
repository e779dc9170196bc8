"""Which children run side by side, what is not started for want of memory, and what they leave behind: nothing."""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import time
from pathlib import Path

import pytest

from envkit.knowledge import Knowledge
from envkit.knowledge.smoke_memory import Need
from envkit.profile import SmokeRun
from envkit.smoke import conclude, framework
from envkit.smoke.run import smoke
from envkit.smoke.schedule import Child, Free, lanes, shortage

FAULTY = runpy.run_path(str(Path(__file__).parent / "faulty_adapter.py"))
GIB = 1 << 30


def child(name: str, device: str, memory: int = 1, of_device: int = 1) -> Child:
    return Child(name, device, [], Need(memory * GIB, of_device * GIB))


TORCH, JAX, SECOND = child("torch", "cuda"), child("jax", "cuda:0"), child("torch", "cuda:1")


def planned(free: Free, *children: Child) -> list[list[str]]:
    return [[f"{child.framework} {child.device}" for child in lane] for lane in lanes(children, free)]


def test_children_run_side_by_side_as_far_as_the_memory_is_sure_to_suffice() -> None:
    each = [["torch cuda"], ["jax cuda:0"], ["torch cuda:1"]]
    by_device = [["torch cuda", "jax cuda:0"], ["torch cuda:1"]]
    assert planned(Free(6 * GIB), TORCH, JAX, SECOND) == each
    assert planned(Free(6 * GIB - 1), TORCH, JAX, SECOND) == by_device
    assert planned(Free(4 * GIB - 1), TORCH, JAX, SECOND) == [["torch cuda", "jax cuda:0", "torch cuda:1"]]
    assert planned(Free(None), TORCH, JAX, SECOND) == by_device


def test_a_gpu_s_own_memory_counts_for_those_that_share_it() -> None:
    assert planned(Free(64 * GIB, {"cuda:0": 3 * GIB}), TORCH, JAX) == [["torch cuda", "jax cuda:0"]]
    assert planned(Free(64 * GIB, {"cuda:0": 4 * GIB}), TORCH, JAX) == [["torch cuda"], ["jax cuda:0"]]
    assert planned(Free(64 * GIB, {"cuda:1": 2 * GIB}), TORCH, JAX, SECOND) == [[name] for name in (
        "torch cuda", "jax cuda:0", "torch cuda:1")]  # fmt: skip
    assert lanes([], Free(GIB)) == []


def test_too_little_memory_is_said_with_how_much_and_unknown_memory_is_tried() -> None:
    assert shortage(TORCH, Free(GIB, {"cuda:0": GIB})) is None
    assert shortage(TORCH, Free(None)) is None
    little = shortage(TORCH, Free(GIB // 2))
    assert little
    assert (little.status, little.cause) == ("unknown", "too-little-memory")
    assert little.message == "torch needs about 1.0 GiB of memory, 0.5 GiB are free: it was not started"
    full = shortage(TORCH, Free(GIB, {"cuda:0": GIB // 4}))
    assert full
    assert "1.0 GiB of the memory of cuda, 0.2 GiB are free" in full.message


def test_the_table_gives_the_largest_figure_that_fits() -> None:
    table = Knowledge().smoke_memory
    one, all_, gpu = (
        table.need({"jax", *words})
        for words in (("cpu", "mlp"), ("cpu", "mlp", "cnn", "lstm", "transformer"), ("cuda",))
    )
    assert 0 < one.memory < min(all_.memory, gpu.memory)
    assert (one.device, gpu.device > 0) == (0, True)
    assert table.need({"mxnet", "cpu"}) == Need()
    assert all(row.source for row in table.needs.values())


def test_nothing_is_started_where_memory_lacks_and_the_report_is_no_pass(tmp_path: Path) -> None:
    started = tmp_path / "started"
    (tmp_path / "torch.py").write_text(f"open({str(started)!r}, 'w')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    report = smoke(sys.executable, [SmokeRun(framework="torch")], env=env, memory_available_bytes=1 << 20)
    assert report.status == "unknown"
    assert {(run.status, run.cause) for run in report.runs} == {("unknown", "too-little-memory")}
    assert not started.exists()


def test_each_device_has_a_child_and_they_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = framework.read_sources("torch")
    source = FAULTY["adapter"](build="time.sleep(1)", used="'%s:%d' % device")
    source = source.replace("Network(case)", "Network(case, device)").replace("self, case):", "self, case, device):")
    source = source.replace('return [("w"', 'device = self.device; return [("w"')
    source = source.replace("self.case, self.steps = case, 0", "self.case, self.steps, self.device = case, 0, device")
    source = source.replace('return kind, "a " + kind', 'return (kind, index), "pid %d" % os.getpid()')
    monkeypatch.setattr(framework, "read_sources", lambda _name: {**whole, "models": "", "adapter": source})
    for name in ("judge", "judge_optimizer"):
        monkeypatch.setattr(conclude, name, getattr(conclude, name))
    exec(FAULTY["CONTENT"], {})
    began = time.monotonic()
    report = smoke(sys.executable, [SmokeRun(framework="torch", models=["mlp"], device="rocm")], indices=range(8))
    assert [(run.device, run.status) for run in report.runs] == [
        ("rocm", "pass"), *((f"rocm:{index}", "pass") for index in range(1, 8))
    ]  # fmt: skip
    assert len({run.device_name for run in report.runs}) == 8
    assert time.monotonic() - began < 7


def test_compilers_write_into_a_folder_that_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "torch.py").write_text(
        "import os, tempfile\n"
        "folders = [os.environ[f'{name}_CACHE_DIR'] for name in ('TORCHINDUCTOR', 'TRITON')] + [tempfile.mkdtemp()]\n"
        "for folder in folders: open(folder + '/kernel', 'w')\n"
        f"raise ImportError({str(tmp_path)!r} in ' '.join(folders) and 'all is below')"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "TRITON_CACHE_DIR": "/nowhere"}
    report = smoke(sys.executable, [SmokeRun(framework="torch", models=["mlp"])], env=env)
    assert report.runs[0].message == "ImportError: all is below"
    assert list((tmp_path / "scratch").iterdir()) == []
