"""The section `python`, of environments made here and of a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envkit import harness, target
from envkit.facts.software import Python


def observe(python: Path | str = sys.executable, cwd: Path | None = None, **env: str) -> dict[str, Any]:
    child = harness.run(
        [str(python), "-"],
        stdin=target.program(["python"]),
        deadline_seconds=30,
        cwd=str(cwd) if cwd else None,
        env={**os.environ, **env},
    )
    assert child.succeeded, child.stderr
    (record,) = child.records
    assert record["outcome"] == "ok", record["why"]
    found = record["facts"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An empty virtual environment; its site-packages holds nothing."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", tmp_path / "env"], check=True)
    return tmp_path / "env"


def site_packages(environment: Path) -> Path:
    return next(environment.glob("lib/python3*/site-packages"))


def install(site: Path, name: str, version: str) -> None:
    (site / f"{name}-{version}.dist-info").mkdir(parents=True)
    (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n\n")


def test_every_field_is_one_of_the_contract_and_the_rest_is_filled_in_by_capture() -> None:
    found = observe()
    known = {field.name for field in msgspec.structs.fields(Python)}
    assert set(found) == known - {"started_with_noise", "found_by", "looked_into", "packages_complete"}
    msgspec.convert(found, Python)


def test_a_virtual_environment_is_told_from_its_base(venv: Path) -> None:
    found = observe(venv / "bin/python")
    assert found["executable"] == str(venv / "bin/python")
    assert found["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["virtual_environment"] is True
    assert found["externally_managed"] is False
    assert found["prefix"] == str(venv)
    assert found["base_prefix"] == sys.base_prefix
    assert found["site_packages"] == [str(site_packages(venv))]
    assert found["packages"] == []
    assert found["user_site_enabled"] is False
    assert (found["bits"], found["free_threaded"], found["conda"]) == (64, False, False)


def test_a_conda_environment_is_told_by_its_folder(venv: Path) -> None:
    (venv / "conda-meta").mkdir()
    assert observe(venv / "bin/python")["conda"] is True


def test_two_versions_in_one_folder_are_duplicates(venv: Path) -> None:
    for version in ("1.26.4", "2.2.6"):
        install(site_packages(venv), "numpy", version)
    found = observe(venv / "bin/python")
    assert found["duplicates"] == {"numpy": ["1.26.4", "2.2.6"]}
    assert [package["name"] for package in found["packages"]] == ["numpy", "numpy"]


def test_what_interrupted_installers_left_is_no_package(venv: Path) -> None:
    site = site_packages(venv)
    install(site, "numpy", "2.2.6")
    for name in ("~orch", "~orch-2.9.dist-info", "numpy-1.26.4.dist-info", "alone-1.0.dist-info"):
        (site / name).mkdir()
    found = observe(venv / "bin/python")
    left = ("~orch", "~orch-2.9.dist-info", "numpy-1.26.4.dist-info")
    assert found["leftovers"] == [str(site / name) for name in left]
    assert [package["metadata"] for package in found["packages"]] == ["alone-1.0.dist-info", "numpy-2.2.6.dist-info"]
    assert found["duplicates"] == {}


def test_an_egg_info_beside_a_dist_info_is_no_duplicate(venv: Path) -> None:
    install(site_packages(venv), "numpy", "2.2.6")
    (site_packages(venv) / "numpy-2.2.6.egg-info").write_text("Name: numpy\nVersion: 2.2.6\n")
    found = observe(venv / "bin/python")
    assert found["duplicates"] == {}
    assert [package["name"] for package in found["packages"]] == ["numpy"]


def test_packages_only_in_the_user_site_are_named(tmp_path: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}"
    user = tmp_path / f"lib/python3.{sys.version_info[1]}/site-packages"
    install(user, "torch", "2.9")
    found = observe(base, PYTHONUSERBASE=str(tmp_path), PYTHONNOUSERSITE="")
    assert found["user_site_enabled"] is True
    assert found["user_site_packages"] == ["torch"]
    without = observe(base, PYTHONUSERBASE=str(tmp_path), PYTHONNOUSERSITE="1")
    assert (without["user_site_enabled"], without["user_site_packages"]) == (False, [])


def test_only_the_listed_variables_are_recorded() -> None:
    found = observe(SECRET_TOKEN="x", CUDA_VISIBLE_DEVICES="0", PYTHONPATH="/nowhere")["environment"]
    assert found["CUDA_VISIBLE_DEVICES"] == "0"
    assert found["PYTHONPATH"] == "/nowhere"
    assert not {"SECRET_TOKEN", "PATH", "HOME"} & set(found)


def test_files_that_shadow_frameworks_are_found_in_the_working_directory_and_on_pythonpath(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "torch").mkdir(parents=True)
    (here / "torch" / "__init__.py").touch()
    (here / "keras").mkdir()  # a folder without __init__.py does not win over an installed package
    there.mkdir()
    (there / "numpy.py").touch()
    found = observe(cwd=here, PYTHONPATH=str(there))
    assert found["shadowed"] == {"torch": str(here / "torch/__init__.py"), "numpy": str(there / "numpy.py")}


def test_a_folder_of_installed_packages_on_pythonpath_shadows_nothing(tmp_path: Path) -> None:
    install(tmp_path, "torch", "2.9")
    (tmp_path / "torch.py").touch()
    assert observe(PYTHONPATH=str(tmp_path))["shadowed"] == {}


def test_a_working_directory_that_was_removed_is_survived(tmp_path: Path) -> None:
    script = f'd=$(mktemp -d -p "{tmp_path}"); cd "$d"; rmdir "$d"; exec "{sys.executable}" -'
    child = harness.run(["/bin/sh", "-c", script], stdin=target.program(["python"]), deadline_seconds=30)
    assert [record["outcome"] for record in child.records] == ["ok"]


def test_the_compiler_is_the_one_of_cc_or_the_first_on_path(tmp_path: Path) -> None:
    for name in ("gcc", "mycc"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "cc").write_text("not executable")
    assert observe(PATH=str(tmp_path), CC="")["compiler"] == str(tmp_path / "gcc")
    assert observe(PATH=str(tmp_path), CC="mycc -m64")["compiler"] == str(tmp_path / "mycc")
    assert observe(PATH=str(tmp_path), CC=str(tmp_path / "mycc"))["compiler"] == str(tmp_path / "mycc")
    assert observe(PATH="/nonexistent", CC="")["compiler"] is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_site_packages_that_cannot_be_written_are_told(venv: Path) -> None:
    site_packages(venv).chmod(0o555)
    assert observe(venv / "bin/python")["site_packages_writable"] is False


def test_a_real_environment_is_whole(cpu_stack: Path) -> None:
    found = observe(cpu_stack)
    packages = {package["name"]: package for package in found["packages"]}
    assert {"torch", "numpy", "keras"} <= set(packages)
    assert packages["torch"]["files_missing"] == []
    assert packages["torch"]["tags"]
    assert packages["torch"]["requires_python"]
    assert "numpy" in " ".join(packages["keras"]["requires"])
    assert found["duplicates"] == {}
    assert found["collisions"] == []
    assert found["site_packages_writable"] is not None
