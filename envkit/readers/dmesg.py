"""The kernel's log, from dmesg, journalctl -k, /dev/kmsg or kern.log, and the fabric manager's."""

from __future__ import annotations

import re
from itertools import islice

from envkit import facts
from envkit.facts import Facts
from envkit.facts.machine import KernelLog
from envkit.kernel_messages import kernel_messages

NAME = "kernel log"

_RECORD = re.compile(
    r"^(?:<\d{1,3}>)?\[ {0,6}\d{1,7}\.\d{6}\] |^\d{1,3},\d{1,12},\d{1,16},[^;\n]{0,60};",
    re.MULTILINE,
)
_ENOUGH = 3  # records that make a text a kernel log, though none of them matters


def read(text: str) -> Facts | None:
    """The messages that matter to training; none in a log without trouble."""
    messages = kernel_messages(text)
    if not messages and len(list(islice(_RECORD.finditer(text), _ENOUGH))) < _ENOUGH:
        return None
    return Facts(kernel_log=facts.ok(KernelLog(messages=messages)))
