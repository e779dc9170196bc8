"""Importing frameworks: stand-ins that break in each way, and the real ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from envkit import harness, target
from envkit.target import deep


def examine(tmp_path: Path, name: str, source: str) -> tuple[list[dict[str, Any]], harness.Child]:
    """The facts that arrive, one after the other, when the framework is this source."""
    (tmp_path / f"{name}.py").write_text(source)
    child = harness.run(
        [sys.executable, "-"],
        stdin=target.program([f"{name}_deep"]),
        deadline_seconds=30,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert all(record["outcome"] == "ok" for record in child.records), child.records
    return [record["facts"] for record in child.records], child


JAX = """
import os
__version__ = "9.9"
class Client: platform_version = "cuda 12080"
class Gpu: platform = "gpu"; device_kind = "NVIDIA H200"; compute_capability = "9.0"; client = Client()
class Cpu: platform = "cpu"; device_kind = "cpu"
def devices(): return [Gpu(), Cpu()]
"""
COMPUTING = """
class Sum(float):
    def __add__(self, other): return self
    def sum(self): return self
class numpy:
    def ones(number): return SUM
def device_put(array, device):
    assert isinstance(device, Gpu), "a CPU is not tried"
    return array
"""


def test_devices_are_told_after_the_import(tmp_path: Path) -> None:
    (first, last), _ = examine(tmp_path, "jax", JAX)
    assert first["imported"] is True
    assert "devices" not in first
    assert last["version"] == "9.9"
    assert last["devices"] == [
        {"kind": "cuda", "name": "NVIDIA H200", "compute_capability": "9.0", "computes": None, "error": None},
        {"kind": "cpu", "name": "cpu", "compute_capability": None},
    ], "a framework that cannot be asked to compute says nothing of the device"


@pytest.mark.parametrize(
    ("answer", "computes", "error"),
    [
        ("Sum(2048)", True, None),
        ("Sum(2047)", False, "the sum of 1,024 twos came to 2047"),
        ("1 / 0", False, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_device_is_tried_with_a_small_sum(tmp_path: Path, answer: str, *, computes: bool, error: str | None) -> None:
    facts, _ = examine(tmp_path, "jax", JAX + COMPUTING.replace("return SUM", f"return {answer}"))
    assert [(d.get("computes"), d.get("error")) for d in facts[-1]["devices"]] == [(computes, error), (None, None)]


CAUSED = """
try: raise OSError("libx.so.1: cannot open")
except OSError as error: raise ImportError("advice\\nmore advice") from error
"""
QUOTED = r"""
raise ImportError("Traceback (most recent call last):\n  line\nImportError: libx.so.1: gone\n\nSee above.")
"""


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ImportError", "ImportError"),
        ("def f(:", "SyntaxError"),
        (CAUSED, "OSError: libx.so.1: cannot open"),
        (QUOTED, "ImportError: libx.so.1: gone"),
    ],
)
def test_an_import_that_fails_says_the_line_that_tells(tmp_path: Path, source: str, error: str) -> None:
    (found,), child = examine(tmp_path, "jax", source)
    assert found["imported"] is False
    assert found["error"].startswith(error)
    assert child.succeeded


def test_devices_that_cannot_be_listed_do_not_deny_the_import(tmp_path: Path) -> None:
    (_, last), _ = examine(tmp_path, "jax", "def devices(): raise RuntimeError('Unable to initialize backend')")
    assert last["imported"] is True
    assert last["error"] == "RuntimeError: Unable to initialize backend"


def test_a_crash_after_the_import_leaves_the_import_told(tmp_path: Path) -> None:
    facts, child = examine(tmp_path, "jax", "import os\ndef devices(): os.kill(os.getpid(), 11)")
    assert [found["imported"] for found in facts] == [True]
    assert child.why() == "killed by SIGSEGV"


def test_jax_is_not_let_take_the_memory_of_the_gpus(tmp_path: Path) -> None:
    source = "import os\n__version__ = os.environ['XLA_PYTHON_CLIENT_PREALLOCATE']\ndef devices(): return []"
    (_, last), _ = examine(tmp_path, "jax", source)
    assert last["version"] == "false"


def test_the_versions_of_cudnn_before_and_since_9() -> None:
    assert [deep.cudnn_version(number) for number in (91002, 8907, None)] == ["9.10.2", "8.9.7", None]


def test_what_a_framework_does_not_answer_is_none() -> None:
    assert deep.asked(sys, "getrecursionlimit") == sys.getrecursionlimit()
    assert deep.asked(sys, "no.such.function") is None
    assert deep.asked(sys, "intern", 3) is None


def test_real_tensorflow(cpu_stack: Path) -> None:
    child = harness.run([str(cpu_stack), "-"], stdin=target.program(["tensorflow_deep"]), deadline_seconds=120)
    found = child.records[-1]["facts"]
    assert found["imported"] is True
    assert [device["kind"] for device in found["devices"]] == ["cpu"]
    assert found["cuda_build"] is False
