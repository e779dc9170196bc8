"""What the driver says is evidence where it can know; where a GPU lies is said as the judge names devices."""

from __future__ import annotations

import ctypes
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from envkit.smoke import adapters, witness


class Nvml:
    """NVML with one GPU: the process ids that it lists, None where it does not tell, and samples of kernels."""

    def __init__(self, listed: list[int] | None, samples: dict[int, int]) -> None:
        self.listed, self.samples = listed, samples

    def nvmlInit_v2(self) -> int:  # noqa: N802 - NVML's names, here and below
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, _index: int, handle: Any) -> int:  # noqa: N802
        handle._obj.value = 1
        return 0

    def nvmlDeviceGetComputeRunningProcesses_v3(self, _gpu: Any, number: Any, found: Any) -> int:  # noqa: N802
        if self.listed is None:
            return 3
        number._obj.value = len(self.listed)
        for place, pid in enumerate(self.listed):
            found[place].pid, found[place].used_bytes = pid, 412 << 20
        return 0

    def nvmlDeviceGetProcessUtilization(self, _gpu: Any, found: Any, number: Any, _since: Any) -> int:  # noqa: N802
        number._obj.value = len(self.samples)
        for place, (pid, busy) in enumerate(self.samples.items()):
            found[place].pid, found[place].kernels = pid, busy
        return 0 if self.samples else 6


def asked(monkeypatch: pytest.MonkeyPatch, nvml: Nvml, namespace: str = witness.FIRST_PID_NAMESPACE) -> list[Any]:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: nvml)
    monkeypatch.setattr(witness, "_namespace", lambda: namespace)
    monkeypatch.setattr(os.path, "exists", lambda _path: False)
    return [said["saw"] for said in witness.ask(0.0)]


def test_a_process_that_is_listed_and_sampled_was_seen_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.getpid()
    assert asked(monkeypatch, Nvml([1, mine], {1: 50, mine: 3})) == [True, True]
    assert [said["words"] for said in witness.ask(0.0)] == ["GPU 0: 412 MiB", "GPU 0: 3 %"]


def test_kernels_that_were_not_sampled_speak_against_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, Nvml([os.getpid()], {os.getpid(): 0})) == [True, None]
    assert asked(monkeypatch, Nvml([os.getpid()], {})) == [True, None]


def test_only_a_list_that_must_have_this_process_speaks_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, Nvml([1], {})) == [False, None]
    assert asked(monkeypatch, Nvml([1], {}), "pid:[4026532001]") == [None, None]
    assert asked(monkeypatch, Nvml(None, {})) == [None, None]
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/dev/dxg")
    assert witness.ask(0.0)[0]["saw"] is None


@pytest.mark.parametrize(
    ("raw", "version", "named"),
    [("cuda", "", "cuda:1"), ("rocm", "", "rocm:1"), (None, "PJRT\ncuda 13000", "cuda:1"), (None, "rocm 7", "rocm:1")],
)
def test_jax_s_gpu_is_named_by_its_backend(
    monkeypatch: pytest.MonkeyPatch, raw: str | None, version: str, named: str
) -> None:
    """Its `platform` is "gpu" whoever made it; older releases have no `_raw_platform`."""
    jax = MagicMock(__version__="0.11.2")
    for name, module in {"jax": jax, "jax.numpy": jax.numpy}.items():
        monkeypatch.setitem(sys.modules, name, module)
    adapter = runpy.run_path(str(Path(adapters.__path__[0]) / "jax.py"))
    client = SimpleNamespace(platform="gpu", platform_version=version, **({"_raw_platform": raw} if raw else {}))
    first, second = (SimpleNamespace(client=client, id=index) for index in range(2))
    jax.local_devices = lambda backend: [first, second] if backend == named[:4] else []
    tensor = SimpleNamespace(devices=lambda: [second], dtype="float32")
    assert adapter["_where"]("w", tensor) == ("w", named, "float32")
