"""Take out of a text what names its user or lets somebody in: home folder, host name, credentials in addresses."""

from __future__ import annotations

import os
import re

_CREDENTIALS = re.compile(r"(?<=://)[^/\s\"'@]+@")


def redact(text: str, *, home: str | None = None, host: str | None = None) -> str:
    """The text with the home folder as ~, the host's name as <host>, and no user:password@ in addresses.

    Args:
        text: a report, as it would be printed.
        home: the home folder; None takes this user's.
        host: the host's name; None takes this machine's.
    """
    home = os.path.expanduser("~") if home is None else home
    host = os.uname().nodename if host is None and hasattr(os, "uname") else host or ""
    text = _CREDENTIALS.sub("***@", text)
    if len(home) > 1 and home.startswith("/"):
        text = re.sub(rf"{re.escape(home)}(?=[/\s\"':,;)]|$)", "~", text)
    # A short or common host name ("vm", "gpu") would take words out of the report.
    if len(host) > 5:
        text = re.sub(rf"\b{re.escape(host)}\b", "<host>", text)
    return text
