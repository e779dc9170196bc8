"""The table of accelerators that are not NVIDIA's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from envkit.facts.accelerators import PciDevice
from envkit.knowledge import Knowledge
from envkit.versions import release, satisfies

TABLE = Knowledge().accelerators
FACTS = Path(__file__).parents[2] / "../shared/facts"


@pytest.mark.parametrize(
    ("device", "subsystem", "name", "devices"),
    [
        ("0027", "004e", "TPU v2", 2),
        ("0027", "004f", "TPU v3", 2),
        ("005e", None, "TPU v4", 1),
        ("0062", "0000", "TPU v5p", 1),
        ("0063", "0080", "TPU v5e", 1),
        ("006f", None, "TPU v6e", 1),
        ("0076", None, "TPU7x", 2),
    ],
)
def test_a_chip_has_its_generation(device: str, subsystem: str | None, name: str, devices: int) -> None:
    model = TABLE.tpu_model(PciDevice(address="a", vendor_id="1ae0", device_id=device, subsystem_id=subsystem))
    assert model is not None
    assert (model.name, model.devices) == (name, devices)


@pytest.mark.parametrize(("device", "subsystem"), [("0027", None), ("0027", "0001"), ("9999", "004e"), ("", None)])
def test_a_chip_that_no_row_tells_has_none(device: str, subsystem: str | None) -> None:
    assert TABLE.tpu_model(PciDevice(address="a", vendor_id="1ae0", device_id=device, subsystem_id=subsystem)) is None


def test_the_generations_agree_with_what_was_gathered() -> None:
    path = FACTS / "accelerators.yaml"
    if not path.exists():
        pytest.skip("no gathered facts beside the repository")
    gathered = {row["id"].split()[0].removeprefix("TPU"): row for row in yaml.safe_load(path.read_text())["tpu"]}
    models = {model.generation: model for model in TABLE.tpu.values()}
    assert models.keys() == gathered.keys()
    for name, row in gathered.items():
        assert (models[name].memory_gib, models[name].devices) == (row["hbm_gib_per_chip"], row["devices_per_chip"])


def test_libtpu_agrees_with_what_was_gathered_and_every_requirement_can_be_read() -> None:
    assert all(satisfies("0.0.1", specifier) is not None for specifier in TABLE.libtpu.values())
    path = FACTS / "jax.yaml"
    if not path.exists():
        pytest.skip("no gathered facts beside the repository")
    rows = yaml.safe_load(path.read_text())["releases"]
    gathered = {row["version"]: {line.replace(" ", "") for line in row["libtpu"]} for row in rows}
    assert all(f"libtpu{specifier}" in gathered[version] for version, specifier in TABLE.libtpu.items())
    newest = {version for version, lines in gathered.items() if any(line.startswith("libtpu==") for line in lines)}
    assert newest == TABLE.libtpu.keys()


@pytest.mark.parametrize(
    ("torch", "has", "lacks"),
    [
        ("2.8.0+rocm6.4", "gfx1201", "gfx950"),
        ("2.10.0+rocm7.1", "gfx950", "gfx1036"),
        ("2.14.1+rocm7.2", "gfx906", "gfx1031"),
        ("2.14.1+rocm7.14", "gfx942", "gfx906"),
    ],
)
def test_a_rocm_wheel_has_its_architectures(torch: str, has: str, lacks: str) -> None:
    code = TABLE.rocm_code(torch)
    assert code is not None
    assert has in code
    assert lacks not in code


@pytest.mark.parametrize("torch", ["2.14.1", "2.14.1+cu130", "2.9.1+rocm7.2.0.git7e1940d4", "2.6.0+rocm6.1", "", "2"])
def test_of_other_wheels_nothing_is_known(torch: str) -> None:
    assert TABLE.rocm_code(torch) is None


@pytest.mark.parametrize(
    ("torch", "macos"),
    [
        ("1.11.0", None),
        ("1.13.1", "12.3"),
        ("2.7.1", "12.3"),
        ("2.8.0", "13.0"),
        ("2.9", "14.0"),
        ("2.14.1+cpu", "14.0"),
    ],
)
def test_the_gpu_backend_of_apple_needs_a_macos(torch: str, macos: str | None) -> None:
    assert TABLE.mps_macos(torch) == macos
    assert all(release(version) for version in (*TABLE.mps, *TABLE.mps.values()))
