"""What is shown while an environment is built: a moving line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from envkit.setup.plan import Plan

if TYPE_CHECKING:
    from rich.status import Status

PLAIN_SECONDS = 10.0


class Progress:
    """Titles of steps and how far they are, on stderr."""

    def __init__(
        self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic, proc: Path = Path("/proc")
    ) -> None:
        self.stream = stream
        self.clock = clock
        self.proc = proc
        self.title = ""
        self.download_bytes = 0
        self.started = self.said = 0.0
        self.received_before: int | None = None
        self.status = _spinner(stream) if stream.isatty() else None

    def begin(self, title: str, plan: Plan | None = None) -> None:
        """A step begins; with its plan where the step may download."""
        self.title = title
        self.download_bytes = plan.download_bytes if plan else 0
        self.started = self.said = self.clock()
        self.received_before = None
        if self.status:
            self.status.update(title)
            self.status.start()
        else:
            self.stream.write(f"{title}\n")
            self.stream.flush()

    def tick(self, pid: int) -> None:
        """Called about five times a second while a child works."""
        now = self.clock()
        if self.status:
            self.status.update(self.line(pid, now))
        elif now - self.said >= PLAIN_SECONDS:
            self.said = now
            self.stream.write(f"{self.line(pid, now)}\n")
            self.stream.flush()

    def end(self) -> None:
        """The step has ended, well or not."""
        if self.status:
            self.status.stop()

    def line(self, pid: int, now: float) -> str:
        """How far it is, such as "Installing 40 · 1.2 of at most 4.9 GB received · 2.0 GB written · 0:42"."""
        parts = [self.title]
        received = received_bytes(self.proc / str(pid) / "net/dev") if self.download_bytes else None
        if received is not None:
            self.received_before = received if self.received_before is None else self.received_before
            arrived = min(received - self.received_before, self.download_bytes)
            parts.append(f"{arrived / 1e9:.1f} of at most {self.download_bytes / 1e9:.1f} GB received")
        written = written_bytes(self.proc / str(pid) / "io")
        if written is not None:
            parts.append(f"{written / 1e9:.1f} GB written")
        minutes, seconds = divmod(int(now - self.started), 60)
        return " · ".join([*parts, f"{minutes}:{seconds:02}"])


def received_bytes(net_dev: Path) -> int | None:
    """Bytes received by every interface but the loopback in a process's network namespace (proc_net(5))."""
    text = _read(net_dev)
    counts = re.findall(r"^\s*(?!lo:)\S+?:\s*(\d+)", text, re.MULTILINE)
    return sum(map(int, counts)) if counts else None


def written_bytes(io: Path) -> int | None:
    """Bytes a process has written to files and pipes (wchar in proc_pid_io(5)): unpacking, as it goes."""
    found = re.search(r"^wchar: (\d+)", _read(io), re.MULTILINE)
    return int(found[1]) if found else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _spinner(stream: TextIO) -> Status:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

    return Console(file=stream).status("")
