"""A kernel's log is known by its lines' times, however dmesg, journalctl and syslog write them."""

from __future__ import annotations

import pytest

from envkit.facts.machine import KernelMessage
from envkit.readers import dmesg

FORMS = {
    "dmesg": "[   42.500000] ",
    "dmesg -r": "<6>[   42.500000] ",
    "dmesg -T": "[Mon Jan  5 10:00:00 2026] ",
    "dmesg -x": "kern  :info  : [   42.500000] ",
    "dmesg -x iso": "kern  :warn  : 2026-01-05T10:00:00,123456+00:00 ",
    "dmesg iso": "2026-01-05T10:00:00,123456+00:00 ",
    "kmsg": "6,1200,42500000,-;",
    "syslog": "Jan  5 10:00:00 node7 kernel: ",
    "journalctl iso": "2026-01-05T10:00:00+0000 node7.cluster kernel: ",
    "rsyslog": "2026-01-05T10:00:00.123456+00:00 node7 kernel: ",
}


def messages(text: str) -> list[KernelMessage]:
    found = dmesg.read(text)
    assert found
    assert found.kernel_log.facts
    return found.kernel_log.facts.messages


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_log_without_trouble_is_known_for_one(form: str) -> None:
    assert messages(f"{form}usb 1-1: new device\n" * 3) == []


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_xid_is_read_in_it(form: str) -> None:
    (message,) = messages(
        f"{form}usb 1-1: new device\n{form}NVRM: Xid (PCI:0000:0a:00 GPU-I:05): 94, pid=3, Contained\n"
    )
    assert (message.kind, message.code, message.pci_address) == ("xid", 94, "0000:0a:00.0")


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-05T10:00:00.123456+00:00 node7 kubelet[12]: started\n",
        "Jan  5 10:00:00 node7 systemd[1]: Started a unit.\n",
        "2026-01-05 10:00:00,123 INFO step 3\n",
        "[Mon] see [2] and [3]\n",
        "user :me: hello\n",
    ],
)
def test_other_logs_are_none(line: str) -> None:
    assert dmesg.read(line * 5) is None
