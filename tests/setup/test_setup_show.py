from __future__ import annotations

import msgspec

from envkit.formats import Style
from envkit.setup.plan import Plan
from envkit.setup.progress import Phase
from envkit.setup.resolving.pylock import Package
from envkit.setup.show import render_ready

PLAN = Plan(
    profile="lab",
    target="/home/me/my work/.venv",
    building="/home/me/my work/.venv.envkit-new",
    replaces=False,
    python="/usr/bin/python3",
    python_version="3.12.4",
    packages=[
        Package(name="tensorflow-cpu", version="2.21.0"),
        Package(name="torch", version="2.13.0+cpu"),
        Package(name="numpy", version="2.2.6"),
        Package(name="tensorboard", version="2.20.0"),
        Package(name="torchmetrics", version="1.0"),
    ],
    download_bytes=660_000_000,
    disk_bytes=0,
    lock="/home/me/.cache/envkit/pylock.0.toml",
    sources=[],
    steps=[],
)
PHASES = [
    Phase(title="Resolving profile lab", seconds=1.24),
    Phase(title="Installing 5 packages", seconds=95.0, received_bytes=655_000_000),
]


def test_what_there_is_now_how_it_came_about_and_how_to_use_it_is_said() -> None:
    assert (
        render_ready(PLAN, PHASES, proof="judged and proved", style=Style())
        == """\
✓ ready: /home/me/my work/.venv has profile lab, judged and proved, 1:36 min
  holds     tensorflow-cpu 2.21.0, torch 2.13.0+cpu, 5 packages in all, 655 MB received
  python    3.12.4
  took         1.2 s  Resolving profile lab
            1:35 min  Installing 5 packages
  activate  source '/home/me/my work/.venv/bin/activate'       (bash, zsh)
            source '/home/me/my work/.venv/bin/activate.fish'  (fish)
"""
    )


def test_where_there_was_one_before_the_way_back_is_said() -> None:
    plan = msgspec.structs.replace(PLAN, target="/opt/env", replaces=True)
    lines = render_ready(plan, PHASES[:1], proof="judged", style=Style()).splitlines()
    assert lines[1].endswith(", nothing downloaded")
    assert lines[-2:] == [
        "  before    /opt/env.previous",
        "  go back   envkit setup --rollback --venv /opt/env",
    ]


def test_a_profile_without_a_framework_has_packages_all_the_same() -> None:
    plan = msgspec.structs.replace(PLAN, packages=PLAN.packages[2:3])
    assert "  holds     1 package in all, " in render_ready(plan, PHASES, proof="installed", style=Style())


def test_colours_are_for_terminals_only() -> None:
    assert "\x1b" not in render_ready(PLAN, PHASES, proof="judged", style=Style())
    assert "\x1b[1mready: " in render_ready(PLAN, PHASES, proof="judged", style=Style(colour=True))
