"""`envkit checks list | show`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envkit.checks import discover
from envkit.findings import AREAS

Envkit = Callable[..., Any]


def test_list_has_every_check_once_under_its_area(envkit: Envkit) -> None:
    ran = envkit("checks", "list")
    assert (ran.status, ran.err) == (0, "")
    listed: dict[str, str] = {}
    area = ""
    for line in ran.out.splitlines():
        if line in AREAS:
            area = line
        elif line.startswith("  "):
            listed[line.split()[0]] = area
    assert listed == {check.id: check.area for check in discover().values()}
    assert ran.out.endswith(f"{len(listed)} checks\n")
    assert len(listed) >= 40


def test_show_says_what_a_check_finds_reads_and_how_to_silence_it(envkit: Envkit) -> None:
    ran = envkit("checks", "show", "torch-trains-on-cpu")
    assert (ran.status, ran.err) == (0, "")
    assert ran.first_line == "torch-trains-on-cpu  (frameworks)"
    assert "reads:" in ran.out
    assert "nvidia-gpu-missing" in ran.out
    assert "envkit doctor --ignore torch-trains-on-cpu" in ran.out


def test_show_gives_thresholds_with_their_values(envkit: Envkit) -> None:
    name = next(check.id for check in discover().values() if check.thresholds)
    assert "threshold:" in envkit("checks", "show", name).out


def test_an_unknown_check_names_the_nearest(envkit: Envkit) -> None:
    ran = envkit("checks", "show", "disk-lo")
    assert (ran.status, ran.out) == (2, "")
    assert ran.error() == "no check is called 'disk-lo', did you mean 'disk-low'?"


def test_without_a_word_it_shows_its_help(envkit: Envkit) -> None:
    ran = envkit("checks")
    assert ran.status == 2
    assert "list" in ran.out + ran.err
    assert "show" in ran.out + ran.err
