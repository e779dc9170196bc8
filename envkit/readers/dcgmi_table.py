"""`dcgmi diag`, `dcgmi discovery -l` and `dcgmi health -c` as tables, of DCGM 2 to 4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import msgspec

from envkit import facts
from envkit.facts import Facts
from envkit.facts.accelerators import DcgmTest, Nvidia, NvidiaGpu
from envkit.readers._lines import MOST, MOST_GPUS, marked
from envkit.readers._nvidia import version
from envkit.readers._nvidia_fields import address

NAME = "dcgmi (its tables)"

_MARKS = ("DCGM Version", "run diagnostic for group", "ran diagnostic for group", "GPUs found", "Overall Health")
_STATUS = re.compile(r"\*{0,2}(Pass|Fail|Warn|Skip)(?:p?ed)?\b")
_GPUS = re.compile(r"\bGPUs?\s?:?\s{0,2}(\d{1,3}(?:,\s?\d{1,3}){0,31})\b")
_HEALTH = re.compile(r"Overall Health\s{0,20}[:|]?\s{0,40}(Healthy|Warning|Failure)")
_MESSAGES = {"Warning", "Error", "Info", ""}
_LINE = 1000


def read(text: str) -> Facts | None:
    """Tests that warned or failed, the driver, and the GPUs that DCGM lists."""
    if not any(mark in text for mark in _MARKS):
        return None
    rows = list(islice(_rows(text), MOST))
    tests = _tests(rows)
    gpus = _gpus(rows)
    driver = next((version(words) for name, words in rows if name == "Driver Version Detected"), None)
    if health := _HEALTH.search(text):
        tests = [*(tests or []), *_health(health[1])]
    if tests is None and not gpus and not driver:
        return None
    return Facts(nvidia=facts.ok(Nvidia(dcgm_failures=tests, driver_version=driver, gpus=gpus or None)))


def _rows(text: str) -> Iterator[tuple[str, str]]:
    """The two columns of each line between bars."""
    for line in marked(text, "|"):
        cells = [cell.strip() for cell in line[:_LINE].strip().strip("|").split("|")]
        if len(cells) == 2:
            yield cells[0], cells[1]


def _tests(rows: list[tuple[str, str]]) -> list[DcgmTest] | None:
    """None where no row is the result of a test. What follows a failure in rows of its own is its message."""
    found: list[DcgmTest] = []
    judged = failing = False
    for name, words in rows:
        status = _STATUS.match(words)
        if status and name not in _MESSAGES:
            judged, failing = True, status[1] in {"Fail", "Warn"}
            found += [_test(name, status[1], gpu) for gpu in _told(words)] if failing else []
        elif failing and name in _MESSAGES and words and not words.endswith((": Pass", ": Skip")):
            last = found[-1]
            gpu = _told(words)[0] if last.gpu is None else last.gpu
            found[-1] = msgspec.structs.replace(last, gpu=gpu, message=f"{last.message} {words}".strip()[:500])
    return found if judged else None


def _told(words: str) -> list[int | None]:
    """The GPUs that a row names; None where it names none."""
    named = _GPUS.search(words)
    return [int(number) for number in named[1].split(",")] if named else [None]


def _test(name: str, status: str, gpu: int | None) -> DcgmTest:
    return DcgmTest(name=name[:200], status="warn" if status == "Warn" else "fail", gpu=gpu)


def _health(word: str) -> list[DcgmTest]:
    return [] if word == "Healthy" else [DcgmTest(name="health", status="warn" if word == "Warning" else "fail")]


def _gpus(rows: list[tuple[str, str]]) -> list[NvidiaGpu]:
    """Of discovery: a row with the number and the name, then rows with address and UUID."""
    gpus: list[NvidiaGpu] = []
    for number, words in rows:
        key, _, value = words.partition(": ")
        if key == "Name" and re.fullmatch(r"\d{1,3}", number) and len(gpus) < MOST_GPUS:
            gpus.append(NvidiaGpu(index=int(number), name=value.strip()))
        elif gpus and not number and key == "PCI Bus ID":
            gpus[-1] = msgspec.structs.replace(gpus[-1], pci_address=address(value))
        elif gpus and not number and key == "Device UUID":
            gpus[-1] = msgspec.structs.replace(gpus[-1], uuid=value.strip())
    return gpus
