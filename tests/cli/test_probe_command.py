"""`envkit probe`: facts as JSON, redacted unless asked otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from envkit.facts import SECTIONS

Envkit = Callable[..., Any]


def test_every_section_has_an_outcome_and_its_seconds(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("probe", "--python", cpu_stack)
    assert (ran.status, ran.err) == (0, "")
    facts = ran.json
    assert facts["schema"] == "envkit.facts/1"
    assert set(facts) == {"schema", "envkit", "taken_at", "sources", *SECTIONS}
    for name in SECTIONS:
        section = facts[name]
        assert section["outcome"] in {"ok", "absent", "unknown"}
        assert section["seconds"] >= 0
        assert (section["facts"] is not None) == (section["outcome"] == "ok")
        assert section["outcome"] == "ok" or section["why"]
    assert facts["torch_deep"]["why"] == "not asked"


def test_deep_imports_the_frameworks_and_lists_what_was_mapped(envkit: Envkit, cpu_stack: Path) -> None:
    deep = envkit("probe", "--python", cpu_stack, "--deep").json
    torch, tensorflow = deep["torch_deep"]["facts"], deep["tensorflow_deep"]["facts"]
    assert (torch["imported"], tensorflow["imported"]) == (True, True)
    assert torch["version"] == deep["torch"]["facts"]["version"]
    assert any(device["kind"] == "cpu" for device in tensorflow["devices"])
    assert any("libstdc++" in path for path in torch["libraries"])


def test_the_home_folder_is_left_out_unless_asked_for(envkit: Envkit, tmp_path: Path) -> None:
    home = tmp_path / "home-of-ada"
    home.mkdir()
    environ = {"HOME": str(home), "LD_LIBRARY_PATH": f"{home}/lib"}
    shared = envkit("probe", env=environ)
    assert "home-of-ada" not in shared.out
    assert shared.json["python"]["facts"]["environment"]["LD_LIBRARY_PATH"] == "~/lib"
    assert f"{home}/lib" in envkit("probe", "--unredacted", env=environ).out
