from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest

from envkit.harness import Child
from envkit.setup.progress import Progress, received_bytes, written_bytes
from envkit.setup.sources import Sources
from envkit.setup.uv import explain


def fake_proc(folder: Path, received: int, written: int) -> None:
    (folder / "7/net").mkdir(parents=True, exist_ok=True)
    head = "Inter-|   Receive\n face |bytes    packets\n"
    (folder / "7/net/dev").write_text(f"{head}    lo: 999 1\n  eth0: {received} 2\neth1:1000 1\n")
    (folder / "7/io").write_text(f"rchar: 5\nwchar: {written}\n")


def test_the_line_counts_what_arrived_since_the_step_began(tmp_path: Path) -> None:
    progress = Progress(io.StringIO(), clock=lambda: 0.0, proc=tmp_path)
    progress.title, progress.download_bytes = "Installing", 4_900_000_000
    fake_proc(tmp_path, 10**9, 0)
    progress.line(7, 0.0)
    fake_proc(tmp_path, 2_200_000_000, 2 * 10**9)
    assert progress.line(7, 42.0) == "Installing · 1.2 of at most 4.9 GB received · 2.0 GB written · 0:42"


def test_what_cannot_be_known_is_left_out(tmp_path: Path) -> None:
    progress = Progress(io.StringIO(), clock=lambda: 0.0, proc=tmp_path)
    progress.title, progress.download_bytes = "Installing", 1
    assert progress.line(7, 61.0) == "Installing · 1:01"
    assert received_bytes(tmp_path / "none") is None
    assert written_bytes(tmp_path / "none") is None


def test_without_a_terminal_a_line_comes_every_ten_seconds(tmp_path: Path) -> None:
    now = [0.0]
    stream = io.StringIO()
    progress = Progress(stream, clock=lambda: now[0], proc=tmp_path)
    progress.begin("Installing")
    for second in range(25):
        now[0] = float(second)
        progress.tick(7)
    assert stream.getvalue() == "Installing\nInstalling · 0:10\nInstalling · 0:20\n"


def test_on_a_terminal_the_line_moves(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        progress = Progress(stream, proc=tmp_path)
        progress.begin("Installing")
        progress.tick(7)
        progress.end()
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal on Linux is EIO
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    assert "Installing · 0:00" in shown.decode()


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("error: Failed to install\n  cause: No space left on device (os error 28)", "disk-full"),
        ("error: x\n  cause: Read-only file system (os error 30)", "read-only"),
        ("error: x\n  cause: Permission denied (os error 13)", "permission"),
        ("error: Hash mismatch for `beta==2.0`", "hash"),
        ("error: Failed to fetch: https://h/\n  cause: invalid peer certificate: UnknownIssuer", "certificate"),
        ("error: Failed to fetch: https://h/\n  cause: tunnel error: failed\n  cause: Connection refused", "proxy"),
        ("error: Failed to fetch: https://h/\n  cause: HTTP status client error (401 Unauthorized)", "login"),
        ("error: Failed to fetch: https://h/\n  cause: dns error\n  cause: failed to lookup address", "network"),
        ("error: something new", "uv"),
    ],
)
def test_an_error_of_uv_becomes_one_line(stderr: str, kind: str) -> None:
    failure = explain(Child(outcome="exited", exit_status=2, stderr=stderr), Sources())
    assert failure.kind == kind
    assert "\n" not in failure.message


def test_a_killed_uv_is_taken_for_out_of_memory_and_a_missing_one_named() -> None:
    assert explain(Child(outcome="signalled", signal_name="SIGKILL"), Sources()).kind == "killed"
    gone = explain(Child(outcome="not-started", start_error="No such file or directory"), Sources())
    assert gone.message == "uv could not be started: No such file or directory"


def test_credentials_in_an_error_are_not_shown() -> None:
    sources = Sources(environment={"UV_INDEX": "https://me:s3cret@host/simple"})
    child = Child(outcome="exited", exit_status=2, stderr="error: 401 for https://me:s3cret@host/simple (s3cret)")
    assert "s3cret" not in explain(child, sources).message


def test_an_index_that_refuses_the_credentials_is_said() -> None:
    stderr = (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because beta was not found in the package registry and you require beta==2.0, we can conclude that "
        "your requirements are unsatisfiable.\n\n"
        "hint: An index URL (http://h/simple) could not be queried due to a lack of valid authentication credentials"
    )
    failure = explain(Child(outcome="exited", exit_status=1, stderr=stderr), Sources())
    assert failure.message == "no source offers beta==2.0, and an index refused the credentials"
