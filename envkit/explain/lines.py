"""A pasted text as lines that signatures are searched in: bare of quoting, prefixes and colours, each with its role."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

LONGEST = 4000
_OVERLAP = 200
# A log says the same a million times with other numbers; error codes differ in their digits, so some of each are read.
_REPEATED = 100
_REMEMBERED = 200_000
_WITHOUT_DIGITS = dict.fromkeys(map(ord, "123456789"), "0")

Role = Literal["error", "warning", "code", "prose", "doubted", "other"]


class Line(NamedTuple):
    """number: of the line in the text, from 1. joined: it is put together from this line and those after it."""

    number: int
    text: str
    role: Role = "other"
    joined: bool = False
    said: str = ""
    """What stands there, where `text` is a translation of it."""


_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])|[\x00-\x08\x0b-\x1f\x7f]")
# What loggers, launchers, containers and mail put before a line: [rank0]:, (Worker pid=7), 2025-01-31T10:11:12Z, >
_PREFIX = re.compile(
    r"\s*(?:>(?!>)\s?|`{3}[\w-]{0,12}\s|[│|]\s|#\d+\s+\d+\.\d+\s|\d+\.\d{2,3}\s+(?=\S)"
    r"|\[\d{4}[-/]\d\d?[-/]\d\d?[^\]\n]{0,40}\]:?\s|\d{4}[-/]\d\d?[-/]\d\d?[T ]?\d\d?:\d\d(?::\d\d)?[.,\dZ+:]*:?\s"
    r"|\[?\d\d:\d\d:\d\d[.,\d]*\]?:?\s|\[(?:rank)?\d+(?:,\d+)?\](?:<std(?:err|out)>)?:\s?"
    r"|\((?:\w+ )?(?:pid|ip|rank|Worker\w*|Engine\w*|APIServer\w*)[^)\n]{0,60}\)"
    r"|\d\d-\d\d \d\d:\d\d:\d\d\s|\[?\w[\w.]{0,60}\.py:\d+\]\s|(?:ERROR|INFO|WARNING|CRITICAL)\s(?=\s?[\d\[]))"
)
_TYPED = re.compile(r"(?<=\w) ([:,])(?= )")
_ERROR = re.compile(
    r"(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Failure|NotFound|Timeout)|OutOfMemory\w*)\b(?:\s*[:(]|\s*$)"
    r"|\b(?:ERROR|FATAL|CRITICAL|Fatal|fatal|error|Error|CUDA error|panic|Assertion|Aborted|Killed|NVRM|Xid)\b"
    r"|\b(?:terminate called|undefined symbol|[Ss]egmentation fault|Illegal instruction|cannot open shared object)"
)
_EXCEPTION = re.compile(r"\b(?:[A-Za-z_][\w.]*)?(?:Error|Exception)\b\s*:")
_WARNING = re.compile(
    r"^(?:[WI]\d{4} |[\w.: -]{0,40}\b[WI] (?:tensorflow|external)|.{0,200}\b(?:WARN(?:ING)?\b|\w*Warning:))"
)
_FRAME = re.compile(r"""^\s*File ["'<].{1,400}, line \d+""")
_IMPORT = re.compile(r"\s*(?:import|from) \w")
_RAISED = re.compile(r"^\s*(?::? ?\[(?:WinError|Errno) \d+\]|[A-Za-z_][\w.]*(?:Error|Exception): )")
_TOLD = re.compile(r"(?<!except )\b[A-Za-z_][\w.]*(?:Error|Exception): \S")  # behind code, in one line with it
_NUMBERED_CODE = re.compile(r"^\s*(?:-+>\s*)?\d+\s{1,8}\S|^\s*>>>\s")
_STATEMENT = re.compile(
    r"^\s*(?:raise |return |import |from [\w.]+ import |if |elif |except |print\(|assert |logger\.|warnings\.warn)"
)
_FIRST_PERSON = re.compile(r"\b(?:I|I'm|I've|I'd|my|we|We|My|our)\b")
_SENTENCE = re.compile(r"^[^{}<>=]*[a-z,] [a-z]+ [a-z]+ [a-z]+ ")
_DOUBT = re.compile(
    r"(?i)\b(?:(?:have|has|had|'ve|was|is|are) (?:already |also )?(?:tried|checked|verified|reinstalled|ruled out)"
    r"|already (?:tried|have|installed|set|checked)|tried (?:to|with|using|setting|both|re)"
    r"|did ?n[o']t (?:help|work|change|fix)|does ?n[o']t (?:help|seem|matter)|do ?n[o']t think|no difference"
    r"|not the (?:case|cause|problem|issue)|same (?:error|problem|issue|result)|is (?:not|n't) the"
    r"|rather than|unlike|instead of|should not be|might be|maybe|perhaps|wonder)\b"
)
# What PyTorch says behind every error of CUDA or HIP: it names asserts and launches that nobody has seen.
_ADVICE = re.compile(
    r"(?:CUDA|HIP|XPU) kernel errors might be asynchronously reported"
    r"|For debugging consider passing \S+_LAUNCH_BLOCKING|Compile with .?TORCH_USE_(?:CUDA|HIP)_DSA"
    r"|Device-side assertion tracking was not enabled|Search for `cudaError\w+' in https"
    # and what collect_env says of everything that is not there, on every machine
    r"|(?!.{0,40}(?:CUDA|[Nn]vidia|GPU|cuDNN))[\w ()/-]{2,50}: ?(?:N/A|Could not collect)\s*$"
)
# nvidia-smi's own manual speaks of every fault there is.
_MANUAL = re.compile(r"List of valid properties to query|NVIDIA System Management Interface -- v")
_MANUAL_ENDS = re.compile(r"[#$=+]|Traceback|\S+@\S+[:~]")
_LOGGED = re.compile(r"\.(?:cc|cpp|cu|h|inc):\d+\]|^\s*(?:ERROR|FATAL|CRITICAL|[Ee]rror|[Ff]atal)(?: error)?: ")
_BREAK = re.compile(r"^\s*$|^\s*File |^\s*Traceback|^\s*[$#%>]|^\s*During handling|^\s*The above|^[-+|=]{3,}")


