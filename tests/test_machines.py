"""Whole machines: facts in, the report a person would read out. `pytest --update` rewrites; read the difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.checks import discover
from envkit.doctor import examine, exit_status
from envkit.facts import decode, encode
from envkit.formats import Style
from envkit.formats.text import render
from envkit.knowledge import load
from envkit.profile import Profile
from envkit.profile import load as load_profile

MACHINES = sorted((Path(__file__).parent / "machines").glob("*/facts.json"))


@pytest.mark.parametrize("path", MACHINES, ids=[path.parent.name for path in MACHINES])
def test_a_machine_has_the_report_that_was_read_and_agreed(path: Path, request: pytest.FixtureRequest) -> None:
    facts = decode(path.read_text(), str(path))
    for expected in sorted(path.parent.glob("*.txt")):
        name = expected.stem
        profile = Profile() if name == "no-profile" else load_profile(name)
        report = examine(facts, profile, load(), discover())
        assert not [f for f in report.findings if f.status == "crash"]
        body, _tally = render(report, Style(width=110), facts).rsplit("\n\n", 1)  # the tally changes with every check
        text = f"{body}\n\nexit status {exit_status(report, 'fail')}\n"
        if request.config.getoption("--update"):
            expected.write_text(text)
        assert text == expected.read_text()


@pytest.mark.parametrize("path", MACHINES, ids=[path.parent.name for path in MACHINES])
def test_facts_survive_being_written_and_read(path: Path) -> None:
    facts = decode(path.read_text(), str(path))
    assert decode(encode(facts), "again") == facts
