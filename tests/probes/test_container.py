from __future__ import annotations

from pathlib import Path

import pytest

from envkit.facts.machine import Container
from envkit.probes import container

HOST_MOUNT = "93 77 202:1 /var/lib/{} /etc/hosts rw,noatime - ext4 /dev/xvda1 rw\n"
STATUS = "Name:\tpython\nCapEff:\t0000000000000000\nCapBnd:\t{}\n"


def observe(folder: Path, files: dict[str, str]) -> Container | None:
    for path, text in files.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return container.observe(str(folder)).facts


@pytest.mark.parametrize(
    ("files", "runtime"),
    [
        ({"/.dockerenv": ""}, "docker"),
        ({"/run/.containerenv": 'engine="podman-4.3.1"\n'}, "podman"),
        ({"/run/systemd/container": "lxc\n"}, "lxc"),
        ({"/run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn"),
        ({"/run/systemd/container": "oci\n"}, None),
        ({"/.singularity.d/env/01-base.sh": ""}, "singularity"),
        ({"/var/run/secrets/kubernetes.io/serviceaccount/token": "", "/.dockerenv": ""}, "kubernetes"),
        ({"/proc/self/cgroup": "5:memory:/docker/0123456789ab\n"}, "docker"),
        ({"/proc/self/cgroup": "0::/system.slice/docker-1c8fa019edd4.scope\n"}, "docker"),
        ({"/proc/self/cgroup": "0::/machine.slice/libpod-1c8fa019edd4.scope/container\n"}, "podman"),
        ({"/proc/self/cgroup": "0::/lxc.payload.web/init.scope\n"}, "lxc"),
        ({"/proc/self/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1d3d.scope\n"}, "kubernetes"),
        ({"/proc/self/cgroup": "0::/system.slice/cri-containerd-1d3d.scope\n"}, "containerd"),
        ({"/proc/self/mountinfo": HOST_MOUNT.format("docker/containers/3fc9/hosts")}, "docker"),
        ({"/proc/self/mountinfo": HOST_MOUNT.format("kubelet/pods/7a96/etc-hosts")}, "kubernetes"),
    ],
)
def test_a_container_is_told_by_what_its_runtime_leaves(
    tmp_path: Path, files: dict[str, str], runtime: str | None
) -> None:
    facts = observe(tmp_path, files)
    assert facts
    assert facts.evidence
    assert facts.runtime == runtime


def test_all_evidence_is_named(tmp_path: Path) -> None:
    facts = observe(tmp_path, {"/.dockerenv": "", "/proc/self/cgroup": "0::/kubepods/besteffort/pod1/x\n"})
    assert facts
    assert facts.evidence == "/.dockerenv, control group of kubernetes"


@pytest.mark.parametrize(
    "cgroup", ["0::/system.slice/docker.service", "0::/", "0::/user.slice/docker", "4:memory:/system.slice/lxc.service"]
)
def test_a_host_that_runs_containers_is_none(tmp_path: Path, cgroup: str) -> None:
    table = "42 27 0:39 / /var/lib/docker/overlay2/ab/merged rw - overlay overlay rw\n"
    assert observe(tmp_path, {"/proc/self/cgroup": cgroup, "/proc/self/mountinfo": table}) is None
    section = container.observe(str(tmp_path))
    assert section.outcome == "absent"
    assert section.why


@pytest.mark.parametrize(
    ("variable", "runtime"),
    [
        ("KUBERNETES_SERVICE_HOST", "kubernetes"),
        ("APPTAINER_CONTAINER", "singularity"),
        ("SINGULARITY_CONTAINER", "singularity"),
    ],
)
def test_variables_of_this_process_count_on_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, runtime: str
) -> None:
    monkeypatch.setenv(variable, "10.0.0.1")
    facts = container.observe().facts
    assert facts
    assert facts.runtime == runtime
    assert variable in (facts.evidence or "")
    assert container.observe(str(tmp_path)).outcome == "absent"


def test_what_the_nvidia_runtime_was_asked_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("container", "podman")
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "void")
    monkeypatch.setenv("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")
    monkeypatch.setenv("NVIDIA_REQUIRE_CUDA", "")
    facts = container.observe().facts
    assert facts
    assert (facts.nvidia_visible_devices, facts.nvidia_driver_capabilities) == ("void", "compute,utility")
    assert facts.nvidia_require is None


def test_a_variable_that_is_no_text_does_not_break_the_json(monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    monkeypatch.setenv("container", "odd\udcff")
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "\udcff")
    assert b'"outcome":"ok"' in msgspec.json.encode(container.observe())


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"/sys/module/nvidia/version": "570.124.04\n"}, "570.124.04"),
        (
            {"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue\n"},
            "535.54.03",
        ),
        (
            {"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.84  R\n"},
            "595.84",
        ),
        ({"/proc/driver/nvidia/version": "\0garbage"}, None),
        ({}, None),
    ],
)
def test_the_driver_of_the_host_and_the_devices_inside_are_told_apart(
    tmp_path: Path, files: dict[str, str], version: str | None
) -> None:
    nodes = {f"/dev/{name}": "" for name in ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "null")}
    facts = observe(tmp_path, {"/.dockerenv": ""} | files | nodes)
    assert facts
    assert (facts.host_nvidia_driver, facts.nvidia_device_nodes) == (version, 2)


@pytest.mark.parametrize(
    ("bounding", "privileged"),
    [("000001ffffffffff", True), ("00000000a80425fb", False), ("000001fffeffffff", False), ("garbage", None)],
)
def test_a_privileged_container_keeps_all_capabilities(tmp_path: Path, bounding: str, privileged: bool | None) -> None:
    files = {"/.dockerenv": "", "/proc/self/status": STATUS.format(bounding), "/proc/sys/kernel/cap_last_cap": "40\n"}
    facts = observe(tmp_path, files)
    assert facts
    assert facts.privileged is privileged


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    facts = observe(tmp_path, {"/.dockerenv": ""})
    assert facts == Container(runtime="docker", evidence="/.dockerenv")


def test_this_machine_is_described_without_a_crash() -> None:
    section = container.observe()
    assert section.outcome in {"ok", "absent"}
    assert (section.facts is None) == (section.outcome == "absent")
