"""`envkit setup` without a profile, for a machine that is not here, and options that do not go together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]

GPU = """
description: A little profile for GPUs.
requires: {{python: '>=3.10', accelerator: nvidia, driver: '>={driver}', cuda: '{cuda}'}}
packages: [alpha==1.0]
options:
  more: {{packages: [beta==2.0]}}
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    folder = tmp_path / "here" / "profiles"
    folder.mkdir(parents=True)
    (folder / "old.yaml").write_text(GPU.format(driver="525", cuda="12.8"))
    (folder / "new.yaml").write_text(GPU.format(driver="580", cuda="13.0"))
    return folder


def test_the_best_profile_is_chosen_and_a_line_says_why_not_the_others(envkit: Envkit, world: dict[str, str]) -> None:
    ran = envkit("setup", "--dry-run", env=world)
    assert ran.status == 1, "no source has torch here"
    assert ran.first_line == "✓ Profile cpu: trains PyTorch and TensorFlow on the CPU; there is no accelerator"
    assert "  cuda12:             needs an NVIDIA GPU, there is none\n" in ran.out


@pytest.mark.usefixtures("profiles")
def test_a_machine_that_is_assumed_is_remembered(envkit: Envkit, world: dict[str, str], tmp_path: Path) -> None:
    assume = ("--assume", "driver=570,gpu=H100", "--with", "more")
    ran = envkit("setup", *assume, env=world)
    assert ran.status == 0, ran.err
    assert ran.first_line.startswith("✓ Profile old: ")
    assert "  new:                needs driver >= 580, this is 570\n" in ran.out
    made = json.loads((tmp_path / "here/.venv/envkit.json").read_text())
    assert made["assumptions"] == {"driver": "570", "cc": "9.0", "gpu": "H100"}
    assert (made["profile"], made["added"], made["verdict"]) == ("old", ["more"], "judged")
    ran = envkit("setup", "--profile", "new", *assume, env=world)
    assert ran.status == 1
    assert "new" in ran.first_line
    assert "Nothing was changed." in ran.out


@pytest.mark.usefixtures("profiles")
def test_a_profile_for_gpus_is_never_built_for_the_cpu_in_silence(envkit: Envkit, world: dict[str, str]) -> None:
    ran = envkit("setup", "--profile", "old", env=world)
    assert ran.status == 1
    assert "there is no NVIDIA GPU, which profile old needs" in ran.first_line


def test_an_option_that_no_profile_has_is_refused(envkit: Envkit) -> None:
    ran = envkit("setup", "--with", "jaxx")
    assert ran.status == 2
    assert ran.error().startswith("--with jaxx: the profile has no such option, did you mean jax?")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rollback", "--into", "x"), "--rollback does not go with --into"),
        (("--into", "x", "--venv", "y"), "--into does not go with --venv"),
        (("--download", "x", "--wheelhouse", "y"), "--download does not go with --wheelhouse"),
        (("--into", "x"), "--into needs a profile: envkit setup --into ... --profile NAME"),
        (("--assume", "driver=x"), "--assume: driver=x is no version of an NVIDIA driver, such as 570 or 570.124.06"),
        (("--extras", "flash-atn", "--profile", "cuda12", "--assume", "gpu=H100"), None),
    ],
)
def test_what_does_not_go_together_is_refused(envkit: Envkit, options: tuple[str, ...], message: str | None) -> None:
    ran = envkit("setup", *options)
    assert ran.status == 2
    if message:
        assert ran.error() == message
    else:
        assert "flash-atn is not known, did you mean 'flash-attn'?" in ran.err