def lines_of(text: str, translations: Mapping[str, str] | None = None) -> Iterator[Line]:
    """Every line, cleaned; behind the first line of an error, that line joined with those it was wrapped into.

    translations: what the system says in other languages, to English.
    """
    ascii_only = text.isascii()
    spoken = {
        foreign: english
        for foreign, english in (translations or {}).items()
        if (foreign.isascii() or not ascii_only) and foreign in text
    }
    pending: list[Line] = []
    frame: Line | None = None
    manual = False
    seen: dict[str, int] = {}
    for number, raw in _split(text):
        shape = raw.translate(_WITHOUT_DIGITS)
        if len(shape) > 3 and (seen.get(shape, 0) >= _REPEATED):
            continue
        if len(seen) < _REMEMBERED:
            seen[shape] = seen.get(shape, 0) + 1
        said = bare = clean(raw)
        for foreign, english in spoken.items():
            bare = bare.replace(foreign, english)
        manual = bool(_MANUAL.match(bare)) or (manual and not _MANUAL_ENDS.match(bare))
        if manual or not bare.strip() or _ADVICE.match(bare.lstrip()):
            yield from _joined(pending)
            pending = []
            continue
        role = _role(bare, after_frame=frame is not None)
        line = Line(number, bare, role, said="" if said == bare else said)
        yield line
        if frame and _IMPORT.match(bare):  # which file imports what
            yield Line(frame.number, f"{frame.text.strip()} {bare.strip()}", joined=True)
        frame = line if _FRAME.match(bare) else None
        if pending and (_BREAK.match(bare) or len(pending) == 4 or role == "code"):
            yield from _joined(pending)
            pending = []
        if pending or (role in {"error", "prose"} and len(bare) >= 30):
            pending.append(line)
    yield from _joined(pending)


def clean(raw: str) -> str:
    """One line without terminal codes, HTML entities, quoting and what loggers put before it."""
    if "\x1b" in raw or not raw.isprintable():
        raw = _ESCAPES.sub("", raw.replace("\t", " "))
    if "&" in raw and ";" in raw:
        raw = html.unescape(raw).replace("\n", " ")
    if " :" in raw or " ," in raw:  # as somebody typed it
        raw = _TYPED.sub(r"\1", raw)
    for _ in range(4):
        match = _PREFIX.match(raw)
        if not match or match.end() == len(raw):
            break
        raw = raw[match.end() :]
    return raw.rstrip("` \t") if raw.endswith("```") else raw


def _split(text: str) -> Iterator[tuple[int, str]]:
    r"""Lines and their numbers, on \n only; a progress bar's \r makes pieces, a longer line than LONGEST as well."""
    start, number = 0, 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        number += 1
        if end - start <= LONGEST:
            line = text[start:end]
            if "\r" in line:
                yield from ((number, piece) for piece in line.split("\r") if piece)
            else:
                yield number, line
        else:
            for at in range(start, end, LONGEST - _OVERLAP):
                yield number, text[at : min(at + LONGEST, end)]
        start = end + 1


def _role(text: str, *, after_frame: bool) -> Role:
    """What kind of line it is: how much what it says is worth depends on that."""
    if _WARNING.match(text):
        return "warning"
    source = after_frame and not _FRAME.match(text) and not _RAISED.match(text)
    if (source or _NUMBERED_CODE.match(text) or _STATEMENT.match(text)) and not _TOLD.search(text):
        return "code"
    told = _EXCEPTION.search(text) or _LOGGED.search(text) or " error: " in text
    if not told and _SENTENCE.match(text) and (_FIRST_PERSON.search(text) or _DOUBT.search(text)):
        return "doubted" if _DOUBT.search(text) else "prose"
    return "error" if _ERROR.search(text) or text.startswith(("F ", "E ")) else "other"


def _joined(lines: list[Line]) -> Iterator[Line]:
    if len(lines) > 1:
        text = " ".join(" ".join(line.text.split()) for line in lines)[:LONGEST]
        yield Line(lines[0].number, text, lines[0].role, joined=True)
