"""The kernel's log, from dmesg, journalctl -k, /dev/kmsg or kern.log, and the fabric manager's."""

from __future__ import annotations

import re
from itertools import islice

from envkit import facts
from envkit.facts import Facts
from envkit.facts.machine import KernelLog
from envkit.kernel_messages import kernel_messages
from envkit.readers._lines import MOST, starts

NAME = "kernel log"

_RECORD = re.compile(
    r"^(?:<\d{1,3}>)?\[ {0,6}\d{1,7}\.\d{6}\] "  # dmesg
    r"|^\d{1,3},\d{1,12},\d{1,16},[^;\n]{0,60};"  # /dev/kmsg
    r"|^(?:kern|user|daemon) {0,5}:\w{3,6} {0,5}: "  # dmesg -x
    r"|^\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\] "  # dmesg -T
    r"|^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d "  # dmesg --time-format iso
    r"|^(?:\w{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.,]{8,16}(?:Z|[+-]\d\d:?\d\d)?) \S{1,255} kernel: ",
    re.MULTILINE,
)
_MARKS = ("] ", ";", "kern", "user", "daemon", ",")
_ENOUGH = 3  # records that make a text a kernel log, though none of them matters


def read(text: str) -> Facts | None:
    """The messages that matter to training; none in a log without trouble."""
    messages = kernel_messages(text)
    if not messages and not _is_log(text):
        return None
    return Facts(kernel_log=facts.ok(KernelLog(messages=messages)))


def _is_log(text: str) -> bool:
    """Whether enough of the first lines are a kernel's records."""
    tried = islice(starts(text, *_MARKS), MOST)
    return len(list(islice((start for start in tried if _RECORD.match(text, start)), _ENOUGH))) == _ENOUGH
