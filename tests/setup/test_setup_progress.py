from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit.setup.progress import Phase, Progress, duration, received_bytes, written_bytes

TITLE = "Installing 40 packages"


def fake_proc(folder: Path, received: int, written: int) -> None:
    (folder / "self/net").mkdir(parents=True, exist_ok=True)
    (folder / "7").mkdir(exist_ok=True)
    head = "Inter-|   Receive\n face |bytes    packets\n"
    (folder / "self/net/dev").write_text(f"{head}    lo: 999 1\n  eth0: {received} 2\neth1:1000 1\n")
    (folder / "7/io").write_text(f"rchar: 5\nwchar: {written}\n")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def installing(folder: Path, stream: io.StringIO, clock: Clock, download_bytes: int = 4_900_000_000) -> Progress:
    """In the middle of a download that began at 0 s."""
    fake_proc(folder, 10**9, 0)
    progress = Progress(stream, clock=clock, proc=folder)
    progress.begin(TITLE)
    progress.download_bytes = download_bytes
    progress.before = 10**9 + 1000
    progress.pid = 7
    return progress


def test_the_line_counts_what_arrived_how_fast_and_how_long_it_will_take(tmp_path: Path) -> None:
    progress = installing(tmp_path, io.StringIO(), Clock())
    progress.line(10.0)
    fake_proc(tmp_path, 2_200_000_000, 2 * 10**9)
    line = "1.20 of at most 4.90 GB · 120 MB/s · at most 0:30 left · 2.00 GB written · 0:20"
    assert progress.line(20.0) == f"{TITLE} · {line}"


def test_the_speed_is_that_of_the_last_seconds(tmp_path: Path) -> None:
    progress = installing(tmp_path, io.StringIO(), Clock())
    for second in range(30):  # ten times slower after the tenth second
        fake_proc(tmp_path, 10**9 + min(second, 10) * 100_000_000 + max(0, second - 10) * 10_000_000, 0)
        line = progress.line(float(second))
    assert " · 10 MB/s · " in line


def test_nothing_is_left_once_all_has_arrived_and_no_more_is_counted(tmp_path: Path) -> None:
    progress = installing(tmp_path, io.StringIO(), Clock(), 50_000_000)
    progress.line(0.0)
    fake_proc(tmp_path, 2 * 10**9, 0)
    assert progress.line(9.0) == f"{TITLE} · 50 of at most 50 MB · 0 kB written · 0:09"


def test_where_columns_are_few_what_matters_least_is_left_out(tmp_path: Path) -> None:
    progress = installing(tmp_path, io.StringIO(), Clock())
    progress.line(10.0)
    fake_proc(tmp_path, 2_200_000_000, 2 * 10**9)
    lines = {width: progress.line(20.0, width) for width in (90, 80, 60, 30, 10)}
    assert all(len(line) <= width for width, line in lines.items() if width >= len(TITLE))
    assert lines[80] == f"{TITLE} · 1.20 of at most 4.90 GB · at most 0:30 left · 0:20"
    assert lines[30] == f"{TITLE} · 0:20"
    assert lines[10] == TITLE


def test_what_cannot_be_known_is_left_out(tmp_path: Path) -> None:
    progress = Progress(io.StringIO(), clock=Clock(), proc=tmp_path)
    progress.begin("Installing")
    progress.download_bytes = 1
    assert progress.line(61.0) == "Installing · 1:01"
    assert received_bytes(tmp_path / "none") is None
    assert written_bytes(tmp_path / "none") is None


def test_without_a_terminal_a_line_comes_every_ten_seconds_and_at_the_end(tmp_path: Path) -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress(stream, clock=clock, proc=tmp_path)
    with contextlib.suppress(InterruptedError), progress.phase("Installing"):
        for fifth in range(125):
            clock.now = fifth / 5
            progress.tick(7)
        raise InterruptedError
    assert stream.getvalue() == "Installing\nInstalling · 0:10\nInstalling · 0:20\nInstalling: 25 s\n"
    assert progress.phases == [Phase(title="Installing", seconds=24.8)]


