"""Whether tpu-info could use libtpu."""

from __future__ import annotations

from envkit.checks import tpu
from envkit.facts.accelerators import Tpu, TpuChip
from envkit.profile import Profile


def test_libtpu_unusable_fires() -> None:
    (found,) = tpu.libtpu_unusable(Tpu(libtpu_error="incompatible environment"), Profile())
    assert found.status == "fail"
    assert "incompatible environment" in found.evidence[0]


def test_libtpu_unusable_near_miss() -> None:
    working = Tpu(chips=[TpuChip(device="/dev/vfio/0")], libtpu_version="0.0.19")
    assert not list(tpu.libtpu_unusable(working, Profile()))
    assert not list(tpu.libtpu_unusable(Tpu(libtpu_error="x"), Profile(name="cpu")))
