"""Lines come bare of what surrounds them, with their own numbers, and joined where they were wrapped."""

from __future__ import annotations

import pytest

from envkit.explain.lines import LONGEST, Line, clean, lines_of


def texts(text: str) -> list[str]:
    return [line.text.strip() for line in lines_of(text)]


@pytest.mark.parametrize(
    "raw",
    [
        "ImportError: libx.so.1",
        "\x1b[31mImportError: libx.so.1\x1b[0m",
        "> ImportError: libx.so.1",
        "> > [rank0]: ImportError: libx.so.1",
        "[1,0]<stderr>: ImportError: libx.so.1",
        "2025-04-05 00:01:19 ImportError: libx.so.1",
        "[2025-04-05 00:01:19 TP0] ImportError: libx.so.1",
        "ERROR 2025-04-05T00:01:19.209510Z ImportError: libx.so.1",
        "(RayWorkerWrapper pid=123, ip=10.0.0.1) ImportError: libx.so.1",
        "#12 1.717 ImportError: libx.so.1",
        "1.717 ImportError: libx.so.1",
    ],
)
def test_what_loggers_launchers_and_mail_put_before_a_line_is_taken_off(raw: str) -> None:
    assert clean(raw).strip() == "ImportError: libx.so.1"


def test_html_entities_are_resolved() -> None:
    assert clean("expected &lt;cuda&gt; &amp; found &quot;cpu&quot;") == 'expected <cuda> & found "cpu"'


def test_a_line_that_is_nothing_but_a_time_stays() -> None:
    assert clean("2025-04-05 00:01:19 ") == "2025-04-05 00:01:19 "


def test_numbers_count_line_feeds_only() -> None:
    lines = list(lines_of("one\u2028still one\ntwo\rtwo again\r\n\nfour"))
    assert [(line.number, line.text) for line in lines] == [
        (1, "one\u2028still one"),
        (2, "two"),
        (2, "two again"),
        (4, "four"),
    ]


def test_an_error_that_was_wrapped_is_also_there_in_one_piece() -> None:
    joined = [
        line
        for line in lines_of("x\nImportError: /usr/lib/a/b/c/libx.so: undefined \n symbol: _ZN3c10\n")
        if line.joined
    ]
    assert joined == [
        Line(2, "ImportError: /usr/lib/a/b/c/libx.so: undefined symbol: _ZN3c10", "error", joined=True),
    ]


def test_nothing_is_joined_over_an_empty_line_or_into_a_traceback() -> None:
    error = "RuntimeError: something that is long enough"
    assert not any(line.joined for line in lines_of(f"{error}\n\nmore"))
    assert not any("File" in line.text for line in lines_of(f'{error}\n  File "x.py", line 1\n    y()') if line.joined)


def test_a_long_line_is_read_in_overlapping_pieces() -> None:
    line = "x" * (LONGEST + 100) + " needle " + "y" * LONGEST
    pieces = list(lines_of(f"first\n{line}\nlast"))
    assert all(len(piece.text) <= LONGEST for piece in pieces)
    assert any(" needle " in piece.text for piece in pieces)
    assert {piece.number for piece in pieces} == {1, 2, 3}


def test_a_line_that_repeats_with_other_numbers_is_read_some_times_only() -> None:
    log = "".join(f"step {i} loss 0.{i}\n" for i in range(100_000))
    lines = list(lines_of(f"{log}RuntimeError: it broke\n"))
    assert len(lines) < 2000
    assert lines[-1] == Line(100_001, "RuntimeError: it broke", "error")


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("RuntimeError: CUDA error: unknown error", "error"),
        ("docker: Error response from daemon: no", "error"),
        ("UserWarning: CUDA initialization: no driver", "warning"),
        ("W tensorflow/stream_executor/dso_loader.cc:64] Could not load library", "warning"),
        ("    raise RuntimeError('no GPU')", "code"),
        ("----> 4 from fastai.vision import *", "code"),
        ("I would like to train this model on the second card", "prose"),
        ("I have already tried to reinstall the driver, it did not help", "doubted"),
        ("I get the error ModuleNotFoundError: No module named 'x' when I start it", "error"),
        ("F tensorflow/statusor.cc:34] Attempting to fetch value instead of handling it: bad memory", "error"),
        ("libc 2.31", "other"),
    ],
)
def test_each_line_has_its_role(text: str, role: str) -> None:
    assert next(iter(lines_of(text))).role == role


def test_what_pytorch_adds_to_every_error_is_no_evidence() -> None:
    advice = "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."
    text = f"RuntimeError: CUDA error: unspecified launch failure\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\n{advice}"
    assert [line.text for line in lines_of(text)] == ["RuntimeError: CUDA error: unspecified launch failure"]


def test_a_manual_tells_of_no_fault_until_it_ends() -> None:
    manual = 'List of valid properties to query for the switch "--query-gpu":\n\n"ecc"\nA double bit ECC error.\n'
    assert [line.text for line in lines_of(manual + "$ nvidia-smi\nNo devices were found")] == [
        "$ nvidia-smi",
        "No devices were found",
    ]


def test_the_line_below_a_frame_is_code() -> None:
    roles = [
        line.role for line in lines_of('  File "a.py", line 3, in f\n    check("no CUDA error here")\nValueError: x')
    ]
    assert roles == ["other", "code", "error"]
