"""Files of sysfs for which the driver asks its device, which may not answer: read in a child that may be left behind.

A thread would do no better: a process with a thread in state D does not end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from envkit import harness
from envkit.probes import files

# Run as a file, and with nothing of the environment: neither site-packages nor the working directory are looked at.
PROGRAM = (sys.executable, "-I", "-S", str(Path(__file__).with_name("device_files_child.py")))


def read(root: str, paths: Sequence[str], deadline_seconds: float) -> tuple[dict[str, str], str | None]:
    """The text of each file that gave one, and the file at which there was no answer by the deadline, if there was one.

    Args:
        root: where the machine's files lie.
        paths: read in this order.
        deadline_seconds: for all of them together.
    """
    if not paths:
        return {}, None
    real = [_located(root, path) for path in paths]
    child = harness.run(
        PROGRAM, stdin=json.dumps(real).encode(), deadline_seconds=deadline_seconds, on_deadline="leave"
    )
    texts = {paths[record["index"]]: record["text"] for record in child.records if record.get("text") is not None}
    reached = [record["index"] for record in child.records if "text" in record]
    waiting = paths[len(reached)] if child.outcome == "timeout" and len(reached) < len(paths) else None
    return texts, waiting


def _located(root: str, path: str) -> str:
    try:
        return os.fspath(files.locate(root, path))
    except (OSError, ValueError):  # links in a circle: the child finds nothing there
        return ""
