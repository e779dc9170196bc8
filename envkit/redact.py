"""Take out of a text what must not get out: home folder, host name, credentials; and what would drive a terminal."""

from __future__ import annotations

import os
import re

_CONTROL = {**dict.fromkeys((*range(32), *range(127, 160)), "\ufffd"), ord("\n"): " ", ord("\t"): " "}
_CREDENTIALS = re.compile(r"(?<=//)[^/\s\"']+@")
_TOKENS = re.compile(r"(?i)([?&][\w-]*(?:token|key|secret|password|signature)=)[^&\s\"',;]+")


def plain(text: str) -> str:
    """One line without control characters: the name of a device, or a file of facts, must not drive the terminal."""
    return text.translate(_CONTROL)


def redact(text: str, *, home: str | None = None, host: str | None = None) -> str:
    """The text with the home folder as ~, the host's name as <host>, no user:password@ and no token in addresses.

    Args:
        text: a report, as it would be printed.
        home: the home folder; None takes this user's.
        host: the host's name; None takes this machine's.
    """
    home = os.path.expanduser("~") if home is None else home
    host = os.uname().nodename if host is None and hasattr(os, "uname") else host or ""
    text = _TOKENS.sub(r"\1***", _CREDENTIALS.sub("***@", text))
    if len(home) > 1 and home.startswith("/"):
        text = re.sub(rf"{re.escape(home)}(?=[/\s\"':,;)]|$)", "~", text)
    # A short or common host name ("vm", "gpu") would take words out of the report.
    if len(host) > 5:
        text = re.sub(rf"\b{re.escape(host)}\b", "<host>", text)
    return text
