"""Texts made to break a reader: numbers without end, entities, depth, bytes that are no text."""

from __future__ import annotations

import json

import pytest

from envkit import facts
from envkit.errors import InputError
from envkit.facts import Facts
from envkit.facts.accelerators import NvidiaGpu
from envkit.readers import dcgmi, nvidia_smi_query, nvidia_smi_table, nvidia_smi_xml, read_all
from envkit.readers._text import number, size, whole

NINES = "9" * 250
QUERY = f"""\
NVSMI LOG
GPU 00000000:0A:00.0
    FB Memory Usage
        Total : {NINES} MiB
        Used : 1 MiB
    Fan Speed : {NINES} %
    Processes
        Process ID : {NINES}
            Type : C
"""
XML = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "&c;&c;">]><nvidia_smi_log>'
    '<gpu id="00000000:0A:00.0"><uuid>&a;</uuid><product_name>A &amp; B</product_name>' + "<a>" * 5000 + "</a>" * 5000
)


def gpu(found: Facts | None) -> NvidiaGpu:
    assert found
    facts.encode(found)
    assert found.nvidia.facts
    (one,) = found.nvidia.facts.gpus or []
    return one


@pytest.mark.parametrize("words", [NINES, f"{NINES} MiB", f"{NINES}.5", f"-{NINES}"])
def test_a_number_without_end_is_none(words: str) -> None:
    assert (size(words), number(words), whole(words)) == (None, None, None)


def test_fields_of_numbers_without_end_are_unreadable() -> None:
    one = gpu(nvidia_smi_query.read(QUERY))
    assert (one.memory_total_bytes, one.memory_used_bytes, one.fan_percent, one.processes) == (
        None,
        1 << 20,
        None,
        None,
    )
    assert set(one.unreadable) == {"memory_total_bytes", "fan_percent"}


def test_a_process_of_a_number_without_end_is_none() -> None:
    table = "|   0  NVIDIA Test   On  | 00000000:0A:00.0 Off |    0 |\n" + f"|    0   {NINES}   C   python   9MiB |\n"
    assert gpu(nvidia_smi_table.read(f"NVIDIA-SMI 1 Driver Version: 5.1\n{table}")).processes is None


def test_entities_are_not_expanded_and_depth_is_no_matter() -> None:
    one = gpu(nvidia_smi_xml.read(XML))
    assert (one.name, one.uuid) == ("A & B", "&a;")


def test_a_diagnostic_of_numbers_without_end_tells_of_no_gpu() -> None:
    result = {"status": "Fail", "gpu_id": NINES, "warning": "x"}
    report = {"DCGM Diagnostic": {"test_categories": [{"tests": [{"name": "Memory", "results": [result]}]}]}}
    found = dcgmi.read(json.dumps(report))
    assert found
    assert found.nvidia.facts
    (test,) = found.nvidia.facts.dcgm_failures or []
    assert (test.name, test.gpu) == ("Memory", None)


@pytest.mark.parametrize(
    "text",
    [
        b"\x00" * 5000 + QUERY.encode(),
        b"\xff\xfe" + QUERY.encode("utf-16-le")[:-1],
        b"\xed\xa0\x80\xf4\x90\x80\x80" + QUERY.encode(),
        ("[" * 100_000 + '{"card0": ' * 1000).encode(),
        b'{"schema": "envkit.facts/1", "sources": ' + b"[" * 5000,
        b'{"gpu": ' + b"9" * 5000 + b"}\n" + QUERY.encode(),
        "".join(f"GPU {n}: NVIDIA \u0661 (UUID: GPU-\u0662\u0663)\n" for n in "\u0661\u0662").encode(),
    ],
    ids=["NUL", "half UTF-16", "surrogates", "brackets", "facts", "digits", "digits of another script"],
)
def test_bytes_that_are_no_text_are_read_or_refused(text: bytes) -> None:
    try:
        facts.encode(read_all(text))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
