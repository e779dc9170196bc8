"""Whole machines as NVML and the driver's files show them, through the probe and the doctor.

tests/nvml/machines/*.txt are the machines, tests/nvml/reports/*.txt what the doctor says about each: `pytest --update`
rewrites the reports, and a person reads the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envkit.checks import discover
from envkit.doctor import examine, exit_status
from envkit.facts import Facts, Section, decode, encode, ok
from envkit.facts.machine import KernelLog
from envkit.formats import Style
from envkit.formats.text import render
from envkit.kernel_messages import kernel_messages
from envkit.knowledge import load
from envkit.probes import nvidia
from envkit.profile import Profile

NVML = Path(__file__).parents[1] / "nvml"
MACHINES = sorted(path.stem for path in (NVML / "machines").glob("*.txt"))
AREAS = ("machine", "accelerators", "container")
SERVER = json.loads((NVML / "server.json").read_text())


@pytest.fixture
def seen(play: Callable[[str], Facts], request: pytest.FixtureRequest, left_child: object) -> Facts:
    return play(request.param)


@pytest.fixture
def play(
    libraries: dict[str, Path], stand_in: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Facts]:
    """The facts of a machine: its own section by the probe, the others those of a server."""

    def play(name: str) -> Facts:
        machine = stand_in["Machine"]().read(name)
        root, folder = tmp_path / "root", tmp_path / "library"
        machine.write(root)
        folder.mkdir()
        os.link(libraries[machine.exports], folder / f"libnvidia-ml.so.{machine.library_version}")
        (folder / "libnvidia-ml.so.1").symlink_to(f"libnvidia-ml.so.{machine.library_version}")
        (tmp_path / "script").write_text(machine.script)
        monkeypatch.setenv("NVML_SCRIPT", str(tmp_path / "script"))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        messages = kernel_messages("\n".join(machine.log))
        facts = msgspec.structs.replace(
            server(machine.facts),
            nvidia=nvidia.observe(str(root), deadline_seconds=machine.deadline_seconds, ask_nvml=True),
            kernel_log=ok(KernelLog(messages=messages)) if machine.log else Section(),
        )
        return decode(encode(facts).replace(str(folder), stand_in["LIBRARIES"]), "the machine")

    return play


def server(changes: dict[str, Any]) -> Facts:
    sections = {**SERVER, **{name: {**SERVER.get(name, {}), **facts} for name, facts in changes.items()}}
    found = {name: {"outcome": "ok", "why": "", "facts": facts} for name, facts in sections.items()}
    absent = {name: {"outcome": "absent", "why": "not there"} for name in ("container", "torch", "tensorflow", "jax")}
    return msgspec.convert({**absent, **found}, Facts)


@pytest.mark.parametrize("seen", MACHINES, indirect=True)
def test_a_machine_has_the_report_that_was_read_and_agreed(seen: Facts, request: pytest.FixtureRequest) -> None:
    report = examine(seen, Profile(), load(), discover(), select=AREAS)
    assert not [f for f in report.findings if f.status == "crash"]
    body, _tally = render(report, Style(width=110), seen).rsplit("\n\n", 1)  # the tally changes with every check
    text = f"{body}\n\nexit status {exit_status(report, 'fail')}\n"
    expected = NVML / "reports" / f"{request.node.callspec.params['seen']}.txt"
    if request.config.getoption("--update"):
        expected.write_text(text)
    assert text == expected.read_text()


def test_every_report_is_of_a_machine() -> None:
    assert sorted(path.stem for path in (NVML / "reports").glob("*.txt")) == MACHINES
