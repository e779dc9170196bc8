"""deploy/prometheus speaks of what envkit writes: without Prometheus, by reading the files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from envkit.checks import discover
from envkit.formats.prometheus import METRICS

FOREIGN: dict[str, set[str]] = {  # node_exporter's and kube-state-metrics'
    "node_textfile_scrape_error": set(),
    "node_systemd_unit_state": {"name", "state"},
    "kube_job_status_failed": {"job_name"},
}
METRIC = re.compile(r"\b((?:envkit|node|kube)_\w+)(?:\{([^}]*)\})?")  # with its matchers
TARGET = {"instance", "job"}  # labels that Prometheus itself adds


def rules(deploy: Path) -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((deploy / "prometheus" / "alerts.yml").read_text())["groups"]
    return group["rules"]


def panels(deploy: Path) -> list[dict[str, Any]]:
    return json.loads((deploy / "prometheus" / "dashboard.json").read_text())["panels"]


def expressions(deploy: Path) -> list[str]:
    return [r["expr"] for r in rules(deploy)] + [t["expr"] for panel in panels(deploy) for t in panel["targets"]]


def test_only_metrics_and_labels_that_exist_are_asked_for(deploy: Path) -> None:
    labels_of = {name: set(metric.labels) for name, metric in METRICS.items()} | FOREIGN
    for expression in expressions(deploy):
        found = METRIC.findall(expression)
        assert found, expression
        for metric, matchers in found:
            assert metric in labels_of, f"{metric} is not written: {expression}"
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= labels_of[metric] | TARGET, expression


def test_only_checks_that_exist_are_asked_for(deploy: Path) -> None:
    named = [p for e in expressions(deploy) for p in re.findall(r'check=~?"([^"]+)"', e)]
    assert len(named) >= 3
    for alternative in "|".join(named).split("|"):
        assert any(re.fullmatch(alternative, check) for check in discover()), alternative


def test_every_alert_waits_has_a_severity_and_says_what_to_do(deploy: Path) -> None:
    for rule in rules(deploy):
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"]
        assert "for" in rule or rule["alert"] == "EnvkitSmokeFailed", "one bad run must not wake anybody"


def test_every_alert_has_a_test(deploy: Path) -> None:
    tests = (deploy / "prometheus" / "alerts_test.yml").read_text()
    assert [r["alert"] for r in rules(deploy) if r["alert"] not in tests] == []


def test_panels_have_ids_of_their_own_and_do_not_lie_upon_each_other(deploy: Path) -> None:
    ids = [panel["id"] for panel in panels(deploy)]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels(deploy)):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_panel_asks_the_data_source_that_was_chosen(deploy: Path) -> None:
    for panel in panels(deploy):
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_understands_the_units(deploy: Path, tmp_path: Path) -> None:
    program = shutil.which("true")
    for unit in (deploy / "prometheus").glob("envkit-*"):
        # The program of the example is not here, and systemd says so of any that is not.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/envkit/bin/envkit", str(program)))
    units = sorted(str(unit) for unit in tmp_path.iterdir())
    assert len(units) == 3
    ran = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
