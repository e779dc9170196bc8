"""Every child process of envkit starts here: a deadline, a process group of its own, framed records.

Records are framed as RFC 7464 says (0x1E, JSON, LF); whatever else a child prints on stdout is noise.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

RECORD_START = b"\x1e"
TAIL_BYTES = 16_000
GRACE_SECONDS = 1.0  # after SIGKILL: a process in state D does not die and is not waited for

Outcome = Literal["exited", "signalled", "timeout", "not-started"]


@dataclass(frozen=True)
class Child:
    """How one child process ended, and what it said."""

    outcome: Outcome
    deadline_seconds: float | None = None
    exit_status: int | None = None
    signal_name: str | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    stdout: str = ""
    """The tail of what it printed outside of records."""
    stderr: str = ""
    seconds: float = 0.0
    left_behind: bool = False
    """It did not end by its deadline and still runs."""
    start_error: str = ""

    @property
    def succeeded(self) -> bool:
        return self.outcome == "exited" and self.exit_status == 0

    def why(self) -> str:
        """How it ended, in a few words: "killed by SIGSEGV", "no answer within 10 s"."""
        if self.outcome == "not-started":
            return f"could not be started: {self.start_error}"
        if self.outcome == "timeout":
            return f"no answer within {self.deadline_seconds:g} s"
        if self.outcome == "signalled":
            return f"killed by {self.signal_name}"
        return f"ended with exit status {self.exit_status}"

    def last_words(self) -> str:
        """The last line it wrote on stderr."""
        lines = [line.strip() for line in self.stderr.split("\n") if line.strip()]
        return lines[-1] if lines else ""


def run(
    argv: Sequence[str],
    *,
    deadline_seconds: float | None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    on_record: Callable[[dict[str, Any]], None] | None = None,
    on_idle: Callable[[int], None] | None = None,
    on_deadline: Literal["kill", "leave"] = "kill",
) -> Child:
    """Run argv to its end or its deadline; never raises because of what the child does.

    Args:
        argv: program and arguments; no shell.
        deadline_seconds: after so long the whole process group is killed; None waits for ever.
        stdin: what the child reads.
        env: its whole environment; None hands on ours.
        cwd: its working directory; None keeps ours.
        on_record: called with each record as it arrives.
        on_idle: called with the child's pid about five times a second, for progress.
        on_deadline: "leave" neither kills nor waits: a process inside a driver may do harm when it is killed.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Child(outcome="not-started", start_error=reason)
    streams = _Streams(process, stdin, on_record)
    try:
        finished = streams.pump(started, deadline_seconds, on_idle)
    except BaseException:  # Ctrl-C, or a callback that failed: nothing of ours runs on
        _kill_group(process)
        streams.close()
        raise
    left_behind = False
    if not finished:
        left_behind = on_deadline == "leave" or not _kill_group(process)
    streams.close()
    if left_behind:
        process.returncode = 0  # the Popen object must not warn about, or wait for, a child we leave
    return Child(
        outcome="timeout" if not finished else "signalled" if process.returncode < 0 else "exited",
        deadline_seconds=deadline_seconds,
        exit_status=process.returncode if finished and process.returncode >= 0 else None,
        signal_name=_signal_name(-process.returncode) if finished and process.returncode < 0 else None,
        records=streams.records,
        stdout=streams.text("stdout"),
        stderr=streams.text("stderr"),
        seconds=time.monotonic() - started,
        left_behind=left_behind,
    )


class _Streams:
    """The three pipes of a child, pumped without ever blocking."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdin: bytes, on_record: Callable[[dict[str, Any]], None] | None
    ) -> None:
        self.process = process
        self.on_record = on_record
        self.records: list[dict[str, Any]] = []
        self.tails = {"stdout": b"", "stderr": b""}
        self.partial = b""
        self.unsent = memoryview(stdin)
        self.selector = selectors.DefaultSelector()
        for name in ("stdout", "stderr"):
            pipe = getattr(process, name)
            os.set_blocking(pipe.fileno(), False)
            self.selector.register(pipe, selectors.EVENT_READ, name)
        if process.stdin and stdin:
            os.set_blocking(process.stdin.fileno(), False)
            self.selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
        elif process.stdin:
            process.stdin.close()

    def pump(self, started: float, deadline_seconds: float | None, on_idle: Callable[[int], None] | None) -> bool:
        """Move bytes until the child has ended (True) or the deadline has passed (False)."""
        while True:
            left = None if deadline_seconds is None else started + deadline_seconds - time.monotonic()
            if left is not None and left <= 0:
                return False
            # A grandchild may hold our pipes for ever: that the child itself has ended is enough.
            ended = self.process.poll() is not None
            pause = 0.0 if ended else min(0.2, left) if left is not None else 0.2
            if not self.selector.get_map():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(pause)
                ready = []
            else:
                ready = self.selector.select(pause)
            for key, _ in ready:
                self._move(key)
            if ended and not ready:
                return True
            if on_idle:
                on_idle(self.process.pid)

    def _move(self, key: selectors.SelectorKey) -> None:
        if key.data == "stdin":
            self._write()
            return
        try:
            chunk = os.read(key.fd, 1 << 16)
        except BlockingIOError:
            return
        if not chunk:
            self.selector.unregister(key.fileobj)
        elif key.data == "stdout":
            self._split(chunk)
        else:
            self.tails["stderr"] = (self.tails["stderr"] + chunk)[-TAIL_BYTES:]

    def _write(self) -> None:
        stdin = self.process.stdin
        assert stdin is not None  # noqa: S101 - registered only when there is one
        try:
            self.unsent = self.unsent[os.write(stdin.fileno(), self.unsent[: 1 << 16]) :]
        except BlockingIOError:
            return
        except OSError:  # the child closed its end: it will say why, or its exit status does
            self.unsent = self.unsent[:0]
        if not self.unsent:
            self.selector.unregister(stdin)
            with contextlib.suppress(OSError):
                stdin.close()

    def _split(self, chunk: bytes) -> None:
        *lines, self.partial = (self.partial + chunk).split(b"\n")
        for line in lines:
            noise, mark, body = line.partition(RECORD_START)
            record = _parse(body) if mark else None
            if record is None:
                noise = line + b"\n"
            else:
                self.records.append(record)
                if self.on_record:
                    self.on_record(record)
            self.tails["stdout"] = (self.tails["stdout"] + noise)[-TAIL_BYTES:]

    def text(self, name: str) -> str:
        rest = self.partial if name == "stdout" else b""
        return (self.tails[name] + rest)[-TAIL_BYTES:].decode("utf-8", "replace")

    def close(self) -> None:
        self.selector.close()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _kill_group(process: subprocess.Popen[bytes]) -> bool:
    """SIGKILL the child's process group; False when the child does not die (state D)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
