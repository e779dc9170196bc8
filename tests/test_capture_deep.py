"""Frameworks imported in children: stand-ins that end in each way, and the real one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.capture import capture
from envkit.facts import Facts, decode, encode
from envkit.interpreter import Interpreter

HERE = Interpreter(sys.executable, "--python")


@pytest.fixture
def fake_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An installed "torch" made of this source."""

    def install(source: str) -> None:
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch/__init__.py").write_text(source)
        (tmp_path / "torch/version.py").write_text("cuda = '12.8'\n")
        (tmp_path / "torch-1.0.dist-info").mkdir()
        (tmp_path / "torch-1.0.dist-info/METADATA").write_text("Name: torch\nVersion: 1.0\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return install


def deeply(**options: Any) -> Facts:
    return capture(python=HERE, only=("torch", "torch_deep", "jax", "jax_deep"), deep=True, **options)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "killed by SIGILL"),
        ("import os; os.write(2, b'needs AVX\\n'); os.abort()", "killed by SIGABRT: needs AVX"),
        ("import os; os._exit(7)", "ended with exit status 7"),
        ("raise ImportError('libcudart.so.12: gone')", "ImportError: libcudart.so.12: gone"),
    ],
)
def test_an_import_that_ends_badly_is_not_imported(fake_torch: Callable[[str], None], source: str, error: str) -> None:
    fake_torch(source)
    facts = deeply()
    assert facts.torch.outcome == "ok"
    assert facts.torch_deep.outcome == "ok"
    assert facts.torch_deep.facts is not None
    assert facts.torch_deep.facts.imported is False
    assert facts.torch_deep.facts.error == error
    assert facts.jax_deep.outcome == "absent"
    assert facts.jax_deep.why == facts.jax.why


def test_a_crash_after_the_import_is_its_error_and_not_the_imports(fake_torch: Callable[[str], None]) -> None:
    fake_torch("import os\nclass cuda:\n  def is_available(): os.kill(os.getpid(), 11)\n")
    facts = deeply()
    assert facts.torch_deep.facts is not None
    assert facts.torch_deep.facts.imported is True
    assert facts.torch_deep.facts.error == "killed by SIGSEGV"


def test_an_import_that_hangs_is_unknown(fake_torch: Callable[[str], None]) -> None:
    fake_torch("import time; time.sleep(60)")
    facts = deeply(deep_deadline_seconds=1.0)
    assert facts.torch_deep.outcome == "unknown"
    assert facts.torch_deep.why == f"{sys.executable}: no answer within 1 s"


def test_a_real_environment_from_metadata_and_by_import(cpu_stack: Path) -> None:
    only = ("python", "torch", "torch_deep")
    facts = capture(python=Interpreter(str(cpu_stack), "--python"), only=only, deep=True)
    assert decode(encode(facts), "itself") == facts
    assert facts.torch.facts is not None
    found = facts.torch_deep.facts
    assert found is not None
    assert (found.imported, found.error, found.version) == (True, None, facts.torch.facts.version)
    assert [device.kind for device in found.devices] == ["cpu"]
    assert found.cuda_available is False
    assert "CUDA" in (found.cuda_error or "")
    assert (found.import_seconds or 0) > 0
    assert any("libgomp" in path for path in found.libraries)
    assert any("libstdc++" in path for path in found.libraries)
