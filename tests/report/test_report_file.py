"""What `envkit report` leaves behind where it cannot be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from envkit.cli.report import _check, _write
from envkit.errors import InputError


def test_a_report_is_for_its_user_alone_and_takes_any_path_that_linux_does(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    _write(str(file), "PYTHONPATH=/data/\udcff\n")  # as Python reads a byte that is no UTF-8
    assert file.read_text() == "PYTHONPATH=/data/?\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_on_a_full_disk_no_half_of_a_report_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int, *_: Any, **__: Any) -> None:
        os.write(number, b"# envkit")
        os.close(number)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(InputError, match="No space left"):
        _write(str(tmp_path / "report.md"), "text")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("mine")
    (tmp_path / "link.md").symlink_to("nowhere")
    for place, reason in (
        (tmp_path, "a folder"),
        (tmp_path / "there.md", "exists already"),
        (tmp_path / "link.md", "exists already"),
        (tmp_path / "missing/x.md", "there is no folder"),
    ):
        with pytest.raises(InputError, match=reason):
            _check(str(place))
