"""`envkit report`: a file to attach to an issue."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]
FILE = "envkit-report.md"


def test_a_report_is_written_for_this_user_alone_and_judged_as_the_machine_is(
    envkit: Envkit, bare: Path, tmp_path: Path
) -> None:
    home = {"HOME": str(bare.parent), "USER": "kovalevskaya", "XLA_FLAGS": "--xla_dump_to=/home/kovalevskaya/x"}
    ran = envkit("report", "--no-smoke", "--python", bare, env=home)
    assert (ran.status, ran.err) == (0, "")
    assert ran.first_line.startswith(f"{FILE}: cannot train")
    assert "Nothing was sent anywhere." in ran.out
    file = tmp_path / "here" / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert "kovalevskaya" not in text
    assert str(bare) not in text
    assert "~/env/bin/python" in text
    assert "/home/<user-1>/x" in text
    here = envkit("doctor", "--python", bare, "--format", "json", env=home)
    there = envkit("doctor", "--from", file, "--format", "json", env=home)
    assert (here.status, here.err) == (there.status, there.err)
    assert here.json["status"] == there.json["status"]
    failed = [{f["check"] for f in ran.json["findings"] if f["status"] == "fail"} for ran in (here, there)]
    assert failed[0] == failed[1] != set()


def test_a_file_that_is_there_stays_as_it_is(envkit: Envkit, bare: Path, tmp_path: Path) -> None:
    file = tmp_path / "here" / FILE
    file.write_text("mine")
    ran = envkit("report", "--no-smoke", "--python", bare)
    assert (ran.status, ran.out, ran.error()) == (2, "", f"{FILE} exists already")
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")
    assert envkit("report", "--no-smoke", "--python", bare).status == 2
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("output", [".", "none/x.md", "/proc/x.md"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_looked_at(envkit: Envkit, output: str) -> None:
    ran = envkit("report", "--output", output)
    assert (ran.status, ran.out) == (2, "")
    assert ran.error().startswith(f"--output {output}: ")


def test_it_goes_to_stdout_where_that_is_asked(envkit: Envkit, bare: Path, tmp_path: Path) -> None:
    ran = envkit("report", "--no-smoke", "--python", bare, "--output", "-", "--profile", "cpu")
    assert (ran.status, ran.first_line) == (0, "# envkit report: unhealthy")
    assert "`envkit doctor --from FILE --profile cpu`" in ran.out
    assert not (tmp_path / "here" / FILE).exists()
    again = envkit("doctor", "--from", "-", "--profile", "cpu", stdin=ran.out)
    assert again.status == 1


def test_without_a_framework_smoke_says_that_nothing_was_trained(envkit: Envkit, bare: Path, tmp_path: Path) -> None:
    assert envkit("report", "--python", bare).status == 0
    text = (tmp_path / "here" / FILE).read_text()
    assert "smoke: nothing was trained" in text


def test_wrong_words_are_wrong_usage(envkit: Envkit, tmp_path: Path) -> None:
    for words in (("--profile", "nosuch"), ("--python", tmp_path / "none"), ("x",)):
        ran = envkit("report", "--no-smoke", *words)
        assert (ran.status, ran.out) == (2, "")
        assert not (tmp_path / "here" / FILE).exists()
