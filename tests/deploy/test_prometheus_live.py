"""The real Prometheus, promtool and node_exporter read what envkit writes and what deploy/prometheus has."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.heavy

MACHINES = Path(__file__).parents[1] / "machines"
DOCTOR = (sys.executable, "-m", "envkit", "doctor", "--format", "prometheus")


def doctor(machine: str, *options: str) -> str:
    facts = MACHINES / machine / "facts.json"
    ran = subprocess.run([*DOCTOR, "--facts", str(facts), *options], capture_output=True, text=True, check=False)
    assert ran.returncode in {0, 1, 3}, ran.stderr
    return ran.stdout


def promtool(binaries: Path, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([binaries / "promtool", *argv], input=stdin, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", sorted(path.name for path in MACHINES.iterdir() if path.is_dir()))
def test_promtool_has_nothing_to_say_of_the_metrics(binaries: Path, name: str) -> None:
    ran = promtool(binaries, "check", "metrics", stdin=doctor(name))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_promtool_passes_the_alerts_and_their_tests(binaries: Path, deploy: Path) -> None:
    checked = promtool(binaries, "check", "rules", "--lint-fatal", str(deploy / "prometheus" / "alerts.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool(binaries, "test", "rules", str(deploy / "prometheus" / "alerts_test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", range(12))
def test_the_alerts_tests_fail_where_an_alert_never_fires(
    binaries: Path, deploy: Path, tmp_path: Path, alert: int
) -> None:
    groups = yaml.safe_load((deploy / "prometheus" / "alerts.yml").read_text())
    rules = groups["groups"][0]["rules"]
    assert len(rules) == 12
    rules[alert]["expr"] = f"({rules[alert]['expr']}) and vector(0) == 1"
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(groups))
    (tmp_path / "alerts_test.yml").write_text((deploy / "prometheus" / "alerts_test.yml").read_text())
    assert promtool(binaries, "test", "rules", str(tmp_path / "alerts_test.yml")).returncode != 0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Stack:
    """A Prometheus that scrapes a node_exporter that reads a folder, each second."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        exporter, server = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.api, self.file = f"http://{server}/api/v1", folder / "textfiles" / "envkit.prom"
        self.file.parent.mkdir()
        scrape = {"job_name": "node", "static_configs": [{"targets": [exporter]}]}
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        collect = ("--collector.disable-defaults", "--collector.textfile")
        textfiles = f"--collector.textfile.directory={self.file.parent}"
        store = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
        self.children = [
            self._start(binaries / "prometheus-node-exporter", *collect, textfiles, f"--web.listen-address={exporter}"),
            self._start(binaries / "prometheus", *store, f"--web.listen-address={server}"),
        ]

    @staticmethod
    def _start(*argv: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression now; an expression that is refused is an error."""
        asked = f"{self.api}/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def until(self, expression: str, seconds: float = 30) -> list[dict[str, Any]]:
        """Its samples as soon as there are any."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := self.query(expression):
                    return found
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise
            except OSError:
                pass  # it is not up yet
            time.sleep(0.3)
        raise AssertionError(f"never true in {seconds} s: {expression}")

    def stop(self) -> None:
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(20)


@pytest.fixture(scope="module")
def stack(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(binaries, tmp_path_factory.mktemp("stack"))
    yield running
    running.stop()


def test_all_series_of_eight_gpus_are_ingested(stack: Stack) -> None:
    doctor("h100x8-one-gpu-lost", "--output", str(stack.file))
    written = [line for line in stack.file.read_text().split("\n") if line and not line.startswith("#")]
    assert 200 < len(written) <= 400
    stack.until(f'count({{__name__=~"envkit_.+"}}) == {len(written)}')
    assert stack.query("node_textfile_scrape_error")[0]["value"][1] == "0"
    (lost,) = stack.query("envkit_gpu_up == 0")
    assert lost["metric"]["gpu"] == "3"


def test_a_check_that_passes_again_leaves_no_failure(stack: Stack) -> None:
    doctor("h100x8-one-gpu-lost", "--output", str(stack.file))
    stack.until('envkit_check_status{check="gpu-lost"} == 2')
    doctor("h100x8", "--output", str(stack.file))
    stack.until('envkit_check_status{check="gpu-lost"} == 0')
    assert stack.query("envkit_check_status > 0") == []
    assert stack.query("envkit_verdict")[0]["value"][1] == "0"
    assert stack.query("envkit_gpus < max_over_time(envkit_gpus[1d])") == []


def test_a_file_that_cannot_be_read_is_told_by_the_metric_that_the_alert_asks(stack: Stack) -> None:
    broken = stack.file.with_name("broken.prom")
    broken.write_text("envkit_verdict 0 1795680864000\n")  # node_exporter takes no timestamps
    stack.until("node_textfile_scrape_error == 1")
    broken.unlink()
    stack.until("node_textfile_scrape_error == 0")


def test_every_panel_and_every_alert_is_understood(stack: Stack, deploy: Path) -> None:
    doctor("h100x8", "--output", str(stack.file))
    stack.until("envkit_info")
    dashboard = json.loads((deploy / "prometheus" / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((deploy / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
    for expression in [*asked, *(rule["expr"] for rule in rules)]:
        stack.query(re.sub(r"\$instance\b", ".*", expression))
    shown = [e for e in asked if stack.query(e.replace("$instance", ".*"))]
    assert len(shown) >= 12, "panels that show something of a healthy machine"


GRAFANA = """
import json, sys
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
plugins.register_default_plugins()
print(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(json.load(sys.stdin))))
"""


def test_the_dashboard_has_nothing_that_grafanas_schema_does_not_know(deploy: Path) -> None:
    """Grafana's own types drop what they do not know: read and written again, all must still be there."""
    text = (deploy / "prometheus" / "dashboard.json").read_text()
    sdk = "grafana-foundation-sdk==1769699998!10.1.0"
    argv = [
        sys.executable,
        "-m",
        "uv",
        "run",
        "--no-project",
        "--python",
        sys.executable,
        "--with",
        sdk,
        "python",
        "-c",
        GRAFANA,
    ]
    ran = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert not list(dropped(json.loads(text), json.loads(ran.stdout)))


def dropped(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from dropped(value, kept[key], f"{path}.{key}") if key in kept else (f"{path}.{key}",)
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, pair in enumerate(zip(given, kept, strict=True)):
            yield from dropped(*pair, f"{path}[{index}]")
    elif given != kept:
        yield f"{path}: {given!r} became {kept!r}"
