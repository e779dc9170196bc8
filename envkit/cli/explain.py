"""`envkit explain`: what went wrong, from a log, a traceback or whatever was pasted."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

import typer

from envkit.cli import _common
from envkit.errors import InputError

if TYPE_CHECKING:
    from envkit.explain import Explanation
    from envkit.facts import Facts
    from envkit.findings import Finding
    from envkit.knowledge import Knowledge

app = _common.new_app()

LARGEST = 50
"""Of a larger text only the last so many MiB are read: that is where a program dies."""
_FACTS_FROM = 4_000_000


@app.command()
def explain(
    file: str = typer.Argument(help="The text: a log, a traceback, an installer's error; - is stdin."),
    format_: str = typer.Option("text", "--format", "-f", help="Output format: text, json."),
    here: bool = typer.Option(False, "--here", help="Also say what this machine's checks say to each cause."),
    top: int = typer.Option(3, "--top", min=1, help="At most so many causes."),
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP),
) -> None:
    """Name the cause of an error that somebody pasted, with the lines that tell it and what to do.

    Changes nothing. Exit status: 0 known, 2 wrong usage or input, 3 not known.
    """
    from msgspec.structs import replace

    _common.one_of("--format", format_, ("text", "json"))
    if python and not here:
        raise InputError("--python belongs to --here", hint="the text alone is explained without a Python")
    from envkit import knowledge

    text, tables = read(file), knowledge.load()
    result = explanation(text, tables, _judged(python, tables) if here else None)
    result = replace(result, causes=result.causes[:top], possible=result.possible[:top])
    if format_ == "json":
        _common.write_json(result)
    else:
        from envkit.explain.show import render

        _common.write(render(result, _common.style()))
    raise typer.Exit(0 if result.status == "known" else 3)


def explanation(text: str, tables: Knowledge, here: list[Finding] | None = None) -> Explanation:
    """Explain a text: its signatures, and what the checks find in the facts that were pasted with it."""
    from envkit.explain import explain as causes_of

    return causes_of(text, tables, pasted=_pasted(text, tables), here=here)


def read(file: str) -> str:
    """The text in a file (- is stdin).

    Raises:
        InputError: there is none, or it is no text.
    """
    origin = "stdin" if file == "-" else file
    try:
        if file == "-":
            data = _last(sys.stdin.buffer)
        else:
            with open(file, "rb") as stream:
                data = _last(stream)
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror or error}", hint="expected a file of text, or - for stdin"
        ) from error
    wide = data[:2] in {b"\xff\xfe", b"\xfe\xff"}  # as PowerShell's > writes it
    text = data.decode("utf-16" if wide else "utf-8", "replace").removeprefix("\ufeff")
    if not text.strip():
        raise InputError(f"{origin}: is empty", hint="expected a log, a traceback or an installer's error")
    strange = sum(map(text.count, ("\0", "\ufffd")))
    if strange > len(text) // 5:
        raise InputError(f"{origin}: is no text", hint="expected a log, a traceback or an installer's error")
    return text


def _last(stream: BinaryIO) -> bytes:
    """The last LARGEST MiB, behind as many empty lines as were left out, so that lines keep their numbers."""
    blocks: deque[bytes] = deque()
    left_out = 0
    while block := stream.read(1 << 20):
        blocks.append(block)
        if len(blocks) > LARGEST:
            left_out += blocks.popleft().count(b"\n")
    return b"\n" * left_out + b"".join(blocks)


def _pasted(text: str, tables: Knowledge) -> list[Finding]:
    """What the checks find in the facts that stand in a text."""
    from envkit.readers import read_all

    try:
        facts = read_all(text[-_FACTS_FROM:])
    except InputError:  # there are none in it
        return []
    return _findings(_with_torch_cuda(facts, tables), tables)


def _with_torch_cuda(facts: Facts, tables: Knowledge) -> Facts:
    """The facts with the CUDA of PyPI's wheel, where a list of packages says torch==2.9.0 and no more."""
    from msgspec.structs import replace

    torch = facts.torch.facts
    if not torch or torch.build_known or torch.cuda or "+" in torch.version:
        return facts
    series = ".".join(torch.version.split(".")[:2])
    row = tables.torch_release(torch.version)
    cuda = row.cuda if row else tables.torch.pypi_cuda.get(series)
    return replace(facts, torch=replace(facts.torch, facts=replace(torch, cuda=cuda)))


def _judged(python: str, tables: Knowledge) -> list[Finding]:
    """What the checks find on this machine."""
    return _findings(_common.capture(python), tables)


def _findings(facts: Facts, tables: Knowledge) -> list[Finding]:
    from envkit.checks import discover
    from envkit.doctor import examine
    from envkit.profile import Profile

    return examine(facts, Profile(), tables, discover()).findings
