"""Lists of devices for containers (CDI), as NVIDIA's toolkit writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from envkit.facts.cluster import CdiSpec
from envkit.probes import cdi

LIBCUDA = "usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15"
HOOK = "usr/bin/nvidia-cdi-hook"
SPEC = """\
---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  hooks:
  - args:
    - nvidia-cdi-hook
    - update-ldcache
    - --folder
    - /usr/lib/x86_64-linux-gnu
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
    options:
    - ro
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/dri/card1
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
"""
LISTED = ("dev/nvidiactl", "dev/nvidia0", "dev/dri/card1", LIBCUDA, HOOK)
IN_FORCE = CdiSpec(
    path="/etc/cdi/nvidia.yaml",
    kind="nvidia.com/gpu",
    devices=["0", "all"],
    driver_version="550.54.15",
    device_nodes=["/dev/nvidia0"],
)


def write(root: Path, texts: dict[str, str]) -> Path:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize("form", ["yaml", "json", "json in one line"])
def test_a_list_of_devices_is_read_in_each_form(tmp_path: Path, form: str) -> None:
    yaml = pytest.importorskip("yaml")
    ending = form.partition(" ")[0]
    text = SPEC if form == "yaml" else json.dumps(yaml.safe_load(SPEC), indent=None if "line" in form else 2)
    write(tmp_path, {f"etc/cdi/nvidia.{ending}": text, **dict.fromkeys(LISTED, "")})
    (spec,) = cdi.specs(str(tmp_path)) or []
    assert spec == replace(IN_FORCE, path=f"/etc/cdi/nvidia.{ending}")


def test_what_a_list_names_and_is_gone_is_counted(tmp_path: Path) -> None:
    texts = {"etc/cdi/nvidia.yaml": SPEC, **dict.fromkeys(LISTED[:2], "")}
    (spec,) = cdi.specs(str(write(tmp_path, texts))) or []
    assert spec.files_missing == [f"/{LIBCUDA}", f"/{HOOK}", "/dev/dri/card1"]
    assert spec.files_missing_count == 3


def test_device_nodes_that_are_called_otherwise_on_the_host_are_looked_for_there(tmp_path: Path) -> None:
    node = "    - path: /dev/nvidia0\n"
    text = SPEC.replace(node, "    - hostPath: /run/driver/dev/nvidia0\n      path: /dev/nvidia0\n")
    texts = {"etc/cdi/nvidia.yaml": text, "run/driver/dev/nvidia0": "", LIBCUDA: "", HOOK: ""}
    (spec,) = cdi.specs(str(write(tmp_path, texts))) or []
    assert (spec.files_missing, spec.device_nodes) == ([], ["/dev/nvidia0"])


def test_lists_of_other_things_are_left_alone(tmp_path: Path) -> None:
    others = {
        "etc/cdi/net.yaml": SPEC.replace("nvidia.com/gpu", "vendor.com/net"),
        "etc/cdi/claim.json": '{"kind": "k8s.gpu.nvidia.com/claim"}',
        "etc/cdi/nvidia.yml": SPEC,  # CDI reads .yaml and .json
        "var/run/cdi/plugin.json": '{"kind": "k8s.device-plugin.nvidia.com/gpu", "devices": [{"name": "GPU-1a"}]}',
    }
    found = cdi.specs(str(write(tmp_path, others))) or []
    assert [(spec.kind, spec.devices) for spec in found] == [("k8s.device-plugin.nvidia.com/gpu", ["GPU-1a"])]


def test_a_list_that_cannot_be_read_leaves_them_unknown(tmp_path: Path) -> None:
    (tmp_path / "etc/cdi/nvidia.yaml").mkdir(parents=True)
    assert cdi.specs(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("content", "specs"),
    [
        (b"", []),
        (b"\xff\0\x80" * 999, []),
        (b"kind: nvidia.com/gpu\n", [CdiSpec(path="/etc/cdi/nvidia.yaml", kind="nvidia.com/gpu")]),
        (b"kind: nvidia.com/gpu\n" + b"- path: /dev/x\n" * 100_000, None),
    ],
    ids=["empty", "binary", "short", "long"],
)
def test_a_list_of_garbage_is_survived(tmp_path: Path, content: bytes, specs: list[CdiSpec] | None) -> None:
    write(tmp_path, {"etc/cdi/nvidia.yaml": ""})
    (tmp_path / "etc/cdi/nvidia.yaml").write_bytes(content)
    assert cdi.specs(str(tmp_path)) == specs


def test_what_may_not_be_looked_at_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(root: str, path: str) -> Path:
        raise PermissionError(path)

    write(tmp_path, {"etc/cdi/nvidia.yaml": SPEC})
    monkeypatch.setattr(cdi, "locate", closed)
    (spec,) = cdi.specs(str(tmp_path)) or []
    assert spec.files_missing == []


def test_without_either_folder_there_are_none(tmp_path: Path) -> None:
    assert cdi.specs(str(tmp_path)) == []


def test_the_folder_that_wins_comes_last(tmp_path: Path) -> None:
    texts = {"var/run/cdi/nvidia.yaml": SPEC, "etc/cdi/b.yaml": SPEC, "etc/cdi/a.json": SPEC}
    found = cdi.specs(str(write(tmp_path, texts))) or []
    assert [spec.path for spec in found] == ["/etc/cdi/a.json", "/etc/cdi/b.yaml", "/var/run/cdi/nvidia.yaml"]
