"""Facts as files: what is read, and what is refused in one line."""

from __future__ import annotations

import pytest

from envkit.errors import InputError
from envkit.facts import Facts, decode, encode, ok
from envkit.facts.machine import Memory

FACTS = Facts(envkit="0.1.0", memory=ok(Memory(memory_total_bytes=1, cgroup_limit_bytes="unlimited")))


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_however_a_shell_wrote_it(codec: str) -> None:
    assert decode(encode(FACTS).encode(codec), "x") == FACTS


def test_what_a_newer_envkit_adds_is_passed_over() -> None:
    text = encode(FACTS).replace('"memory_total_bytes": 1,', '"memory_total_bytes": 1, "memory_colour": "red",')
    assert decode(text, "x") == FACTS


def test_a_section_that_is_left_out_was_not_asked() -> None:
    facts = decode('{"schema": "envkit.facts/1"}', "x")
    assert (facts.nvidia.outcome, facts.nvidia.why) == ("unknown", "not asked")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x: not JSON"),
        ("[1, 2", "x: not JSON"),
        ("[]", "x: schema is None"),
        ('{"schema": "envkit.facts/2"}', "x: schema is 'envkit.facts/2', expected 'envkit.facts/1'"),
        (
            '{"schema": "envkit.facts/1", "cpu": {"outcome": "ok", "facts": {"cores": "many"}}}',
            "x: Expected `int | null`, got `str` - at `$.cpu.facts.cores`",
        ),
        (b"\xff\xfe\x00", "x: not JSON"),
        (b"\x80\x81", "x: not JSON"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str | bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(text, "x")
    assert caught.value.message.startswith(said)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("section", ['{"outcome": "ok"}', '{"outcome": "absent", "facts": {"cores": 2}}'])
def test_an_outcome_that_its_facts_contradict_is_refused(section: str) -> None:
    with pytest.raises(InputError, match="section cpu is"):
        decode(f'{{"schema": "envkit.facts/1", "cpu": {section}}}', "x")


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(InputError, match="not JSON"):
        decode("[" * 100_000, "x")
