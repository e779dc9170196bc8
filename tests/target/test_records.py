"""RECORD against the files: torn installations and collisions, in folders made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envkit.target import records


def install(site: Path, name: str, files: dict[str, str], record: str = "") -> tuple[str, dict[str, Any]]:
    """A distribution with these files; `record`: further lines of its RECORD."""
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    metadata = f"{name}-1.0.dist-info"
    (site / metadata).mkdir(exist_ok=True)
    lines = [f"{path},sha256=x,{len(text)}" for path, text in files.items()]
    (site / metadata / "RECORD").write_text("\n".join([*lines, f"{metadata}/RECORD,,", record]))
    return metadata, {"name": name, "location": str(site)}


def test_a_whole_installation_misses_nothing(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "site-packages"
    one = install(site, "torch", {"torch/__init__.py": "", "torch/lib/libtorch.so": "x", "../../bin/torchrun": "x"})
    assert records.examine([one]) == []
    assert one[1]["files_missing"] == []
    assert one[1]["files_missing_count"] == 0


def test_files_folders_and_scripts_that_are_gone_are_listed(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "site-packages"
    record = "torch/gone/a.py,,\ntorch/gone.py,,\n../../bin/torchrun,,\ntorch/__pycache__/x.cpython-311.pyc,,\n"
    one = install(site, "torch", {"torch/__init__.py": ""}, record)
    records.examine([one])
    assert one[1]["files_missing"] == ["../../bin/torchrun", "torch/gone.py", "torch/gone/a.py"]


def test_only_the_first_missing_files_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    one = install(tmp_path, "torch", {}, "\n".join(f"torch/{number:03}.py,," for number in range(50)))
    records.examine([one])
    assert one[1]["files_missing"] == [f"torch/{number:03}.py" for number in range(20)]
    assert one[1]["files_missing_count"] == 50


def test_a_path_with_a_comma_or_a_quote_is_found(tmp_path: Path) -> None:
    (tmp_path / "a,b.py").touch()
    (tmp_path / 'a"b.py').touch()
    one = install(tmp_path, "torch", {}, '"a,b.py",sha256=x,0\n"a""b.py",sha256=x,0\n')
    records.examine([one])
    assert one[1]["files_missing"] == []


@pytest.mark.parametrize("name", ["requests", "torch"])
def test_what_is_not_examined_stays_unknown(tmp_path: Path, name: str) -> None:
    one = install(tmp_path, name, {}, "gone.py,,\n")
    if name == "torch":
        (tmp_path / "torch-1.0.dist-info" / "RECORD").unlink()
    records.examine([one])
    assert "files_missing" not in one[1]


def test_a_slow_file_system_ends_the_examination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PATIENCE_SECONDS", -1.0)
    one = install(tmp_path, "torch", {}, "gone.py,,\n")
    records.examine([one])
    assert "files_missing" not in one[1]


def test_two_distributions_that_own_the_same_files_collide(tmp_path: Path) -> None:
    shared = {"tensorflow/__init__.py": "x", "tensorflow/core.so": "x", "../bin/saved_model_cli": "x"}
    one = install(tmp_path / "site", "tensorflow", shared)
    two = install(tmp_path / "site", "tensorflow-cpu", shared)
    assert records.examine([one, two]) == [
        {"packages": ["tensorflow", "tensorflow-cpu"], "example": "tensorflow/__init__.py", "count": 2}
    ]


def test_empty_package_files_caches_and_two_folders_do_not_collide(tmp_path: Path) -> None:
    shared = {"nvidia/__init__.py": "", "nvidia/__pycache__/__init__.cpython-311.pyc": "x"}
    one = install(tmp_path / "a", "nvidia-cudnn-cu12", shared)
    two = install(tmp_path / "a", "nvidia-cublas-cu12", shared)
    three = install(tmp_path / "a", "torch", {"torch/x.py": "x"})
    elsewhere = install(tmp_path / "b", "torch-nightly", {"torch/x.py": "x"})
    assert records.examine([one, two, three, elsewhere]) == []


def test_a_distribution_installed_twice_does_not_collide_with_itself(tmp_path: Path) -> None:
    one = install(tmp_path, "torch", {"torch/x.py": "x"})
    assert records.examine([one, (one[0], dict(one[1]))]) == []
