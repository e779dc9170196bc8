"""Run as a program: a JSON list of paths on stdin, a record (RFC 7464) {"index": n, "text": text or None} for each."""

from __future__ import annotations

import json
import os
import stat
import sys

LIMIT_BYTES = 1 << 16  # a file of sysfs has a page; a list of retired pages of memory has more


def read(path: str) -> str | None:
    """The text of a regular file; None when there is none to be had."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return file.read(LIMIT_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def main() -> None:
    for index, path in enumerate(json.load(sys.stdin)):
        sys.stdout.write("\x1e" + json.dumps({"index": index, "text": read(path)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
