"""Google TPUs in trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.probes import tpu


def machine(root: Path, *, class_id: str, nodes: tuple[str, ...] = ()) -> str:
    """A machine with one Google PCI device of a class, and files under /dev."""
    device = root / "sys/bus/pci/devices/0000:00:05.0"
    device.mkdir(parents=True)
    for name, text in {"vendor": "0x1ae0", "device": "0x0063", "subsystem_device": "0x0077", "class": class_id}.items():
        (device / name).write_text(text + "\n")
    for node in nodes:
        (root / "dev" / node).parent.mkdir(parents=True, exist_ok=True)
        (root / "dev" / node).touch()
    return str(root)


@pytest.mark.parametrize("class_id", ["0xff0000", "0x120000"])
def test_a_tpu_is_told_with_its_device_nodes(tmp_path: Path, class_id: str) -> None:
    section = tpu.observe(
        machine(tmp_path, class_id=class_id, nodes=("accel0", "vfio/0", "vfio/vfio", "accel/accel0x"))
    )
    assert section.outcome == "ok"
    assert section.facts is not None
    (chip,) = section.facts.pci_devices or []
    assert (chip.device_id, chip.subsystem_id) == ("0063", "0077")
    assert [node.path for node in section.facts.device_nodes] == ["/dev/accel0", "/dev/vfio/0"]
    assert section.facts.environment == {}


def test_a_tpu_that_was_not_handed_in_is_seen_on_the_bus(tmp_path: Path) -> None:
    section = tpu.observe(machine(tmp_path, class_id="0xff0000"))
    assert section.facts is not None
    assert section.facts.device_nodes == []


@pytest.mark.parametrize("class_id", ["0x020000", "0x010802"])
def test_googles_virtual_network_card_and_disk_are_no_tpu_nor_is_vfio(tmp_path: Path, class_id: str) -> None:
    section = tpu.observe(machine(tmp_path, class_id=class_id, nodes=("vfio/0",)))
    assert section.outcome == "absent"
    assert section.why == "none of 1 PCI devices is a TPU (vendor 1ae0), no /dev/accel*"


def test_a_device_node_tells_a_tpu_where_sysfs_is_hidden(tmp_path: Path) -> None:
    assert tpu.observe(str(tmp_path)).outcome == "unknown"
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/accel3").touch()
    assert tpu.observe(str(tmp_path)).outcome == "ok"


def test_of_the_environment_only_the_slices_variables_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPU_ACCELERATOR_TYPE", "v5litepod-8")
    monkeypatch.setenv("TPU_NAME", "secret")
    monkeypatch.setenv("TPU_LIBRARY_PATH", str(tmp_path / "libtpu.so"))
    (tmp_path / "libtpu.so").touch()
    described = tpu._environment("/")
    assert described["TPU_ACCELERATOR_TYPE"] == "v5litepod-8"
    assert "TPU_NAME" not in described
    assert tpu._libtpu("/") == str(tmp_path / "libtpu.so")
