"""Apple silicon: what sysctl prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.probes import apple

M3 = """machdep.cpu.brand_string: Apple M3 Max
hw.memsize: 68719476736
kern.osproductversion: 15.1.1
sysctl.proc_translated: {translated}
"""


@pytest.mark.parametrize(("translated", "rosetta"), [("0", False), ("1", True)])
def test_a_mac_is_told_from_sysctl(translated: str, rosetta: bool) -> None:
    found = apple.parse(M3.format(translated=translated))
    assert (found.chip, found.macos_version) == ("Apple M3 Max", "15.1.1")
    assert found.memory_total_bytes == 64 << 30
    assert found.rosetta is rosetta


def test_what_sysctl_leaves_out_is_unknown() -> None:
    found = apple.parse("machdep.cpu.brand_string: Intel(R) Core(TM) i7: mobile\nhw.memsize:\n")
    assert found.chip == "Intel(R) Core(TM) i7: mobile"
    assert (found.memory_total_bytes, found.macos_version, found.rosetta) == (None, None, None)


def test_other_systems_have_no_apple_silicon() -> None:
    assert apple.observe(platform="linux").outcome == "absent"
    assert apple.observe("/recorded", platform="darwin").outcome == "absent"


def test_sysctl_is_asked_on_a_mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sysctl = tmp_path / "sysctl"
    sysctl.write_text(f"#!/bin/sh\ncat <<END\n{M3.format(translated=0)}END\nexit 1\n")  # 1: a name it does not know
    sysctl.chmod(0o755)
    monkeypatch.setattr(apple, "SYSCTL", str(sysctl))
    section = apple.observe(platform="darwin")
    assert section.outcome == "ok"
    assert section.facts is not None
    assert section.facts.chip == "Apple M3 Max"


def test_a_mac_whose_sysctl_does_not_start_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apple, "SYSCTL", str(tmp_path / "sysctl"))
    section = apple.observe(platform="darwin")
    assert section.outcome == "unknown"
    assert section.why == "sysctl: could not be started: No such file or directory"
