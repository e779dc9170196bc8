"""Scripts that were installed into a copy name the environment whose place it takes."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.setup.mending.duplicate import settle
from envkit.setup.uv import find_uv

LONG = "long " * 40
"""In a path that no #! line can hold, uv has sh execute Python."""


@pytest.mark.parametrize("parent", ["here", LONG])
def test_scripts_run_from_where_the_copy_ends_up(
    tmp_path: Path, parent: str, environ: dict[str, str], make_wheel: Callable[..., Path]
) -> None:
    target, building = (tmp_path / parent / name for name in ("env", "env.envkit-new"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", building], check=True)
    wheel = make_wheel(tmp_path, "where", "1.0")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("where-1.0.dist-info/entry_points.txt", "[console_scripts]\nwhere = where:main\n")
        archive.writestr("where_main.py", "")
    argv = [find_uv(), "pip", "install", "--python", str(building / "bin/python"), "--no-index", str(wheel)]
    subprocess.run(argv, env=environ, check=True, capture_output=True)
    script = building / "bin/where"
    (building / "bin/data").write_text(f"{building}/bin/python")
    assert b"env.envkit-new/bin" in script.read_bytes()
    mode = script.stat().st_mode
    settle(building, target)
    text = script.read_bytes()
    assert b"env.envkit-new" not in text
    assert b"/env/bin/python" in text
    assert script.stat().st_mode == mode
    assert "env.envkit-new" in (building / "bin/data").read_text(), "no script"
    (record,) = building.glob("lib/python*/site-packages/where-1.0.dist-info/RECORD")
    digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
    assert f"../../../bin/where,sha256={digest},{len(text)}\n" in record.read_text()
    building.rename(target)
    (site,) = target.glob("lib/python*/site-packages")
    (site / "where.py").write_text("def main(): import sys; print(sys.prefix)\n")
    ran = subprocess.run([target / "bin/where"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{target}\n"
    shutil.rmtree(target)
