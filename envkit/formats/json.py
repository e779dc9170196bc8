"""The report as JSON (schema envkit.report/1)."""

from __future__ import annotations

import msgspec

from envkit.facts import Facts
from envkit.findings import Report
from envkit.formats import Style


def render(report: Report, style: Style, facts: Facts) -> str:  # noqa: ARG001 - the protocol of every format
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"
