"""Installed distributions, from folders made here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envkit.target import distributions


def install(site: Path, folder: str, metadata: str | None = "", **files: str) -> Path:
    path = site / folder
    path.mkdir(parents=True)
    if metadata is not None:
        (path / "METADATA").write_text(metadata)
    for name, text in files.items():
        (path / name.replace("_json", ".json")).write_text(text)
    return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def test_everything_a_wheel_says_is_read(site: Path) -> None:
    metadata = (
        "Metadata-Version: 2.1\nName: My_Package\nVersion: 1.2\nLicense: long\n        Name: folded\n\n"
        "Version: 9 in the description\n"
    )
    metadata = metadata.replace(
        "License", "Requires-Dist: numpy>=1\nRequires-Dist: six\nRequires-Python: >=3.8\nLicense"
    )
    install(
        site, "my_package-1.2.dist-info", metadata, INSTALLER="uv\n", WHEEL="Tag: py3-none-any\nTag: py2-none-any\n"
    )
    assert distributions.read(str(site), "my_package-1.2.dist-info") == {
        "name": "my-package",
        "version": "1.2",
        "location": str(site),
        "installer": "uv",
        "requires": ["numpy>=1", "six"],
        "requires_python": ">=3.8",
        "tags": ["py3-none-any", "py2-none-any"],
        "metadata": "my_package-1.2.dist-info",
        "direct": False,
        "editable": False,
        "record": False,
    }


def test_without_metadata_the_version_is_unknown_and_the_folder_names_it(site: Path) -> None:
    install(site, "torch-2.9.1+cpu.dist-info", None)
    package = distributions.read(str(site), "torch-2.9.1+cpu.dist-info")
    assert (package["name"], package["version"], package["installer"]) == ("torch", None, None)
    found = distributions.find("torch")
    assert found is not None
    assert found["version"] == "2.9.1+cpu"


def test_an_editable_install_is_told(site: Path) -> None:
    install(site, "a-1.dist-info", direct_url_json='{"url": "file:///src", "dir_info": {"editable": true}}')
    install(site, "b-1.dist-info", direct_url_json='{"url": "file:///src", "dir_info": {}}')
    assert distributions.read(str(site), "a-1.dist-info")["editable"] is True
    assert distributions.read(str(site), "b-1.dist-info")["editable"] is False


def test_old_egg_info_is_read_as_folder_and_as_file(site: Path) -> None:
    (site / "old-1.0-py3.8.egg-info").mkdir()
    (site / "old-1.0-py3.8.egg-info" / "PKG-INFO").write_text("Name: old\nVersion: 1.0\n")
    (site / "older-0.9.egg-info").write_text("Name: older\nVersion: 0.9\n")
    versions = {
        name: distributions.read(where, metadata)["version"] for name, where, metadata in distributions.listing()
    }
    assert versions == {"old": "1.0", "older": "0.9"}


def test_what_pip_is_about_to_remove_is_not_installed(site: Path) -> None:
    install(site, "~orch-2.0.dist-info")
    assert list(distributions.listing()) == []


def test_the_first_on_the_path_and_the_first_name_asked_for_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, version in (("first", "1"), ("second", "2")):
        install(tmp_path / place, f"torch-{version}.dist-info", f"Name: torch\nVersion: {version}\n")
    install(tmp_path / "second", "jax-3.dist-info", "Name: jax\nVersion: 3\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / p) for p in ("gone", "first", "second", "first")])
    found = [distributions.find("torch"), distributions.find("absent", "jax", "torch"), distributions.find("absent")]
    assert [package and package["version"] for package in found] == ["1", "3", None]
    assert distributions.starting_with("to", "ja") == {"torch": "1", "jax": "3"}


def test_pins_are_the_requirements_by_two_equal_signs() -> None:
    requires = [
        "nvidia-cudnn-cu12==9.10.2.21; platform_system == 'Linux'",
        "triton (==3.1.0)",
        "cuda-toolkit[cublas,cudart]==13.0.2",
        "numpy>=1.26",
        "filelock",
    ]
    assert distributions.pins(requires) == {
        "nvidia-cudnn-cu12": "9.10.2.21",
        "triton": "3.1.0",
        "cuda-toolkit": "13.0.2",
    }
