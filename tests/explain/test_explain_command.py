"""`envkit explain`: texts in, an explanation and an exit status out; and bad input of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from envkit.cli.explain import explanation, read
from envkit.errors import InputError
from envkit.knowledge import Knowledge

OLD_DRIVER = (
    "Traceback (most recent call last):\n"
    "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver\n"
)


def ran(*arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "envkit", "explain", *arguments]
    environ = {**os.environ, "COLUMNS": "120"}
    return subprocess.run(command, input=text, capture_output=True, check=False, env=environ)


def document(text: str) -> Any:
    done = ran("-", "--format", "json", text=text.encode())
    return json.loads(done.stdout)


def test_the_cause_its_line_and_the_remedy_are_printed(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(OLD_DRIVER)
    done = ran(str(tmp_path / "log"))
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert lines[0].startswith("✗ The NVIDIA driver is older than the CUDA")
    assert lines[1].startswith("    line 2: RuntimeError: The NVIDIA driver on your system is too old")
    assert any(line.lstrip().startswith("→ ") for line in lines)


def test_json_has_the_schema_and_what_the_text_shows() -> None:
    said = document(OLD_DRIVER)
    assert (said["schema"], said["status"]) == ("envkit.explanation/1", "known")
    cause = said["causes"][0]
    assert cause["cause"] == "driver-too-old-for-cuda"
    assert cause["confidence"] > 0.9
    assert cause["evidence"][0]["line"] == 2
    assert cause["remedy"]["text"]
    assert cause["remedy"]["commands"]


def test_what_is_not_known_says_so_and_what_to_send() -> None:
    done = ran("-", text=b"the model has trained well\n")
    assert done.returncode == 3
    assert done.stdout.decode().startswith("? not known")
    assert "collect_env" in done.stdout.decode()


def test_top_limits_the_causes() -> None:
    text = OLD_DRIVER + "\nOSError: [Errno 28] No space left on device\n"
    assert len(document(text)["causes"]) == 2
    assert len(json.loads(ran("-", "-f", "json", "--top", "1", text=text.encode()).stdout)["causes"]) == 1


def test_pasted_facts_are_judged() -> None:
    table = (
        "$ pip freeze\ntorch==1.6.0\n\n$ nvidia-smi\n+---------------------------------------------------+\n"
        "| NVIDIA-SMI 418.87.01    Driver Version: 418.87.01    CUDA Version: 10.1     |\n"
        "|-------------------------------+----------------------+----------------------+\n"
    )
    found = explanation(table, Knowledge())
    assert [cause.cause for cause in found.causes] == ["driver-too-old-for-cuda"]
    assert found.causes[0].evidence[0].line == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b" \n\n", "is empty"), (bytes(range(256)) * 40, "is no text"), (b"\0" * 1000, "is no text")],
)
def test_what_is_no_text_is_bad_input(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(str(tmp_path / "log"))
    assert ran("-", text=content).returncode == 2


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    done = ran(str(tmp_path / "none"))
    assert done.returncode == 2
    assert b"No such file" in done.stderr
    assert ran(str(tmp_path)).returncode == 2


def test_bytes_that_are_no_utf8_do_not_hide_the_error(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"caf\xe9 \xff\n" + OLD_DRIVER.encode())
    (tmp_path / "wide").write_text(OLD_DRIVER, encoding="utf-16")
    for name in ("log", "wide"):
        found = explanation(read(str(tmp_path / name)), Knowledge())
        assert found.causes[0].cause == "driver-too-old-for-cuda"


def test_of_a_huge_file_the_end_is_read_and_lines_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envkit.cli.explain.LARGEST", 2)
    with (tmp_path / "log").open("w") as stream:
        stream.writelines(f"step {n} of many, nothing to see\n" for n in range(200_000))
        stream.write(OLD_DRIVER)
    text = read(str(tmp_path / "log"))
    assert len(text) < 3_000_000
    assert explanation(text, Knowledge()).causes[0].evidence[0].line == 200_002


def test_a_log_of_20_mb_is_read_in_seconds_and_little_memory() -> None:
    text = "".join(f"step {n} loss 0.{n} CUDA memory {n} GiB error rate 0.{n}\n" for n in range(380_000)) + OLD_DRIVER
    assert len(text) > 20_000_000
    started = time.process_time()
    tracemalloc.start()
    found = explanation(text, Knowledge())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.causes[0].cause == "driver-too-old-for-cuda"
    assert time.process_time() - started < 30
    assert peak < 5 * len(text)


@pytest.mark.parametrize(
    "wide", ["step {n} loss 0.{n} error rate\n", "{n:x} CUDA error {n} in lib{n:o}.so at 0x{n:x}\n"]
)
def test_a_log_takes_time_in_proportion_to_its_size(wide: str) -> None:
    knowledge = Knowledge()
    explanation("warm", knowledge)

    def seconds(megabytes: int) -> float:
        line = wide.format(n=123456)
        text = "".join(wide.format(n=n * 7919) for n in range(megabytes * 1_000_000 // len(line)))
        started = time.process_time()
        explanation(text, knowledge)
        return time.process_time() - started

    assert seconds(8) < 12 * max(seconds(2), 0.05)


def test_an_option_that_needs_the_machine_says_so() -> None:
    done = ran("-", "--python", "python3", text=OLD_DRIVER.encode())
    assert done.returncode == 2
    assert b"--here" in done.stderr


def test_here_asks_this_machine() -> None:
    done = ran("-", "--here", "--format", "json", text=b"OSError: [Errno 28] No space left on device\n")
    cause = json.loads(done.stdout)["causes"][0]
    assert cause["cause"] == "disk-full"
    assert cause["supported_by"] or cause["contradicted_by"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    done = ran("-", text=b"OSError: [Errno 28] No space left on device \x9b31m \x07\n")
    assert "\x9b" not in done.stdout.decode()
    assert "\x07" not in done.stdout.decode()
