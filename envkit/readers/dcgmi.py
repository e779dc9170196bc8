"""`dcgmi diag -j` and `dcgmi nvlink -e -j`, of DCGM 2 to 4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from envkit import facts
from envkit.facts import Facts
from envkit.facts.accelerators import DcgmTest, Nvidia, NvidiaGpu, NvLink
from envkit.readers._fields import document_at

NAME = "dcgmi"

_DIAG = re.compile(r'\{\s{0,20}(?="DCGM (?:GPU )?Diagnostic"\s{0,4}:)')
_NVLINK = re.compile(r'\{\s{0,20}(?="(?:body|header)"\s{0,4}:)')
_ERRORS = re.compile(r"(?:CRC|Replay|Recovery) .{0,20}Error|(?:Replay|Recovery) Error")


def read(text: str) -> Facts | None:
    """Tests that warned or failed; errors of each NVLink."""
    tests: list[DcgmTest] | None = None
    if " Diagnostic" in text and (diagnostic := _json(_DIAG, text)):
        tests = list(_tests(diagnostic))
    gpus = _links(_json(_NVLINK, text) or {}) if "NVLINK Error Counts" in text else []
    if tests is None and not gpus:
        return None
    return Facts(nvidia=facts.ok(Nvidia(dcgm_failures=tests, gpus=gpus or None)))


def _json(start: re.Pattern[str], text: str) -> dict[str, Any] | None:
    value = document_at(text, start.search(text))
    return value if isinstance(value, dict) else None


def _dicts(value: Any, key: str) -> list[dict[str, Any]]:
    """The objects in a list under a key; none where the shape is another."""
    under = value.get(key) if isinstance(value, dict) else None
    return [one for one in under if isinstance(one, dict)] if isinstance(under, list) else []


def _tests(diagnostic: dict[str, Any]) -> Iterator[DcgmTest]:
    body = next(iter(diagnostic.values()))
    for category in _dicts(body, "test_categories"):
        for test in _dicts(category, "tests"):
            for result in _dicts(test, "results"):
                status = str(result.get("status", "")).lower()
                if status in {"warn", "fail"}:
                    entity = result.get("gpu_id", result.get("gpu_ids", result.get("entity_id")))
                    gpu = int(str(entity)) if re.fullmatch(r"\d{1,3}", str(entity)) else None
                    yield DcgmTest(
                        name=str(test.get("name", ""))[:200],
                        status="warn" if status == "warn" else "fail",
                        gpu=gpu,
                        message=_message(result),
                    )


def _message(result: dict[str, Any]) -> str:
    """DCGM 2 gives a text, DCGM 3 objects with "warning", DCGM 4 strings or objects in lists."""
    said = result.get("warnings", result.get("warning", result.get("info", "")))
    said = said if isinstance(said, list) else [said]
    return "; ".join(str(one.get("warning", one) if isinstance(one, dict) else one) for one in said)[:500]


def _links(counts: dict[str, Any]) -> list[NvidiaGpu]:
    heading = " ".join(map(str, counts.get("header") or []))
    body = counts.get("body")
    gpu = re.search(r"GPU (\d{1,3})", heading)
    if gpu is None or not isinstance(body, dict):
        return []
    links = []
    for name, link in body.items():
        children = link.get("children") if isinstance(link, dict) else None
        number = re.fullmatch(r"Link (\d{1,2})", name)
        if number and isinstance(children, dict):
            values = [str(one.get("value")) for kind, one in children.items() if _ERRORS.match(kind) and "value" in one]
            counted = [int(value) for value in values if re.fullmatch(r"\d{1,15}", value)]
            links.append(NvLink(index=int(number[1]), errors=sum(counted) if counted else None))
    return [NvidiaGpu(index=int(gpu[1]), nvlinks=links)] if links else []
