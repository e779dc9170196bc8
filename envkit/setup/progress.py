"""What is shown while an environment is built: one moving line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from envkit.setup.plan import Plan, size

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

PLAIN_SECONDS = 10.0
AVERAGE_SECONDS = 10.0
"""Over so long the speed is averaged: wheels come in bursts."""
FIRST_SECONDS = 2.0
"""A speed is said after so long."""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One step that has ended, well or not."""

    title: str
    seconds: float
    received_bytes: int = 0
    """What arrived from the network meanwhile, where it was to download."""


class Progress:
    """Phases one after another, and how far each is, on stderr."""

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Callable[[], float] = time.monotonic,
        proc: Path = Path("/proc"),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.stream = stream
        self.clock = clock
        self.proc = proc
        self.moves = stream.isatty() and (environ.get("TERM") or "dumb") not in {"dumb", "unknown"}
        self.phases: list[Phase] = []
        self.live: Live | None = None
        self.title: str | None = None
        self.pid = 0
        self.download_bytes = 0
        self.started = self.said = 0.0
        self.samples: deque[tuple[float, int]] = deque()
        self.before = 0

    @contextmanager
    def phase(self, title: str, plan: Plan | None = None) -> Iterator[None]:
        """One phase, ended whatever happens in it; with its plan where it may download."""
        self.begin(title, plan)
        try:
            yield
        finally:
            self.end()

    def begin(self, title: str, plan: Plan | None = None) -> None:
        """A phase begins; the moving line comes with the first tick."""
        self.title = title
        self.download_bytes = plan.download_bytes if plan else 0
        self.started = self.said = self.clock()
        self.samples.clear()
        self.before = self._received() or 0
        if not self.moves:
            self._write(title)

    def tick(self, pid: int = 0) -> None:
        """Called about five times a second while a child works; once where nothing ticks, to show the line."""
        self.pid = pid
        if self.moves:
            if self.live is None:
                self.live = _moving(self.stream, self._text)
                self.live.start()  # kept before: Ctrl-C at this moment finds it, and shows the cursor again
            return
        now = self.clock()
        if now - self.said >= PLAIN_SECONDS:
            self.said = now
            self._write(self.line(now))

    def pause(self) -> None:
        """Take the moving line away: something else is going to be printed."""
        if self.live:
            live, self.live = self.live, None
            live.stop()

    def end(self) -> None:
        """The phase has ended, well or not: say how long it took."""
        self.pause()
        if self.title is None:
            return
        phase = Phase(title=self.title, seconds=self.clock() - self.started, received_bytes=self._arrived() or 0)
        self.phases.append(phase)
        self.title = None
        received = f", {size(phase.received_bytes)} received" if phase.received_bytes else ""
        self._write(f"{phase.title}: {duration(phase.seconds)}{received}")

    def line(self, now: float, width: int = 1000) -> str:
        """How far it is: "Installing 40 · 1.20 of at most 4.90 GB · 85 MB/s · at most 0:43 left · 0:14".

        Args:
            now: the clock's time.
            width: columns; what matters least is left out where they are few.
        """
        parts = {"title": self.title or ""}
        arrived = self._arrived()
        if arrived is not None:
            self._sample(now, arrived)
            speed = self._speed()
            parts["arrived"] = _of(arrived, self.download_bytes)
            if speed and arrived < self.download_bytes:
                parts["speed"] = f"{size(int(speed))}/s"
                parts["left"] = f"at most {_clock_time((self.download_bytes - arrived) / speed)} left"
        written = written_bytes(self.proc / str(self.pid) / "io")
        if written is not None:
            parts["written"] = f"{size(written)} written"
        parts["time"] = _clock_time(now - self.started)
        for least in ("written", "speed", "left", "arrived", "time"):
            if len(" · ".join(parts.values())) > width:
                parts.pop(least, None)
        return " · ".join(parts.values())

    def _arrived(self) -> int | None:
        """Bytes received since the phase began: other programs' too, so at most what is to come."""
        received = self._received()
        return None if received is None else max(0, min(received - self.before, self.download_bytes))

    def _received(self) -> int | None:
        return received_bytes(self.proc / "self/net/dev") if self.download_bytes else None

    def _sample(self, now: float, arrived: int) -> None:
        self.samples.append((now, arrived))
        while now - self.samples[0][0] > AVERAGE_SECONDS:
            self.samples.popleft()

    def _speed(self) -> float:
        """Bytes a second, a moving average; 0 where it cannot be told yet."""
        (began, first), (now, last) = self.samples[0], self.samples[-1]
        return (last - first) / (now - began) if now - began >= FIRST_SECONDS else 0.0

    def _text(self) -> Text:
        """The moving line, as wide as the terminal is at this moment."""
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        width = self.live.console.width if self.live else 80
        return Text(self.line(self.clock(), width), no_wrap=True, overflow="ellipsis")

    def _write(self, line: str) -> None:
        self.stream.write(f"{line}\n")
        self.stream.flush()


def duration(seconds: float) -> str:
    """For people: "0.4 s", "42 s", "3:05 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 59.5 else f"{_clock_time(seconds + 0.5)} min"


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


def _of(arrived: int, total: int) -> str:
    unit, name = (1e9, "GB") if total >= 1e9 else (1e6, "MB")
    digits = 2 if total >= 1e9 else 0
    return f"{arrived / unit:.{digits}f} of at most {total / unit:.{digits}f} {name}"


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _moving(stream: TextIO, text: Callable[[], Text]) -> Live:
    """A line that redraws itself, in the terminal of the stream; what others print is left alone."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.live import Live  # noqa: PLC0415

    return Live(
        console=Console(file=stream), transient=True, redirect_stdout=False, redirect_stderr=False, get_renderable=text
    )