def test_the_end_says_what_arrived(tmp_path: Path) -> None:
    clock, stream = Clock(), io.StringIO()
    progress = installing(tmp_path, stream, clock)
    fake_proc(tmp_path, 2_200_000_000, 0)
    clock.now = 65.0
    progress.end()
    progress.end()  # a second time, as a finally may: nothing more
    assert stream.getvalue().splitlines()[1:] == [f"{TITLE}: 1:05 min, 1.20 GB received"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1:00 min"), (3725.0, "1:02:05 min")]
)
def test_a_duration_is_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Terminal:
    """A child whose stderr is a real terminal."""

    def __init__(self, body: str, *, columns: int = 80, **environ: str) -> None:
        self.ours, theirs = os.openpty()
        self.resize(columns)
        code = "import sys, time\nfrom envkit.setup.progress import Progress\n" + body
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", **environ}
        self.child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            # Ctrl-C must reach it, also where the tests run in the background, in which it would be ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        os.close(theirs)
        self.shown = ""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self, until: str = "\0", *, seconds: float = 20.0) -> str:
        """What came since, up to a text, or to the end."""
        begin, deadline = len(self.shown), time.monotonic() + seconds
        while until not in self.shown[begin:] and time.monotonic() < deadline:
            if not select.select([self.ours], [], [], 0.1)[0]:
                continue
            try:
                chunk = os.read(self.ours, 4096)
            except OSError:  # the end of a terminal on Linux is EIO
                break
            self.shown += chunk.decode()
        return self.shown[begin:]

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        if self.child.stdout:
            self.child.stdout.close()
        os.close(self.ours)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


INSTALL = f"""
progress = Progress(sys.stderr)
with progress.phase("{TITLE} of tensorflow[and-cuda]"):
    for _ in range(TICKS):
        progress.tick(0)
        time.sleep(0.2)
"""
SHORT, LONG = INSTALL.replace("TICKS", "2"), INSTALL.replace("TICKS", "300")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def test_on_a_terminal_one_line_moves_and_is_replaced_by_its_outcome(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal(INSTALL.replace("TICKS", "7")))
    moving, _, ended = terminal.read().partition(SHOW)
    assert moving.count(HIDE) == 1
    assert f"\x1b[2K{TITLE} of tensorflow[and-cuda] · 0:01" in moving
    assert moving.count("\n") == 1, "it must not scroll; Rich's last newline is taken back"
    assert re.fullmatch(rf"\r\x1b\[1A\x1b\[2K{TITLE} of tensorflow\[and-cuda\]: 1\.\d s\r\n", ended)


def test_on_a_narrow_terminal_the_line_does_not_wrap(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal(SHORT, columns=20))
    moving = terminal.read().partition(SHOW)[0]
    lines = re.sub(r"\x1b\[[?\d]*[a-zA-Z]", "", moving).replace("\r", "\n").split("\n")
    assert f"{TITLE[:19]}…" in lines
    assert max(map(len, lines)) == 20


def test_a_terminal_may_be_resized(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal(LONG))
    terminal.read("· 0:0")
    terminal.resize(20)
    assert f"{TITLE[:19]}…" in terminal.read("…")
    terminal.resize(70)
    assert "[and-cuda] · 0:0" in terminal.read("· 0:0")


def test_ctrl_c_shows_the_cursor_again(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal(LONG))
    assert SHOW not in terminal.read("· 0:0")
    os.killpg(terminal.child.pid, signal.SIGINT)
    terminal.read()
    assert terminal.shown.rindex(SHOW) > terminal.shown.rindex(HIDE)
    assert f"{TITLE} of tensorflow[and-cuda]: " in terminal.shown


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_move_gets_plain_lines(terminals: list[Terminal], term: str) -> None:
    terminals.append(terminal := Terminal(SHORT, TERM=term))
    assert "\x1b" not in terminal.read()
    assert [line.partition(":")[0] for line in terminal.shown.splitlines()] == [f"{TITLE} of tensorflow[and-cuda]"] * 2


def test_no_colour_means_no_colours(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal(SHORT, NO_COLOR="1"))
    assert not re.search(r"\x1b\[[\d;]*m", terminal.read())


def test_what_is_printed_meanwhile_stays_on_stdout(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal(SHORT + "    progress.pause()\n    print('a report')\n"))
    assert "a report" not in terminal.read()
    assert terminal.child.stdout is not None
    assert terminal.child.stdout.read() == b"a report\n"
