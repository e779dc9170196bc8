"""The container engine of a host, from trees of files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from envkit.facts.machine import ContainerEngine
from envkit.probes import container_engine, files

SPEC = "kind: nvidia.com/gpu\ndevices:\n- name: '0'\n- name: all\n"
CONTAINERD = """\
version = 2
imports = ["/etc/containerd/conf.d/*.toml", "/etc/containerd/more.toml"]
[plugins."io.containerd.grpc.v1.cri"]
  # enable_cdi = false
  enable_cdi = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = true
"""
DROP_IN = """\
version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = 'nvidia'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nvidia.options]
  BinaryName = '/usr/bin/nvidia-container-runtime'
  SystemdCgroup = true
"""


def write(root: Path, texts: dict[str, str]) -> Path:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def observe(root: Path) -> ContainerEngine:
    facts = container_engine.observe(str(root)).facts
    assert facts is not None
    return facts


def docker(root: Path, daemon: Any = None, **texts: str) -> ContainerEngine:
    write(root, {"usr/bin/dockerd": "", **texts})
    if daemon is not None:
        write(root, {"etc/docker/daemon.json": daemon if isinstance(daemon, str) else json.dumps(daemon)})
    return observe(root)


def test_without_an_engine_the_section_is_absent(tmp_path: Path) -> None:
    section = container_engine.observe(str(write(tmp_path, {"etc/cdi/nvidia.yaml": SPEC})))
    assert (section.outcome, section.why.partition(" in ")[0]) == (
        "absent",
        "none of dockerd, containerd, crio, podman",
    )


def test_docker_that_is_not_configured_has_runc_alone(tmp_path: Path) -> None:
    assert docker(tmp_path) == ContainerEngine(
        name="docker", runtimes=["runc"], cdi_devices=[], cdi_specs=[], nvidia_toolkit=False, nvidia_hook=False
    )


def test_docker_s_configuration_tells(tmp_path: Path) -> None:
    daemon = {
        "default-runtime": "nvidia",
        "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}},
        "exec-opts": ["native.cgroupdriver=systemd"],
        "features": {"cdi": True},
        "storage-driver": "overlay2",
    }
    toolkit = {"usr/bin/nvidia-ctk": "", "usr/bin/nvidia-container-runtime-hook": ""}
    mode = {"etc/nvidia-container-runtime/config.toml": '#mode = "cdi"\n[nvidia-container-runtime]\nmode = "auto"\n'}
    (tmp_path / "usr/lib64").mkdir(parents=True)
    (tmp_path / "usr/lib64/libnvidia-container.so.1").symlink_to("libnvidia-container.so.1.17.8")
    assert docker(tmp_path, daemon, **toolkit, **mode) == ContainerEngine(
        name="docker",
        runtimes=["nvidia", "runc"],
        default_runtime="nvidia",
        cdi_devices=[],
        cdi_enabled=True,
        cdi_specs=[],
        cgroup_driver="systemd",
        storage_driver="overlay2",
        nvidia_toolkit=True,
        nvidia_toolkit_version="1.17.8",
        nvidia_hook=True,
        nvidia_runtime_mode="auto",
    )


@pytest.mark.parametrize(
    "daemon",
    ["", "{", "[]", '{"runtimes": 3, "exec-opts": 4, "features": 5}', "[" * 99_999, '{"runtimes": ["nvidia"]}'],
)
def test_a_configuration_that_is_none_leaves_it_unknown(tmp_path: Path, daemon: str) -> None:
    told = docker(tmp_path, daemon)
    assert (told.runtimes, told.cgroup_driver, told.cdi_enabled) == (None, None, None)


def test_containerd_is_told_by_its_file_and_what_that_imports(tmp_path: Path) -> None:
    configured = {"usr/bin/containerd": "", "etc/containerd/config.toml": CONTAINERD}
    told = observe(write(tmp_path, configured))
    assert (told.name, told.runtimes, told.default_runtime) == ("containerd", ["runc"], "runc")
    assert (told.cdi_enabled, told.cgroup_driver) == (True, "systemd")
    told = observe(
        write(tmp_path, {"etc/containerd/conf.d/99-nvidia.toml": DROP_IN, "etc/containerd/conf.d/x.old": "?"})
    )
    assert (told.runtimes, told.default_runtime, told.cgroup_driver) == (["nvidia", "runc"], "nvidia", "systemd")
    mixed = {"etc/containerd/more.toml": "  SystemdCgroup = false\n  enable_cdi = false\n"}
    told = observe(write(tmp_path, mixed))
    assert (told.cgroup_driver, told.cdi_enabled) == (None, False)


def test_containerd_imports_its_folder_by_default(tmp_path: Path) -> None:
    texts = {
        "usr/bin/containerd": "",
        "etc/containerd/config.toml": "",
        "etc/containerd/conf.d/99-nvidia.toml": DROP_IN,
    }
    assert observe(write(tmp_path, texts)).runtimes == ["nvidia", "runc"]


def test_podman_has_hooks_and_lists_and_no_runtimes(tmp_path: Path) -> None:
    told = observe(write(tmp_path, {"usr/bin/podman": "", "etc/cdi/nvidia.yaml": SPEC}))
    assert (told.name, told.runtimes, told.nvidia_hook) == ("podman", None, False)
    assert told.cdi_devices == ["nvidia.com/gpu=0", "nvidia.com/gpu=all"]
    hook = {"usr/share/containers/oci/hooks.d/oci-nvidia-hook.json": "{}"}
    assert observe(write(tmp_path, hook)).nvidia_hook is True


def test_device_nodes_want_links_by_their_numbers(tmp_path: Path) -> None:
    try:
        (tmp_path / "dev").mkdir()
        for minor, name in ((0, "nvidia0"), (1, "nvidia1"), (255, "nvidiactl")):
            os.mknod(tmp_path / "dev" / name, 0o20666, os.makedev(195, minor))
    except OSError:
        pytest.skip("may not make device nodes")
    assert docker(tmp_path).device_links_missing is None, "nobody makes such links here"
    write(tmp_path, {"dev/char/195:0": "", "dev/char/1:3": ""})
    assert observe(tmp_path).device_links_missing == ["/dev/nvidia1", "/dev/nvidiactl"]


def test_a_huge_configuration_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, {"etc/docker/daemon.json": ""})
    with (tmp_path / "etc/docker/daemon.json").open("wb") as file:
        file.truncate(files.LIMIT_BYTES + 1)
    assert docker(tmp_path).runtimes is None


def test_elsewhere_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert container_engine.observe().outcome == "absent"
