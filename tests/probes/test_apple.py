"""Apple silicon: what sysctl prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.facts.accelerators import Apple
from envkit.probes import apple

M3 = """machdep.cpu.brand_string: Apple M3 Max
hw.memsize: 68719476736
hw.perflevel0.physicalcpu: 12
hw.perflevel1.physicalcpu: 4
iogpu.wired_limit_mb: 57344
kern.hv_vmm_present: 0
kern.osproductversion: 15.1.1
sysctl.proc_translated: {translated}
"""
IOREG = """+-o AGXAcceleratorG15X  <class AGXAcceleratorG15X, id 0x1000004c6, registered, active>
    {
      "gpu-core-count" = 40
      "MetalPluginName" = "AGXMetalG15X"
    }
"""


@pytest.mark.parametrize(("translated", "rosetta"), [("0", False), ("1", True)])
def test_a_mac_is_told_from_sysctl(translated: str, rosetta: bool) -> None:
    found = apple.parse(M3.format(translated=translated))
    assert (found.chip, found.macos_version) == ("Apple M3 Max", "15.1.1")
    assert (found.memory_total_bytes, found.gpu_memory_limit_bytes) == (64 << 30, 56 << 30)
    assert (found.performance_cores, found.efficiency_cores, found.virtual_machine) == (12, 4, False)
    assert found.rosetta is rosetta


def test_a_limit_of_0_is_macos_own_choice_and_a_guest_says_that_it_is_one() -> None:
    found = apple.parse("iogpu.wired_limit_mb: 0\nkern.hv_vmm_present: 1\n")
    assert (found.gpu_memory_limit_bytes, found.virtual_machine) == (None, True)


@pytest.mark.parametrize(("text", "cores"), [(IOREG, 40), ("", None), ('"gpu-core-count" = <28>', None)])
def test_the_gpus_driver_tells_its_cores(text: str, cores: int | None) -> None:
    assert apple.gpu_cores(text) == cores


@pytest.mark.parametrize("rest", ["hw.memsize:\n", "hw.memsize: lots\n\x00\ufffd\n", f"hw.memsize: {'9' * 5000}\n"])
def test_what_sysctl_leaves_out_is_unknown(rest: str) -> None:
    found = apple.parse(f"machdep.cpu.brand_string: Intel(R) Core(TM) i7: mobile\n{rest}")
    assert found == Apple(chip="Intel(R) Core(TM) i7: mobile")


def test_other_systems_have_no_apple_silicon() -> None:
    assert apple.observe(platform="linux").outcome == "absent"
    assert apple.observe("/recorded", platform="darwin").outcome == "absent"


def program(path: Path, prints: str) -> str:
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}END\nexit 1\n")  # 1: sysctl was asked for a name it does not know
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("cores", [40, None])
def test_sysctl_and_ioreg_are_asked_on_a_mac(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int | None
) -> None:
    monkeypatch.setattr(apple, "SYSCTL", program(tmp_path / "sysctl", M3.format(translated=0)))
    monkeypatch.setattr(apple, "IOREG", (program(tmp_path / "ioreg", IOREG) if cores else str(tmp_path / "none"),))
    section = apple.observe(platform="darwin", deadline_seconds=20.0)
    assert section.outcome == "ok"
    assert section.facts is not None
    assert (section.facts.chip, section.facts.gpu_cores) == ("Apple M3 Max", cores)


def test_a_mac_whose_sysctl_does_not_start_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apple, "SYSCTL", str(tmp_path / "sysctl"))
    section = apple.observe(platform="darwin")
    assert section.outcome == "unknown"
    assert section.why == "sysctl: could not be started: No such file or directory"
