"""Google TPUs in trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.facts.accelerators import Tpu
from envkit.probes import tpu, tpu_metadata


def machine(root: Path, *, class_id: str = "0xff0000", nodes: tuple[str, ...] = (), chips: int = 1) -> str:
    """A machine with Google PCI devices of a class, and files under /dev."""
    for number in range(chips):
        device = root / f"sys/bus/pci/devices/0000:00:{5 + number:02x}.0"
        device.mkdir(parents=True)
        ids = {"vendor": "0x1ae0", "device": "0x0063", "subsystem_device": "0x0077", "class": class_id}
        for name, text in ids.items():
            (device / name).write_text(text + "\n")
    for node in nodes:
        (root / "dev" / node).parent.mkdir(parents=True, exist_ok=True)
        (root / "dev" / node).touch()
    return str(root)


def observed(root: str) -> Tpu:
    section = tpu.observe(root)
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


@pytest.mark.parametrize("class_id", ["0xff0000", "0x120000"])
def test_a_tpu_is_told_with_its_device_nodes(tmp_path: Path, class_id: str) -> None:
    facts = observed(machine(tmp_path, class_id=class_id, nodes=("accel0", "vfio/0", "vfio/vfio", "accel/accel0x")))
    (chip,) = facts.pci_devices or []
    assert (chip.device_id, chip.subsystem_id) == ("0063", "0077")
    assert [node.path for node in facts.device_nodes] == ["/dev/accel0", "/dev/vfio/0"]
    assert facts.environment == {}
    assert (facts.metadata, facts.metadata_error) == (None, None)


def test_of_vfio_only_the_groups_of_the_chips_count_where_they_can_be_told(tmp_path: Path) -> None:
    root = machine(tmp_path, nodes=("vfio/0", "vfio/7", "vfio/12"), chips=2)
    for number, group in ((5, 7), (6, 12)):
        link = tmp_path / f"sys/bus/pci/devices/0000:00:{number:02x}.0/iommu_group"
        link.symlink_to(f"../../../kernel/iommu_groups/{group}")
    assert [node.path for node in observed(root).device_nodes] == ["/dev/vfio/12", "/dev/vfio/7"]


def test_a_tpu_that_was_not_handed_in_is_seen_on_the_bus(tmp_path: Path) -> None:
    assert observed(machine(tmp_path)).device_nodes == []


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


@pytest.mark.parametrize(
    ("chips", "hosts", "arranged"),
    [
        ("2,2,1", "1,1,4", "2x2x4"),
        ("2,2,1", "1,1,1", "2x2x1"),
        ("2,4", "4,1", "8x4"),
        ("2,2,1", None, None),
        ("2,2,1", "1,1", None),
        ("2,x,1", "1,1,1", None),
        ("", "", None),
        ("9" * 40, "9" * 40, None),
    ],
)
def test_a_slice_is_arranged_as_its_bounds_say(chips: str, hosts: str | None, arranged: str | None) -> None:
    assert tpu.topology(chips, hosts) == arranged


def slice_told(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], metadata: dict[str, str] | None) -> Tpu:
    monkeypatch.setattr(tpu_metadata, "ask", lambda _root, _environment: (metadata, None))
    return tpu._with_slice("/", Tpu(environment=environment))


def test_the_slice_is_told_by_variables_then_by_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_WORKER_HOSTNAMES", raising=False)
    metadata = {
        "ACCELERATOR_TYPE": "v4-16",
        "CHIPS_PER_HOST_BOUNDS": "2,2,1",
        "HOST_BOUNDS": "1,1,2",
        "RUNTIME_VERSION": "tpu-ubuntu2204-base",
    }
    told = slice_told(monkeypatch, {}, metadata)
    assert (told.accelerator_type, told.topology, told.hosts) == ("v4-16", "2x2x2", 2)
    assert told.runtime_version == "tpu-ubuntu2204-base"
    told = slice_told(monkeypatch, {"TPU_TOPOLOGY": "4x4", "TPU_ACCELERATOR_TYPE": "v6e-16"}, metadata)
    assert (told.accelerator_type, told.topology) == ("v6e-16", "4x4")


def test_hosts_are_counted_and_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "secret-0,secret-1,secret-2")
    told = slice_told(monkeypatch, {}, None)
    assert told.hosts == 3
    assert "secret" not in str(told)


def test_a_slice_of_which_nothing_is_told_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_WORKER_HOSTNAMES", raising=False)
    told = slice_told(monkeypatch, {}, None)
    assert (told.accelerator_type, told.topology, told.hosts, told.runtime_version) == (None, None, None, None)
