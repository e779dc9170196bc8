"""deploy/kubernetes, against the schemas of the Kubernetes API and against envkit's own command line."""

from __future__ import annotations

import copy
import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer.main
import yaml

from envkit.checks import discover
from envkit.cli._common import DEADLINE_SECONDS
from envkit.cli.doctor import app as doctor
from envkit.cli.smoke import app as smoke
from envkit.doctor import examine
from envkit.facts import decode
from envkit.knowledge import load
from envkit.profile import available
from envkit.profile import load as load_profile

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = {path.stem: path for path in sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))}
VERSIONS = kubernetes_validate.utils.all_versions()[-6:]  # about two years
COMMANDS = {"doctor": typer.main.get_command(doctor), "smoke": typer.main.get_command(smoke)}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def read(name: str) -> dict[str, Any]:
    (manifest,) = yaml.safe_load_all(MANIFESTS[name].read_text())
    return manifest


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["template"]["spec"]


def commands(text: str) -> list[list[str]]:
    """The envkit commands in a shell script or a unit file, without "envkit"."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = re.findall(r"(?:^|[\s/=])envkit ((?:doctor|smoke)\b[^\n'&;]*)", joined, re.MULTILINE)
    return [shlex.split(command) for command in found]


def of_pod(name: str) -> list[list[str]]:
    containers = pod(read(name))["containers"]
    probes = [c[probe]["exec"]["command"] for c in containers for probe in PROBES if "exec" in c.get(probe, {})]
    return [*commands("\n".join(c["command"][-1] for c in containers if "command" in c)), *(p[1:] for p in probes)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_api_knows_every_field(name: str, version: str) -> None:
    kubernetes_validate.validate(read(name), version, strict=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("periodSeconds", "10"), ("timeoutSecond", 20), ("exec", {"command": "envkit doctor"})],
)
def test_a_mistake_in_a_probe_is_noticed(field: str, value: object) -> None:
    wrong = copy.deepcopy(read("probes"))
    pod(wrong)["containers"][0]["startupProbe"][field] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", MANIFESTS)
def test_no_container_is_root_can_become_it_or_writes_into_its_image(name: str) -> None:
    spec = pod(read(name))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001  # the Dockerfile's user
    assert "USER 10001" in (ROOT / "Dockerfile").read_text()
    assert spec["automountServiceAccountToken"] is False
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    for container in spec["containers"]:
        confined = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["securityContext"] == confined
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", ["smoke-job", "probes"])
def test_a_gpu_is_asked_for_alike_as_request_and_limit(name: str) -> None:
    (container,) = pod(read(name))["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["resources"]["requests"]["nvidia.com/gpu"] == "1"


def test_the_daemonset_takes_no_gpu_from_the_scheduler() -> None:
    assert "nvidia.com/gpu" not in str([c["resources"] for c in pod(read("doctor-daemonset"))["containers"]])


def test_a_probe_waits_longer_than_the_doctor_it_asks() -> None:
    (container,) = pod(read("probes"))["containers"]
    for probe in PROBES:
        assert container[probe]["exec"]["command"][:2] == ["envkit", "doctor"]
        assert container[probe]["timeoutSeconds"] > DEADLINE_SECONDS


def test_every_command_in_a_manifest_or_a_unit_is_one_that_envkit_understands() -> None:
    units = "\n".join(unit.read_text() for unit in (ROOT / "deploy" / "prometheus").glob("*.service"))
    started = "\n".join(re.findall(r"^ExecStart=.*$", units, re.MULTILINE))
    found = [*commands(started), *(command for name in MANIFESTS for command in of_pod(name))]
    assert len(found) == 8, found
    for name, *options in found:
        context = COMMANDS[name].make_context(name, list(options))
        assert context.params["profile"] in {"", *(found.name for found in available())}


def test_the_daemonset_does_not_call_a_pod_healthy_that_was_given_no_gpu() -> None:
    ((_, *options),) = of_pod("doctor-daemonset")
    asked = COMMANDS["doctor"].make_context("doctor", list(options)).params
    chosen = {key: [part for text in asked[key] for part in text.split(",")] for key in ("select", "ignore")}
    for machine, status in (("container-without-gpu", "unhealthy"), ("pod-with-4-of-8-gpus", "healthy")):
        facts = decode((ROOT / "tests" / "machines" / machine / "facts.json").read_text(), machine)
        report = examine(facts, load_profile(asked["profile"]), load(), discover(), **chosen)
        assert report.status == status
